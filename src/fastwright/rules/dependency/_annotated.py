"""The fix of ``unannotated-dependency``: markers moved from default values into ``Annotated``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fastwright.app.canonical import canonical
from fastwright.app.dependencies import MARKERS
from fastwright.edit import source as at
from fastwright.edit.builders import delete_argument
from fastwright.edit.fix import Edit, Fix, Import
from fastwright.edit.names import Brought, bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module

_ROUTES = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "trace", "api_route", "websocket"}
)
_DEPENDING = frozenset({"Depends", "Security"})


_MARKERS = frozenset(MARKERS) | {"fastapi.Depends", "fastapi.Security"}


class _Written(NamedTuple):
    """A parameter as it is to be written."""

    text: str
    has_default: bool
    imports: tuple[Import, ...] = ()


def is_marker(module: Module, default: s.Expr | None) -> bool:
    """Whether a default value is a marker of FastAPI, and of nobody else.

    ``Depends(Provide[Container.orders])`` is one of dependency-injector as well.
    """
    if not isinstance(default, s.Call):
        return False
    written = module.qualify(default.func)
    if written is None or canonical(written) not in _MARKERS:
        return False
    return not any(
        isinstance(given, s.Subscript)
        and (module.qualify(given.value) or "").startswith("dependency_injector.")
        for given in (*default.args, *(keyword.value for keyword in default.keywords))
    )


def annotate(
    module: Module,
    function: s.FunctionDef,
    is_marker: Callable[[s.Expr | None], bool],
    *,
    may_move: bool = False,
    typed: Callable[[s.Parameter], Brought | None] = lambda _: None,
) -> Fix | str:
    """Return the fix for a signature, or a sentence that says why there is none.

    ``may_move``: it is known that nobody calls the function by position. ``typed`` gives the type of a
    parameter that says none.

    It is safe for endpoints, which FastAPI calls by keyword. Who else calls a dependency or a class
    is not known from one file, and would have to give what was the marker: a suggestion.
    """
    annotated = bring(module, "typing", "Annotated")
    if annotated is None:
        return "Annotated is the name of something else"
    written: list[_Written] = []
    for parameter in function.params:
        if is_marker(parameter.default):
            new = _annotated(module, parameter, annotated.name, typed)
            if isinstance(new, str):
                return new
            written.append(new)
        else:
            written.append(_Written(text(module, parameter), parameter.default is not None))
    is_endpoint = any(_is_route(decorator) for decorator in function.decorators)
    edits = _edits(module, function, written, may_move=is_endpoint or may_move)
    if isinstance(edits, str):
        return edits
    imports = tuple(needed for each in written for needed in each.imports)
    return Fix("safe" if is_endpoint else "suggest", edits, (*annotated.imports, *imports))


def _is_route(decorator: s.Expr) -> bool:
    return (
        isinstance(decorator, s.Call)
        and isinstance(decorator.func, s.Attribute)
        and decorator.func.attr in _ROUTES
    )


def _annotated(
    module: Module,
    parameter: s.Parameter,
    annotated: str,
    typed: Callable[[s.Parameter], Brought | None],
) -> _Written | str:
    """Return ``name: Annotated[T, marker] = default`` for ``name: T = marker(default)``."""
    marker, declared = parameter.default, parameter.annotation
    brought = typed(parameter) if declared is None else None
    if not isinstance(marker, s.Call) or (declared is None and brought is None):
        return f"{parameter.name} has no type"
    if isinstance(declared, s.Constant):
        return f"the type of {parameter.name} stands in quotes"
    if isinstance(declared, s.Subscript) and s.last_name(declared.value) == "Annotated":
        return (
            f"{parameter.name} is declared with Annotated and has a marker as its default as well"
        )
    if any(isinstance(argument, s.Starred) for argument in marker.args) or any(
        keyword.arg is None for keyword in marker.keywords
    ):
        return f"the arguments of the marker of {parameter.name} are not written out"
    shown, default = text(module, marker), None
    if s.last_name(marker.func) not in _DEPENDING:
        given = marker.argument(0, "default")
        if given is not None:
            shown = _without(module, marker, given)
            default = None if _is_required(given) else text(module, given)
    kind = brought.name if brought is not None else ""
    kind = text(module, declared) if declared is not None else kind
    new = f"{parameter.name}: {annotated}[{kind}, {shown}]"
    imports = brought.imports if brought is not None else ()
    return _Written(new if default is None else f"{new} = {default}", default is not None, imports)


def _is_required(given: s.Expr) -> bool:
    """``...`` and Pydantic's own sign for it."""
    if isinstance(given, s.Constant) and given.kind == "ellipsis":
        return True
    return s.last_name(given) in {"Required", "Undefined", "PydanticUndefined"}


def _without(module: Module, marker: s.Call, given: s.Expr) -> str:
    argument = next((keyword for keyword in marker.keywords if keyword.value is given), given)
    gone = delete_argument(module, marker, argument)
    source = module.source
    return (source[marker.start : gone.start] + source[gone.end : marker.end]).decode()


def _edits(
    module: Module, function: s.FunctionDef, written: Sequence[_Written], *, may_move: bool
) -> tuple[Edit, ...] | str:
    plain = [n for n, p in enumerate(function.params) if p.kind in {"plain", "positional"}]
    order = [written[n].has_default for n in plain]
    if order == sorted(order):
        return tuple(
            Edit(module.path, parameter.start, parameter.end, new.text)
            for parameter, new in zip(function.params, written, strict=True)
            if new.text != text(module, parameter)
        )
    moved_name = next(
        function.params[n].name
        for place, n in enumerate(plain)
        if not order[place] and any(order[:place])
    )
    why = f"{moved_name} has no default any more and would move before others"
    positional = any(function.params[n].kind == "positional" for n in plain)
    if not may_move or positional or _is_called(module, function):
        return f"{why}, and {function.name} may be called by position"
    first, last = function.params[plain[0]], function.params[plain[-1]]
    if b"#" in module.source[first.start : last.end]:
        return f"{why}, and comments stand between them"
    sorted_texts = [
        written[n].text for n in sorted(plain, key=lambda n: (written[n].has_default, n))
    ]
    moved = _separator(module, function, plain).join(sorted_texts)
    rest = [
        Edit(module.path, function.params[n].start, function.params[n].end, written[n].text)
        for n in range(len(written))
        if n not in plain and written[n].text != text(module, function.params[n])
    ]
    return (Edit(module.path, first.start, last.end, moved), *rest)


def _separator(module: Module, function: s.FunctionDef, plain: list[int]) -> str:
    """Return what stands between two parameters: a comma, and a new line where there was one."""
    first, second = function.params[plain[0]], function.params[plain[1]]
    if at.line_start(module.source, first.start) == at.line_start(module.source, second.start):
        return ", "
    return "," + at.newline(module.source) + at.indentation(module.source, second.start)


def _is_called(module: Module, function: s.FunctionDef) -> bool:
    """Whether the file calls the function with arguments by position."""
    if module.source.count(function.name.encode() + b"(") < 2:  # its own def is one
        return False
    return any(
        isinstance(node, s.Call) and s.last_name(node.func) == function.name and node.args
        for node in module.walk()
    )
