"""What catches exceptions between a raise in business code and the answer to the request."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from fastwright.app.model import App
from fastwright.app.raises import HTTP_EXCEPTION, Raised
from fastwright.app.symbols import Function
from fastwright.read import syntax as s

_EVERYTHING = frozenset({"builtins.Exception", "builtins.BaseException"})
_MANAGERS = frozenset({"contextmanager", "asynccontextmanager"})


@dataclass
class Way:
    """What catches exceptions between a raise and the endpoint."""

    app: App
    lets_pass: dict[int, tuple[Function, s.ExceptHandler]] = field(default_factory=dict)
    """Handlers that raise HTTPException again: they have to let the new exceptions pass."""
    _callers: dict[int, list[tuple[Function, tuple[s.Try, ...]]]] = field(default_factory=dict)
    _told: list[tuple[Function, tuple[s.Try, ...]]] = field(default_factory=list)
    """Dependencies and context managers, with what they do about what is raised where they yield."""

    def __post_init__(self) -> None:
        roots = {id(function.node) for function in self.app.request_roots}
        for step in self.app.reached:
            function = step.function
            for site in self.app.calls.sites(function):
                for target in site.targets:
                    found = self._callers.setdefault(id(target.node), [])
                    found.append((function, site.around.tries))
            enters = not function.decorator_names.isdisjoint(_MANAGERS)
            is_dependency = id(function.node) in roots and not self.app.routes_for(function)
            if function.node.is_generator and (enters or is_dependency):
                for _, around in self.app.calls.of_kind(function, s.Yield):
                    self._told.append((function, around.tries))

    def stop(self, raised: Raised) -> str | None:
        """Return what would treat another exception otherwise, None where nothing does."""
        for function, tries in self._told:  # what calls those is told nothing
            reason = self._all_caught(function, tries)
            if reason is not None:
                return reason
        seen: set[int] = set()
        waiting = [(raised.function, raised.around.tries)]
        while waiting:
            function, tries = waiting.pop()
            if any(route.kind == "websocket" for route in self.app.routes_for(function)):
                return f"{function.qualname} serves a WebSocket"
            reason = self._all_caught(function, tries)
            if reason is not None:
                return reason
            if id(function.node) not in seen:
                seen.add(id(function.node))
                waiting += self._callers.get(id(function.node), ())
        return None

    def _all_caught(self, function: Function, tries: tuple[s.Try, ...]) -> str | None:
        reasons = (self._caught(function, tried) for tried in tries)
        return next((reason for reason in reasons if reason is not None), None)

    def _caught(self, function: Function, tried: s.Try) -> str | None:
        for handler in tried.handlers:
            line = f"{function.module.path}:{function.module.line(handler)}"
            if self._names(function, handler.type, frozenset({HTTP_EXCEPTION})):
                if not _only_raises(handler):
                    return f"{line} catches HTTPException and does more than raise it"
                self.lets_pass[id(handler)] = (function, handler)
                return None
            if self._names(function, handler.type, _EVERYTHING):
                return f"{line} catches everything and looks into it" if looks(handler) else None
        return None

    def _names(self, function: Function, node: s.Expr | None, wanted: frozenset[str]) -> bool:
        kinds = node.elts if isinstance(node, s.Tuple) else [node] if node is not None else []
        external = self.app.linker.external
        return any(external(kind, function.module, function) in wanted for kind in kinds)


def looks(handler: s.ExceptHandler) -> bool:
    """Whether a handler uses the exception for more than to name it as a cause."""
    causes = {id(node.cause) for node in s.walk(*handler.body) if isinstance(node, s.Raise)}
    return handler.name is not None and any(
        isinstance(node, s.Name) and node.id == handler.name and id(node) not in causes
        for node in s.walk(*handler.body)
    )


def _only_raises(handler: s.ExceptHandler) -> bool:
    """``except HTTPException: session.rollback(); raise``: what it is, makes no difference."""
    last = handler.body[-1]
    return isinstance(last, s.Raise) and last.exc is None and not looks(handler)


def only_new(
    app: App, function: Function, handler: s.ExceptHandler, changed: Collection[int]
) -> bool:
    """Whether every HTTPException that comes to a handler is one of the new errors now: all that is called is known."""

    def is_inside(tries: tuple[s.Try, ...]) -> bool:
        return any(each is handler for tried in tries for each in tried.handlers)

    yields = app.calls.of_kind(function, s.Yield)
    if any(is_inside(around.tries) for _, around in yields):
        return False  # what the endpoint raises comes here as well
    sites = [site for site in app.calls.sites(function) if is_inside(site.around.tries)]
    raises = [raised for raised in app.raises.of(function) if is_inside(raised.around.tries)]
    for step in app.calls.reach(target for site in sites for target in site.targets):
        sites += app.calls.sites(step.function)
        raises += app.raises.of(step.function)
    return all(site.targets or site.external for site in sites) and all(
        id(raised.node) in changed for raised in raises if app.raises.is_http(raised.cls)
    )
