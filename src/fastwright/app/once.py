"""What is done once and kept: ``if self.store is None: self.store = open_store()``."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.read import syntax as s


def is_kept(site: CallSite) -> bool:
    """Whether what a call gives is kept, so that later requests do not wait for it.

    ``if x is None: x = load()``, ``if x is not None: return x``, or ``if self.x is None:
    self.open()`` where ``open`` sets it.
    """
    absent = [(name, branch) for branch in site.around.branches for name in _missing(branch.test)]
    if any(name in _bound(branch.body) or _sets(site, name) for name, branch in absent):
        return True
    body = site.caller.node.body
    returned = {
        name
        for node in body
        if isinstance(node, s.If) and node.start < site.node.start
        for branch in node.branches
        if any(isinstance(inner, s.Return) for inner in branch.body)
        for name in _present(branch.test)
        if "." in name or name.startswith("_") or name.isupper()
    }
    return bool(returned) and not returned.isdisjoint(_bound(body))


def is_read_when_changed(site: CallSite) -> bool:
    """``if seen != _seen: ...; _seen = seen``: what is read again only when it is another than before."""
    for branch in site.around.branches:
        test = branch.test
        if not isinstance(test, s.Compare) or test.ops != ["!="]:
            continue
        pair = {s.dotted(test.left), s.dotted(test.comparators[0])}
        for target, value in _assigned(branch.body):
            if {target, value} == pair and (
                target.startswith(("_", "self.", "cls.")) or target.isupper()
            ):
                return True
    return False


def _assigned(body: list[s.Stmt]) -> Iterator[tuple[str, str]]:
    """Yield what is assigned from one name to another, tuples taken apart."""
    for node in s.statements(body):
        if not isinstance(node, s.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, s.Tuple) and isinstance(node.value, s.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for left, right in pairs:
                to, given = s.dotted(left), s.dotted(right)
                if to and given:
                    yield to, given


def _sets(site: CallSite, name: str) -> bool:
    """Whether a method that is called on ``self`` sets the attribute ``name`` of it."""
    func = site.node.func
    if not name.startswith("self.") or not isinstance(func, s.Attribute):
        return False
    return s.dotted(func.value) == "self" and any(
        name in _bound(target.node.body) for target in site.targets
    )


def _present(test: s.Expr) -> Iterator[str]:
    """Yield the names that a condition finds to hold something."""
    if isinstance(test, s.Compare) and test.ops == ["is not"]:
        right = test.comparators[0]
        if isinstance(right, s.Constant) and right.kind == "none":
            yield s.dotted(test.left) or ""
    elif isinstance(test, (s.Name, s.Attribute)):
        yield s.dotted(test) or ""
    elif isinstance(test, s.BoolOp) and test.op == "and":
        for value in test.values:
            yield from _present(value)


def _missing(test: s.Expr) -> Iterator[str]:
    """Yield the names that a condition finds to be None or empty."""
    if isinstance(test, s.Compare) and test.ops == ["is"]:
        right = test.comparators[0]
        if isinstance(right, s.Constant) and right.kind == "none":
            yield s.dotted(test.left) or ""
    elif isinstance(test, s.UnaryOp) and test.op == "not":
        yield s.dotted(test.operand) or ""
    elif isinstance(test, s.BoolOp) and test.op == "or":
        for value in test.values:
            yield from _missing(value)


def _bound(body: list[s.Stmt]) -> set[str]:
    """Return the names outside of the function, or attributes, that statements assign."""
    found: set[str] = set()
    for node in s.statements(body):
        if isinstance(node, s.Assign):
            found.update(filter(None, (s.dotted(target) for target in node.targets)))
    return {name for name in found if "." in name or name.startswith("_") or name.isupper()}
