"""The documentation page of a rule, and the list of all rules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from textwrap import dedent

from fastwright.report.styled import Line, line
from fastwright.rules.registry import RegisteredRule
from fastwright.rules.rule import MARK, Case


def page(rule: RegisteredRule) -> str:
    """Return the page of a rule as Markdown."""
    return "\n".join(_page(rule)).rstrip("\n") + "\n"


def _page(rule: RegisteredRule) -> Iterator[str]:
    about = rule.rule
    yield f"# {rule.name}"
    yield ""
    yield f"{about.summary[:1].upper()}{about.summary[1:].rstrip('.')}."
    yield ""
    state = "on" if about.default else "off"
    facts = [
        f"family: {rule.family}",
        f"severity: {about.severity}",
        f"confidence: {about.confidence}",
        f"{state} by default",
        *(f"since {library} {version}" for library, version in sorted(about.since.items())),
        *(["has a fix"] if has_fix(rule) else []),
    ]
    yield "; ".join(facts)
    yield ""
    yield "## Why"
    yield ""
    yield dedent(rule.doc).strip().replace("``", "`")
    yield ""
    yield "## How to mend it"
    yield ""
    yield " ".join(about.mend.split())
    yield ""
    for case in rule.cases:
        yield from _case(case)
    if about.references:
        yield "## References"
        yield ""
        yield from (f"- {reference}" for reference in about.references)
        yield ""
    yield from _suppressing(rule.name)


def has_fix(rule: RegisteredRule) -> bool:
    """Whether a rule can mend what it reports: its cases show it."""
    return any(case.after for case in rule.cases)


def _case(case: Case) -> Iterator[str]:
    reported = any(MARK in source for source in case.files.values())
    verdict = "Reported" if reported else "Not reported"
    yield f"## {verdict}: {case.title}"
    yield ""
    if case.installed:
        installed = ", ".join(
            f"{name} {version}" for name, version in sorted(case.installed.items())
        )
        yield f"With {installed}:"
        yield ""
    yield from _files(case.files)
    if case.after:
        yield "Mended:"
        yield ""
        yield from _files(case.after)


def _files(files: Mapping[str, str]) -> Iterator[str]:
    for path, source in files.items():
        if len(files) > 1:
            yield f"`{path}`:"
            yield ""
        yield "```python"
        yield dedent(source).strip("\n").replace(MARK, "# <- reported")
        yield "```"
        yield ""


def _suppressing(name: str) -> Iterator[str]:
    yield "## To leave one in place"
    yield ""
    yield "```python"
    yield f"...  # fastwright: ignore[{name}] why it is right here"
    yield "```"


def listing(families: Mapping[str, list[RegisteredRule]]) -> Iterator[Line]:
    """Yield the list of all rules, by family."""
    every = [rule for rules in families.values() for rule in rules]
    width = max(len(rule.name) for rule in every)
    for family, rules in families.items():
        yield line((family, "title"))
        for rule in rules:
            about = rule.rule
            yield line(
                "  ",
                (f"{rule.name:{width}}", "rule"),
                "  ",
                (f"{about.severity:7}", about.severity),
                f"  {about.summary.rstrip('.')}",
                ("" if about.default else "  (off by default)", "dim"),
            )
        yield ()
    yield line((f"{len(every)} rules. `fastwright explain RULE` tells more of one.", "dim"))


def markdown_listing(families: Mapping[str, list[RegisteredRule]]) -> str:
    """Return the list of all rules as a Markdown table."""
    rows = [
        "| rule | family | severity | default | fix | what |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for family, rules in families.items():
        for rule in rules:
            about = rule.rule
            what = about.summary.rstrip(".").replace("|", "\\|")
            state = "on" if about.default else "off"
            fix = "yes" if has_fix(rule) else ""
            rows.append(
                f"| `{rule.name}` | {family} | {about.severity} | {state} | {fix} | {what} |"
            )
    return "\n".join(rows) + "\n"


def json_listing(families: Mapping[str, list[RegisteredRule]]) -> str:
    """Return the list of all rules as JSON."""
    rows = [
        {
            "rule": rule.name,
            "family": family,
            "severity": rule.rule.severity,
            "confidence": rule.rule.confidence,
            "default": rule.rule.default,
            "fix": has_fix(rule),
            "summary": rule.rule.summary,
            "mend": rule.rule.mend,
        }
        for family, rules in families.items()
        for rule in rules
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
