"""A dependency that is used often has a name.

`Annotated[Session, Depends(get_session)]` repeated at every endpoint is noise, and when the
dependency changes, every signature changes with it. `SessionDep = Annotated[Session,
Depends(get_session)]` is written once; editors and type checkers see through it. FastAPI's
documentation recommends it under "Share Annotated dependencies".

Reported once for each dependency that parameters write out three times or more with the same type
and the same arguments, at the first of them. Where an alias for it exists, the message names it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, External, Function, Variable
from fastwright.edit.builders import insert_before, replace
from fastwright.edit.fix import Edit, Fix, Import
from fastwright.edit.names import bring, is_taken
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_OFTEN = 3
_SHOWN = 5
_MARKERS = frozenset({"fastapi.Depends", "fastapi.Security"})


class _Use(msgspec.Struct, frozen=True, eq=False):
    """One ``Annotated[T, Depends(f)]``. Two with the same ``key`` mean the same."""

    key: tuple[object, ...]
    written: str
    module: Module
    node: s.Expr
    type_name: str
    """The last name of the type, for an alias."""


def check(app: App) -> Iterator[Hit]:
    """Report dependencies that are written out again and again."""
    uses: dict[tuple[object, ...], list[_Use]] = {}
    for module in app.web_modules:
        for function in app.every_function(module):
            where = Where(module, function.outer)
            for parameter in function.node.params:
                use = _use(app, parameter.annotation, where)
                if use is not None:
                    uses.setdefault(use.key, []).append(use)
    often = [found for found in uses.values() if len(found) >= _OFTEN]
    aliases = _aliases(app) if often else {}
    for found in often:
        found.sort(key=lambda use: (use.module.path, use.node.start))
        first = found[0]
        files = len({use.module.path for use in found})
        spread = f" in {files} files" if files > 1 else ""
        alias = aliases.get(first.key)
        better = (
            f"{alias.name} of {alias.module.name} is an alias for it"
            if alias is not None
            else "give it a name once and use that"
        )
        message = f"{first.written} is written {len(found)} times{spread}: {better}"
        others = tuple(evidence(u.module, u.node, "again") for u in found[1 : _SHOWN + 1])
        fix = _named(found, alias)
        yield Hit(place(first.module, first.node), message, others, fix)


def _named(uses: list[_Use], alias: Variable | None) -> Fix | None:
    """Return the fix that writes a name for each use: of the alias, or of one that is made.

    An alias is made where all uses stand in one file, before the first of them.
    """
    first = uses[0]
    if alias is not None:
        return _by_alias(uses, alias)
    if any(use.module is not first.module for use in uses):
        return None
    name = f"{first.type_name}Dep"
    holder = next((x for x in first.module.facts.body if x.start <= first.node.start < x.end), None)
    if not first.type_name[:1].isupper() or is_taken(first.module, name) or holder is None:
        return None
    lines = f"{name} = {text(first.module, first.node)}\n\n\n"
    if "\n" in lines.rstrip():
        return None
    made = insert_before(first.module, holder, lines)
    return Fix("safe", (made, *(replace(u.module, u.node, name) for u in uses)))


def _by_alias(uses: list[_Use], alias: Variable) -> Fix | None:
    edits: list[Edit] = []
    imports: set[Import] = set()
    for use in uses:
        if use.module is alias.module:
            if alias.value is None or use.node.start < alias.value.start:
                return None  # the name is bound further down
            edits.append(replace(use.module, use.node, alias.name))
            continue
        if any(fact.module == use.module.name for fact in alias.module.header.imports):
            return None  # would be an import cycle
        brought = bring(use.module, alias.module.name, alias.name)
        if brought is None:
            return None
        edits.append(replace(use.module, use.node, brought.name))
        imports.update(brought.imports)
    return Fix("safe", tuple(edits), tuple(sorted(imports)))


def _aliases(app: App) -> dict[tuple[object, ...], Variable]:
    """Return the named ``Annotated[...]`` of the application by what they mean."""
    found: dict[tuple[object, ...], Variable] = {}
    for module in app.web_modules:
        for binding in app.linker.scope(module).names.values():
            if isinstance(binding, Variable) and not binding.name.startswith("_"):
                use = _use(app, binding.value, Where(module))
                if use is not None:
                    found.setdefault(use.key, binding)
    return found


def _use(app: App, node: s.Expr | None, where: Where) -> _Use | None:
    if not isinstance(node, s.Subscript) or not isinstance(node.slice, s.Tuple):
        return None
    if len(node.slice.elts) != 2:
        return None
    if app.linker.external(node.value, where.module, where.function) != "typing.Annotated":
        return None
    type_, marker = node.slice.elts
    if not isinstance(marker, s.Call):
        return None
    name = app.linker.external(marker.func, where.module, where.function)
    type_text, marker_text = _text(type_), _text(marker)
    if name not in _MARKERS or type_text is None or marker_text is None:
        return None
    given = marker.argument(0, "dependency")
    called = given.func if isinstance(given, s.Call) else given
    provider = _identity(app, called or type_, where)
    if provider is None:
        return None
    rest = [_text(arg) for arg in marker.args[1:]]
    rest += [f"{k.arg}={_text(k.value)}" for k in marker.keywords if k.value is not given]
    arguments = _arguments(given) if isinstance(given, s.Call) else None
    if isinstance(given, s.Call) and arguments is None:
        return None
    key = (name, provider, arguments, type_text, *rest)
    written = f"Annotated[{type_text}, {marker_text}]"
    return _Use(key, written, where.module, node, s.last_name(type_) or "")


def _identity(app: App, node: s.Expr, where: Where) -> object | None:
    """Return what tells a provider from all others; None if it is not known."""
    symbol = app.linker.expression(node, where.module, where.function)
    if isinstance(symbol, (Function, Class)):
        return id(symbol.node)
    if isinstance(symbol, External):
        return symbol.name
    if isinstance(symbol, Variable):
        return (symbol.module.path, symbol.name)
    return None


def _arguments(call: s.Call) -> str | None:
    """Return the arguments of a factory where they are literals: the same each time."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    if not all(isinstance(value, s.Constant) for value in values):
        return None
    return _text(call)


def _text(node: s.Expr | None) -> str | None:
    """Return an expression as it is written; None for what is too long to compare."""
    match node:
        case s.Name() | s.Attribute():
            return s.dotted(node)
        case s.Constant(kind="none"):
            return "None"
        case s.Constant(kind="ellipsis"):
            return "..."
        case s.Constant(kind="str"):
            return f'"{node.value}"'
        case s.Constant():
            return str(node.value)
        case s.Subscript():
            return _joined("{}[{}]", [node.value, node.slice])
        case s.BinOp(op="|"):
            return _joined("{} | {}", [node.left, node.right])
        case s.Tuple():
            return _joined(", ".join("{}" for _ in node.elts), node.elts)
        case s.List():
            return _joined(f"[{', '.join('{}' for _ in node.elts)}]", node.elts)
        case s.Call():
            parts = ["{}" for _ in node.args]
            parts += [f"{k.arg}={{}}" if k.arg else "**{}" for k in node.keywords]
            values = [node.func, *node.args, *(k.value for k in node.keywords)]
            return _joined("{}" + f"({', '.join(parts)})", values)
        case _:
            return None


def _joined(form: str, nodes: list[s.Expr]) -> str | None:
    texts = [_text(node) for node in nodes]
    return form.format(*texts) if None not in texts else None


RULE = Rule(
    summary="the same Annotated dependency written out again and again",
    severity="info",
    mend="Name it once, beside the dependency: `SessionDep = Annotated[Session,"
    " Depends(get_session)]`, and annotate parameters with the name.",
    app=check,
    since={"fastapi": "0.95"},
    references=(
        "https://fastapi.tiangolo.com/tutorial/dependencies/#share-annotated-dependencies",
    ),
)

CASES = (
    Case(
        "in two files, imported under two names",
        {
            "deps.py": """
            def get_db(): ...
            def require(role): ...
            """,
            "a.py": """
            from typing import Annotated
            from fastapi import APIRouter, Depends, Security
            from deps import get_db, require

            router = APIRouter()

            @router.get("/a")
            def a(
                db: Annotated[dict, Depends(get_db)],  # <-
                who: Annotated[str, Security(require("admin"), scopes=["a"])],  # <-
            ) -> None: ...

            @router.get("/b")
            def b(
                db: Annotated[dict, Depends(get_db)],
                who: Annotated[str, Security(require("admin"), scopes=["a"])],
            ) -> None: ...

            @router.get("/d")
            def d(who: Annotated[str, Security(require("admin"), scopes=["a"])]) -> None: ...
            """,
            "b.py": """
            from typing import Annotated
            from fastapi import APIRouter, Depends
            import deps

            router = APIRouter()

            @router.get("/c")
            def c(db: Annotated[dict, Depends(deps.get_db)]) -> None: ...
            """,
        },
    ),
    case(
        "an alias, and what is not the same",
        """
        from typing import Annotated
        from fastapi import Depends, FastAPI, Query

        app = FastAPI()

        def get_db(): ...
        def get_user(): ...
        def require(role): ...

        Db = Annotated[dict, Depends(get_db)]
        ROLE = "x"

        @app.get("/a")
        def a(
            db: Db,
            user: Annotated[str, Depends(get_user)],
            x: Annotated[str, Depends(require("a"))],
            q: Annotated[str, Query()],
        ) -> None: ...

        @app.get("/b")
        def b(
            db: Db,
            user: Annotated[str, Depends(get_user)],
            x: Annotated[str, Depends(require("b"))],
            q: Annotated[str, Query()],
        ) -> None: ...

        @app.get("/c")
        def c(
            db: Db,
            user: Annotated[str, Depends(get_user, use_cache=False)],
            x: Annotated[str, Depends(require("c"))],
            q: Annotated[str, Query()],
        ) -> None: ...
        """,
    ),
    case(
        "a name that is made, where all uses stand in one file",
        """
        from typing import Annotated
        from fastapi import Depends, FastAPI

        app = FastAPI()

        class Session: ...
        def get_session(): ...

        @app.get("/a")
        def a(session: Annotated[Session, Depends(get_session)]) -> None: ...  # <-

        @app.get("/b")
        def b(session: Annotated[Session, Depends(get_session)]) -> None: ...

        @app.get("/c")
        def c(session: Annotated[Session, Depends(get_session)]) -> None: ...
        """,
        after="""
        from typing import Annotated
        from fastapi import Depends, FastAPI

        app = FastAPI()

        class Session: ...
        def get_session(): ...

        SessionDep = Annotated[Session, Depends(get_session)]


        @app.get("/a")
        def a(session: SessionDep) -> None: ...

        @app.get("/b")
        def b(session: SessionDep) -> None: ...

        @app.get("/c")
        def c(session: SessionDep) -> None: ...
        """,
    ),
    Case(
        "a name that is there",
        {
            "shop/deps.py": """
            from typing import Annotated
            from fastapi import Depends

            class Session: ...
            def get_session(): ...

            SessionDep = Annotated[Session, Depends(get_session)]
            """,
            "shop/main.py": """
            from typing import Annotated

            from fastapi import Depends, FastAPI
            from shop.deps import Session, get_session

            app = FastAPI()

            @app.get("/a")
            def a(session: Annotated[Session, Depends(get_session)]) -> None: ...  # <-

            @app.get("/b")
            def b(session: Annotated[Session, Depends(get_session)]) -> None: ...

            @app.get("/c")
            def c(session: Annotated[Session, Depends(get_session)]) -> None: ...
            """,
        },
        after={
            "shop/main.py": """
            from fastapi import FastAPI
            from shop.deps import SessionDep

            app = FastAPI()

            @app.get("/a")
            def a(session: SessionDep) -> None: ...

            @app.get("/b")
            def b(session: SessionDep) -> None: ...

            @app.get("/c")
            def c(session: SessionDep) -> None: ...
            """,
        },
    ),
)
