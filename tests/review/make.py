"""Rules and findings made by hand."""

from fastwright.rules.finding import Finding, Place, Severity
from fastwright.rules.registry import RegisteredRule
from fastwright.rules.rule import Profile, Rule


def rule(
    name: str,
    family: str,
    severity: Severity,
    *,
    default: bool = True,
    profiles: tuple[Profile, ...] = (),
) -> RegisteredRule:
    about = Rule(
        summary=name, severity=severity, mend="mend it", default=default, profiles=profiles
    )
    return RegisteredRule(name=name, family=family, rule=about, doc=name, cases=())


def finding(name: str, file: str, line: int, function: str | None = None) -> Finding:
    place = Place(file, line, 1, line, 2, function)
    return Finding(name, "data", "error", "high", place, f"{name} here", (), None)
