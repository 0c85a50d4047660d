"""Apply fixes to sources: all edits of a fix, or none; what is not touched stays byte for byte."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from fastwright.edit.fix import Edit, Fix
from fastwright.edit.imports import add_imports, prune_imports


class Applied(msgspec.Struct, frozen=True):
    """What came of applying fixes."""

    changed: dict[str, bytes]
    """The new source of each file that is another one now (UTF-8, no byte order mark)."""
    made: tuple[Fix, ...]
    left: tuple[Fix, ...]
    """Fixes that another one stood in the way of: they may be possible in a second run."""


def apply(
    sources: Mapping[str, bytes],
    fixes: Iterable[Fix],
    own: Collection[str] = (),
    relative: Mapping[str, str] = {},
) -> Applied:
    """Return sources with fixes made, in the order given; one that overlaps an earlier one is left.

    ``sources`` holds, by path, every file that an edit names. ``own`` are the names of the project's
    top-level packages, for the order of imports; ``relative`` the package of each file that imports
    its neighbours relatively.
    """
    taken: dict[str, dict[Edit, None]] = {}
    made: list[Fix] = []
    left: list[Fix] = []
    for fix in fixes:
        if any(_collides(taken.get(edit.file, {}), edit) for edit in fix.edits):
            left.append(fix)
            continue
        made.append(fix)
        for edit in fix.edits:
            taken.setdefault(edit.file, {})[edit] = None
    files = {*taken, *(needed.file for fix in made for needed in fix.imports)}
    changed = {}
    for file in sorted(files):
        wanted = [needed for fix in made for needed in fix.imports if needed.file == file]
        after = add_imports(
            edited(sources[file], taken.get(file, ())), wanted, own, relative.get(file)
        )
        is_module = file.endswith(".py") and not file.endswith("__init__.py")
        if is_module:  # in a package's, importing is offering
            after = prune_imports(sources[file], after)
        if after != sources[file]:
            changed[file] = after
    return Applied(changed, tuple(made), tuple(left))


def edited(source: bytes, edits: Iterable[Edit]) -> bytes:
    """Return a source with edits made that do not overlap; insertions at one place in their order."""
    parts: list[bytes] = []
    done = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += (source[done : edit.start], edit.text.encode())
        done = edit.end
    return b"".join([*parts, source[done:]])


def _collides(taken: Iterable[Edit], edit: Edit) -> bool:
    """Whether an edit cannot be made beside others: the same one twice can, it is made once."""
    return any(other != edit and _overlap(other, edit) for other in taken)


def _overlap(one: Edit, other: Edit) -> bool:
    if one.start == one.end or other.start == other.end:  # an insertion: only inside of the other
        return one.start < other.start < one.end or other.start < one.start < other.end
    return one.start < other.end and other.start < one.end
