"""Review a project: load it, run the rules, leave out what is not asked for, and count it all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import msgspec

from fastwright.app.load import Loaded, Reads, load
from fastwright.app.model import App
from fastwright.edit.fix import Fix
from fastwright.project.cache import FOLDER, Cache
from fastwright.project.config import FailOn
from fastwright.project.discover import Project, open_project
from fastwright.project.errors import FastwrightError
from fastwright.project.files import matches
from fastwright.read.facts import Suppression
from fastwright.review import baseline, change, fingerprint, module_rules
from fastwright.review.app_rules import run_app_rules
from fastwright.review.catalogue import known_rules
from fastwright.review.mended import Mended, mended
from fastwright.review.result import (
    BrokenFile,
    HeldBack,
    Review,
    RuleFailure,
    RuleStatistic,
    SkippedFile,
    Timing,
    sort_findings,
)
from fastwright.review.reuse import Memory
from fastwright.review.select import Chosen, PathSelection, Selection, choose
from fastwright.review.sources import Sources
from fastwright.review.suppress import UNUSED_SUPPRESSION, suppress
from fastwright.rules.finding import Finding, Hit
from fastwright.rules.registry import RegisteredRule, registry, rules


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is asked to do."""

    path: Path = Path()
    content: bytes | None = None
    """What to read instead of the file at ``path`` (standard input, an editor's buffer)."""
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    fail_on: FailOn | None = None
    """Overrules the configuration."""
    base: str | None = None
    """Only what was brought in since this git revision."""
    baseline: Path | None = None
    write_baseline: bool = False
    cache: bool = True
    jobs: int | None = None
    profile: bool = False
    """Ask every rule anew, in one process, to know what each costs."""
    show_fixes: bool = False
    """Also say what the fix of each finding would make of the code."""
    edits: bool = False
    """Fixes are needed with their edits: what was said in an earlier run does not hold those."""

    def choosing(self, select: tuple[str, ...] | None, ignore: tuple[str, ...] = ()) -> Options:
        """Return the same with another choice of rules, for fixes that are to be made."""
        return msgspec.structs.replace(self, select=select, ignore=ignore, edits=True)


class Outcome(NamedTuple):
    """A review, the sources to show it with, and from which severity on it fails."""

    review: Review
    sources: Sources
    fail_on: FailOn
    mended: Mapping[Finding, tuple[Mended, ...]]
    """What fixes would make of the code, where that was asked for."""


class Found(NamedTuple):
    """What the rules say of one tree: findings, how many comments hide, and what went wrong."""

    loaded: Loaded
    chosen: Chosen
    findings: tuple[Finding, ...]
    fixes: dict[Finding, Fix]
    """How findings can be mended, for those that can."""
    suppressed: int
    failures: tuple[RuleFailure, ...]
    statistics: tuple[RuleStatistic, ...]


class _Ran(NamedTuple):
    """What the rules report, before anything is left out."""

    findings: list[Finding]
    failures: list[RuleFailure]
    seconds: dict[str, float]
    fixes: dict[Finding, Fix]

    def add(self, rule: RegisteredRule, hits: Iterable[Hit]) -> None:
        """Take in what a rule has found."""
        for hit in hits:
            finding = _finding(rule, hit)
            self.findings.append(finding)
            if hit.fix is not None:
                self.fixes[finding] = hit.fix


def review(options: Options) -> Outcome:
    """Review what the options name.

    Raises FastwrightError for a path, selector, baseline or revision that is none; a rule that
    fails is part of the result.
    """
    if options.content is None or options.path.is_file():
        return _review(open_project(options.path), options)
    return _review_loose(options, options.content)


def _review_loose(options: Options, content: bytes) -> Outcome:
    """Review content that is no file of the project, on its own."""
    with TemporaryDirectory(prefix="fastwright-") as folder:
        path = Path(folder).resolve() / (options.path.name or "stdin.py")
        path.write_bytes(content)
        project = Project(path.parent, path.name, open_project(Path()).config)
        return _review(project, msgspec.structs.replace(options, cache=False))


def _review(project: Project, options: Options) -> Outcome:
    started = perf_counter()
    given = {} if options.content is None else {project.target: options.content}
    sources = sources_of(project, given)
    found = find(project, options, sources, given)
    looked = perf_counter()
    kept, held, stale = _hold_back(found, project, options, sources)
    done = perf_counter()
    return Outcome(
        Review(
            root=project.root,
            findings=kept,
            held_back=tuple(held),
            files=sum(project.is_target(path) for path in found.loaded.app.modules),
            is_fastapi=found.loaded.app.is_fastapi,
            broken=_broken(project, found.loaded),
            skipped=_skipped(project, found.loaded),
            failures=found.failures,
            stale_baseline=stale,
            written_baseline=_baseline_path(project, options) if options.write_baseline else None,
            statistics=found.statistics,
            timings=(Timing("read and run", looked - started), Timing("compare", done - looked)),
        ),
        sources,
        options.fail_on or project.config.fail_on,
        mended(found.loaded.app, kept, found.fixes) if options.show_fixes else {},
    )


def load_project(
    project: Project,
    options: Options,
    given: Mapping[str, bytes] | None = None,
    folder: Path | None = None,
    reads: Reads | None = None,
) -> Loaded:
    """Return the linked application of a project, from the cache as far as it holds.

    ``folder`` is where the cache is, by default where the configuration says; ``reads`` holds what was read before.
    """
    where = folder or cache_folder(project)
    key = module_rules.cache_key(project.versions)
    return load(
        project,
        cache=Cache.open(where, key) if options.cache else Cache.none(),
        inspect=module_rules.inspect,
        jobs=options.jobs or project.config.jobs,
        sources=dict(given or {}),
        reads=reads,
    )


def cache_folder(project: Project) -> Path:
    """Return where the cache of a project is."""
    return project.root / (project.config.cache_dir or FOLDER)


# ---------------------------------------------------------------------- sources


def sources_of(project: Project, given: Mapping[str, bytes]) -> Sources:
    """Return the lines of the project's files, with ``given`` in place of what is on the disk."""
    on_disk = project.root
    return Sources(lambda file: given[file] if file in given else (on_disk / file).read_bytes())


# -------------------------------------------------------------------- the rules


def find(
    project: Project,
    options: Options,
    sources: Sources,
    given: Mapping[str, bytes],
    cache: Path | None = None,
    reads: Reads | None = None,
) -> Found:
    """Return what the selected rules say of the files that were asked about.

    ``given`` is read in place of what is on the disk; ``cache`` is where the cache is, by default where
    the configuration says; ``reads`` holds what was read before.
    """
    loaded = load_project(project, options, given, cache, reads)
    app = loaded.app
    chosen = _choose(project, options, app.modules)
    jobs = options.jobs or project.config.jobs or os.cpu_count() or 1
    ran = _Ran([], [], {}, {})
    if app.is_fastapi:
        anew = options.profile or options.show_fixes or options.edits
        ran = _run(project, loaded, chosen, 1 if options.profile else jobs, anew=anew)
    if app.is_fastapi and options.profile:
        ran.seconds.update(module_rules.costs(app.modules.values(), app.versions, chosen.rules()))
    findings = [
        finding
        for finding in sort_findings(ran.findings)
        if project.is_target(finding.place.file)
        and finding.rule in chosen.for_file(finding.place.file)
    ]
    comments = _comments(project, app) if app.is_fastapi else {}
    kept, hidden = suppress(findings, comments, sources, known_rules(), chosen)
    statistics = _statistics(chosen, findings, ran.seconds) if app.is_fastapi else ()
    failures = tuple(sorted(ran.failures, key=lambda failure: (failure.rule, failure.file or "")))
    return Found(loaded, chosen, sort_findings(kept), ran.fixes, hidden, failures, statistics)


def _choose(project: Project, options: Options, files: Iterable[str]) -> Chosen:
    config = project.config
    here = "pyproject.toml"
    said = [
        Selection(config.select or None, config.ignore, f"{here}: select and ignore"),
        Selection(options.select, options.ignore, "--select and --ignore"),
    ]
    paths = list(files) if config.per_path else []
    narrowed = [
        PathSelection(
            tuple(path for path in paths if matches(path, glob)),
            () if options.select is not None else settings.select,
            settings.ignore,
            f"{here}: per-path {glob!r}",
        )
        for glob, settings in config.per_path.items()
    ]
    return choose(known_rules(), said, narrowed)


def _run(project: Project, loaded: Loaded, chosen: Chosen, jobs: int, *, anew: bool) -> _Ran:
    """Run the chosen rules; one that raises becomes a failure."""
    wanted = chosen.rules()
    ran = _run_app_rules(project, loaded, wanted, jobs, anew=anew)
    for path, data in loaded.notes.items():
        for note in module_rules.read_notes(data):
            if note.rule in wanted:
                ran.add(rules()[note.rule], note.hits)
                if note.failure is not None:
                    ran.failures.append(RuleFailure(note.rule, note.failure, path))
    return ran


def _run_app_rules(
    project: Project, loaded: Loaded, wanted: frozenset[str], jobs: int, *, anew: bool
) -> _Ran:
    """Run the rules about the application, unless what they said last time still holds."""
    asked = [
        rule
        for rule in rules().values()
        if rule.name in wanted
        and rule.rule.app is not None
        and module_rules.applies(rule, loaded.app.versions)
    ]
    broken = [RuleFailure(name, failure) for name, failure in registry().failures.items()]
    ran = _Ran([], broken, {}, {})
    memory = Memory(loaded, project.config, [rule.name for rule in asked])
    recalled = said = None if anew else memory.recall()
    if said is None:
        answers = run_app_rules(loaded.app, asked, jobs)
        ran.seconds.update((answer.rule, answer.seconds) for answer in answers)
        ran.failures.extend(
            RuleFailure(a.rule, a.failure) for a in answers if a.failure is not None
        )
        said = {answer.rule: tuple(answer.hits) for answer in answers}
    if not ran.failures and (recalled is None or loaded.edited):
        memory.keep(said)
    for name, hits in said.items():
        ran.add(rules()[name], hits)
    return ran


def _finding(rule: RegisteredRule, hit: Hit) -> Finding:
    return Finding(
        rule=rule.name,
        family=rule.family,
        severity=rule.rule.severity,
        confidence=rule.rule.confidence,
        place=hit.place,
        message=hit.message,
        evidence=hit.evidence,
        fix=hit.fix.applicability if hit.fix is not None else None,
    )


def _comments(project: Project, app: App) -> dict[str, list[Suppression]]:
    return {
        path: module.header.suppressions
        for path, module in app.modules.items()
        if module.header.suppressions and project.is_target(path)
    }


def _statistics(
    chosen: Chosen, findings: list[Finding], seconds: Mapping[str, float]
) -> tuple[RuleStatistic, ...]:
    counted = Counter(finding.rule for finding in findings)
    names = sorted(chosen.rules() - {UNUSED_SUPPRESSION.name})
    return tuple(RuleStatistic(name, counted[name], seconds.get(name)) for name in names)


# ------------------------------------------------------------- what is left out


def _hold_back(
    found: Found, project: Project, options: Options, sources: Sources
) -> tuple[tuple[Finding, ...], list[HeldBack], int]:
    """Return the findings that remain, what was held back, and how many entries are stale."""
    kept, stale = found.findings, 0
    held: list[HeldBack] = []
    if found.suppressed:
        reason = "hidden by comments"
        held.append(HeldBack(reason, found.suppressed, "by removing `# fastwright: ignore`"))
    path = _baseline_path(project, options)
    if options.write_baseline:
        if path is None:
            raise FastwrightError(
                "--write-baseline needs a file", "Name it with --baseline or in pyproject.toml."
            )
        baseline.write(path, kept, sources)
    if path is not None:
        difference = baseline.hold_back(kept, sources, path)
        kept, stale = difference.new, difference.gone
        if difference.known:
            held.append(HeldBack("in the baseline", difference.known, "without --baseline"))
    if options.base is not None:
        difference = _since(project, options, options.base, kept, sources)
        kept = difference.new
        if difference.known:
            reason = f"older than {options.base}"
            held.append(HeldBack(reason, difference.known, "without --base"))
    return kept, held, stale


def _baseline_path(project: Project, options: Options) -> Path | None:
    if options.baseline is not None:
        return options.baseline
    given = project.config.baseline
    return project.root / given if given else None


def _since(
    project: Project,
    options: Options,
    revision: str,
    findings: tuple[Finding, ...],
    sources: Sources,
) -> fingerprint.Difference:
    """Return which findings a change brought in: those that the tree before it does not have."""
    with change.before(project.root, revision) as old:
        tree = Project(old.root, project.target, project.config)
        old_sources = Sources.below(old.root)
        before = find(tree, options, old_sources, {}, cache_folder(project) / "base")
        known = fingerprint.count(before.findings, old_sources)
    return fingerprint.subtract(findings, sources, change.follow(known, old.renamed))


# ------------------------------------------------------------ what was not read


def _broken(project: Project, loaded: Loaded) -> tuple[BrokenFile, ...]:
    return tuple(
        BrokenFile(path, tuple(module.header.broken))
        for path, module in sorted(loaded.app.modules.items())
        if module.header.broken and project.is_target(path)
    )


def _skipped(project: Project, loaded: Loaded) -> tuple[SkippedFile, ...]:
    found: Iterator[SkippedFile] = (
        SkippedFile(problem.path, problem.reason)
        for problem in loaded.problems
        if project.is_target(problem.path) or problem.path == "."
    )
    return tuple(found)
