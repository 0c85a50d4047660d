"""Changes that rules know how to make, one proposal for each rule."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from fastwright.app.model import App
from fastwright.edit.fix import Applicability, Edit, Fix, Import
from fastwright.recipes.recipe import Planned, Proposal, Stopped, Target
from fastwright.rules.finding import Hit
from fastwright.rules.registry import rules


def planned_by(
    app: App,
    target: Target,
    names: Iterable[str],
    kinds: frozenset[Applicability],
    covered: Collection[str] = (),
) -> Iterator[Planned]:
    """Yield, for each rule, its fixes together, and what it reports and cannot mend.

    ``covered``: places (``file:line``) that another proposal sees to.
    """
    for name in names:
        hits = [
            hit
            for hit in hits_of(app, name)
            if _is_asked(hit, target) and f"{hit.place.file}:{hit.place.line}" not in covered
        ]
        mended = [(hit, hit.fix) for hit in hits if hit.fix and hit.fix.applicability in kinds]
        for hit in hits:
            if hit.fix is None or hit.fix.applicability not in kinds:
                yield Stopped(f"{hit.place.file}:{hit.place.line}", hit.message)
        if mended:
            yield _together(name, mended)


def hits_of(app: App, name: str) -> Iterator[Hit]:
    """Yield what a rule finds in an application."""
    rule = rules()[name].rule
    if rule.app is not None:
        yield from rule.app(app)
    elif rule.module is not None:
        for module in app.sources:
            yield from rule.module(module, app.versions)


def _is_asked(hit: Hit, target: Target) -> bool:
    return target.holds(hit.place.file, hit.place.function)


def _together(name: str, mended: list[tuple[Hit, Fix]]) -> Proposal:
    """Return fixes as one proposal; those that stand in the way of earlier ones come next time."""
    edits: dict[Edit, None] = {}
    imports: dict[Import, None] = {}
    places = []
    for hit, fix in mended:
        if any(_overlap(edit, other) for edit in fix.edits for other in edits if edit != other):
            continue
        edits.update(dict.fromkeys(fix.edits))
        imports.update(dict.fromkeys(fix.imports))
        places.append(f"{hit.place.file}:{hit.place.line}")
    title = f"{rules()[name].rule.summary}: {', '.join(places)}"
    return Proposal(title, tuple(edits), tuple(imports), places=tuple(places))


def _overlap(one: Edit, other: Edit) -> bool:
    if one.file != other.file:
        return False
    return max(one.start, other.start) < min(one.end, other.end)
