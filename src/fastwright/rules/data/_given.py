"""Which rows a function gives as they are: all that it read, one item for each."""

from __future__ import annotations

from fastwright.app.model import App
from fastwright.app.origins import origins
from fastwright.app.symbols import Function
from fastwright.read import syntax as s

_RESULTS = frozenset({"all", "scalars", "unique"})


class SiftedError(Exception):
    """A function does not give the rows as they were read: why, and at which node."""

    def __init__(self, reason: str, node: s.Node) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node


def rows_given(app: App, function: Function) -> s.Expr:
    """Return the one call whose rows a function returns, each of them as one item.

    Raises SiftedError where it makes more of them, or less: a page of those is not a page of these.
    """
    returned = [node for node, _ in app.calls.of_kind(function, s.Return)]
    if len(returned) != 1 or returned[0].value is None or function.node.is_generator:
        raise SiftedError("several ways to return", function.node)
    node = returned[0].value
    while True:
        if isinstance(node, s.Await):
            node = node.value
        elif isinstance(node, s.Comp) and len(node.generators) == 1:
            generator = node.generators[0]
            if node.kind not in {"list", "generator"} or generator.ifs or generator.is_async:
                raise SiftedError("the rows are sifted after they were read", node)
            node = generator.iter
        elif isinstance(node, s.Name):
            node = _bound_once(app, function, node)
        elif isinstance(node, s.Call) and isinstance(node.func, s.Name) and _is_list(node):
            node = node.args[0]
        elif isinstance(node, s.Call) and _takes_rows(app, function, node):
            assert isinstance(node.func, s.Attribute)  # noqa: S101 - a method of a result
            node = node.func.value
        elif isinstance(node, s.Call):
            return node
        else:
            raise SiftedError("more than a list is made of the rows", node)


def _is_list(node: s.Call) -> bool:
    return s.last_name(node.func) == "list" and len(node.args) == 1 and not node.keywords


def _takes_rows(app: App, function: Function, node: s.Call) -> bool:
    """Whether a call takes the rows from a result: ``result.scalars().all()``."""
    if not isinstance(node.func, s.Attribute) or node.func.attr not in _RESULTS or node.args:
        return False
    site = origins(app).site(function, node)
    execution = origins(app).execution(function, node)
    return execution is None and site is not None and (site.external or "").startswith("Result.")


def _bound_once(app: App, function: Function, name: s.Name) -> s.Expr:
    """Return what a name stands for that is bound once, and read once."""
    named = [node for node, _ in app.calls.of_kind(function, s.Name) if node.id == name.id]
    bounds = app.types.locals.of(function).get(name.id, [])
    if len(named) != 2 or len(bounds) != 1 or bounds[0].how != "assign" or bounds[0].path:
        raise SiftedError(f"{name.id} is used for more than the answer", name)
    value = bounds[0].value
    if value is None:
        raise SiftedError(f"it is not known what {name.id} is", name)
    return value
