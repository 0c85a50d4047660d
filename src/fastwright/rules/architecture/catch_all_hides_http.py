"""`except Exception` around code that raises HTTPException turns a 404 into a 500.

`HTTPException` is an `Exception`. A `try` whose body, or what it calls, says 404 or 403, with an
`except Exception` that raises another status or answers something else, hides that answer from
the client. Let it through first: `except HTTPException: raise`.

Reported only where the body is seen to raise an HTTPException of another status than the handler
gives, and the handler answers without a condition, neither re-raises nor looks at what it caught.
Handlers that give the caught exception to a function are trusted to do so. A function's refusal
that goes on as another 4xx with its text is not reported: the client still learns the reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.raises import Raised, status_code
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.edit import source as at
from fastwright.edit.builders import insert_before
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.architecture._http import Escaping, inside, runs_inline, tries_within
from fastwright.rules.evidence import evidence, of_calls, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_BAD_REQUEST = 400
_SERVER_ERROR = 500
_FAR = 3
"""Beyond so many calls, what was checked on the way is anybody's guess."""


def check(app: App) -> Iterator[Hit]:
    """Report each handler that replaces an HTTPException of its ``try`` by something else."""
    escaping = Escaping(app)
    for step in app.reached:
        function = step.function
        if not function.node.called:
            continue
        for node, _ in app.calls.of_kind(function, s.Try):
            yield from _of_try(app, escaping, function, node)


def _of_try(app: App, escaping: Escaping, function: Function, node: s.Try) -> Iterator[Hit]:
    handler = _catch_all(app, function, node)
    if handler is None or _lets_through(handler):
        return
    answer = _answer(app, function, handler)
    if answer is None:
        return
    where = Where(function.module, function)
    replacement, status = answer
    passes_on = status < _SERVER_ERROR and _shows(handler)
    hidden = [
        (raised, chain)
        for raised, chain in _raised_inside(app, escaping, function, node)
        if raised.status is not None
        and raised.status != status
        and _matters(raised.status, chain)
        and not (chain and passes_on)
    ]
    if not hidden:
        return
    raised, chain = hidden[0]
    routes = app.routes_for(function)
    first = of_route(routes[0]) if routes else ()
    via = f" from {chain[-1].targets[0].qualname}" if chain else ""
    message = (
        f"except {'Exception' if handler.type is not None else '(bare)'} turns the"
        f" {raised.name}({raised.status}){via} into {replacement}"
    )
    proof = (
        *first,
        *of_calls(chain),
        evidence(raised.function.module, raised.node, f"raise {raised.name}({raised.status})"),
        evidence(where.module, handler, replacement),
    )
    fix = _fix(app, function.module, handler, [raised for raised, _ in hidden])
    yield Hit(place(function.module, _header(handler)), message, proof, fix)


def _fix(app: App, module: Module, handler: s.ExceptHandler, hidden: list[Raised]) -> Fix | None:
    """Return the fix that lets HTTPExceptions through, where the handler does nothing but answer."""
    if not all(map(_only_says, handler.body)) or at.starts_with(module, handler, "except*"):
        return None
    of_starlette = any(_is_starlettes(app, raised) for raised in hidden)
    name = bring(module, "starlette.exceptions" if of_starlette else "fastapi", "HTTPException")
    if name is None or not at.is_first(module.source, handler.start):
        return None
    lines = f"except {name.name}:\n{at.step(module)}raise"
    return Fix("safe", (insert_before(module, handler, lines),), name.imports)


def _only_says(statement: s.Stmt) -> bool:
    """Whether a statement of a handler logs, answers, or makes the text of the answer."""
    if isinstance(statement, s.ExprStmt):
        return isinstance(statement.value, s.Call) and _only_shows(statement.value)
    if isinstance(statement, s.Assign):
        return all(isinstance(target, s.Name) for target in statement.targets)
    return isinstance(statement, (s.Raise, s.Return))


def _is_starlettes(app: App, raised: Raised) -> bool:
    """Whether an exception is one of Starlette, which is no ``fastapi.HTTPException``."""
    if isinstance(raised.cls, Class):
        return any(
            (ancestor.module.qualify(base) or "").startswith("starlette.")
            for ancestor in app.linker.mro(raised.cls)
            if isinstance(ancestor, Class)
            for base in ancestor.node.bases
        )
    made = raised.node.exc.func if isinstance(raised.node.exc, s.Call) else raised.node.exc
    return (raised.function.module.qualify(made) or "").startswith("starlette.")


def _matters(status: int, chain: tuple[CallSite, ...]) -> bool:
    """Whether hiding a status hides an answer.

    A 400 from a function below often only checks arguments that this caller gives rightly.
    """
    if status >= _SERVER_ERROR or len(chain) > _FAR:
        return False
    return not chain or status != _BAD_REQUEST


def _shows(handler: s.ExceptHandler) -> bool:
    """Whether the answer holds the text of what was caught: the client still learns the reason."""
    for node in handler.body:
        given = node.exc if isinstance(node, s.Raise) else None
        given = node.value if isinstance(node, s.Return) else given
        if given is not None and any(_is_name(inner, handler.name) for inner in s.walk(given)):
            return True
    return False


def _header(handler: s.ExceptHandler) -> s.Node:
    """The line of the ``except``, without its body."""
    end = handler.type.end if handler.type is not None else handler.start + len("except")
    return s.Name(handler.start, end, "except")


def _catch_all(app: App, function: Function, node: s.Try) -> s.ExceptHandler | None:
    """Return the handler that an HTTPException ends up in, if that is a catch-all."""
    where = Where(function.module, function)
    for handler in node.handlers:
        if handler.type is None:
            return handler
        kinds = handler.type.elts if isinstance(handler.type, s.Tuple) else [handler.type]
        names = {app.linker.external(kind, where.module, function) for kind in kinds}
        if names & {"builtins.Exception", "builtins.BaseException"}:
            return handler
        if app.raises.caught("fastapi.HTTPException", (_only(node, handler),), where):
            return None
        if any(s.last_name(kind) and "HTTP" in (s.last_name(kind) or "") for kind in kinds):
            return None
    return None


def _only(node: s.Try, handler: s.ExceptHandler) -> s.Try:
    return s.Try(node.start, node.end, node.body, [handler], [], [])


def _lets_through(handler: s.ExceptHandler) -> bool:
    """Whether a handler may re-raise, looks at what it caught, or gives it to somebody who may."""
    for node in s.walk_scope(*handler.body):
        if isinstance(node, s.Raise) and (node.exc is None or _is_name(node.exc, handler.name)):
            return True
        if isinstance(node, s.Attribute) and _is_name(node.value, handler.name):
            if node.attr in {"status_code", "detail", "code", "status"}:
                return True
        if isinstance(node, s.Call) and _given(node, handler.name) and not _only_shows(node):
            return True
    return False


def _is_name(node: s.Node, name: str | None) -> bool:
    return name is not None and isinstance(node, s.Name) and node.id == name


def _given(call: s.Call, name: str | None) -> bool:
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(_is_name(argument, name) for argument in arguments)


_SHOWING = frozenset({"str", "repr", "print", "exception", "error", "warning", "info", "debug",
                      "critical", "log", "format", "format_exception", "print_exception",
                      "capture_exception", "print_exc", "warn", "record_exception"})  # fmt: skip


def _only_shows(call: s.Call) -> bool:
    """Whether a call only turns the exception into text."""
    return s.last_name(call.func) in _SHOWING


def _answer(app: App, function: Function, handler: s.ExceptHandler) -> tuple[str, int] | None:
    """Return what the handler always answers instead (``HTTPException(500)``), and its status.

    An answer that it gives on a condition is taken for a decision.
    """
    where = Where(function.module, function)
    for node in handler.body:
        if isinstance(node, s.Raise) and isinstance(node.exc, s.Call):
            for raised in app.raises.of(function):
                if raised.node is node and app.raises.is_http(raised.cls):
                    if raised.status is not None:
                        return f"{raised.name}({raised.status})", raised.status
                    return None
        if isinstance(node, s.Return) and isinstance(node.value, s.Call):
            external = app.linker.external(node.value.func, function.module, function) or ""
            if external.startswith("fastapi.responses."):
                given = node.value.keyword("status_code")
                status = status_code(given, app.types, where) if given is not None else 200
                if status is not None:
                    return f"{external.rpartition('.')[2]}({status})", status
    return None


def _raised_inside(
    app: App, escaping: Escaping, function: Function, node: s.Try
) -> Iterator[tuple[Raised, tuple[CallSite, ...]]]:
    """Yield the HTTPExceptions that come out of the body of a ``try``, direct ones first."""
    where = Where(function.module, function)
    for raised in app.raises.of(function):
        if app.raises.is_http(raised.cls) and inside(raised.around, node):
            within = tries_within(raised.around, node)
            if not app.raises.caught(raised.cls, within, where) and not raised.around.handled:
                yield raised, ()
    for site in app.calls.sites(function):
        if not inside(site.around, node) or len(site.targets) != 1:
            continue
        target = site.targets[0]
        if not runs_inline(site, target):
            continue
        for raised, chain in escaping.http(target):
            if not app.raises.caught(raised.cls, tries_within(site.around, node), where):
                yield raised, (site, *chain)


RULE = Rule(
    summary="except Exception hides an HTTPException",
    severity="error",
    mend="Put `except HTTPException: raise` before it, or narrow the `try` to what can really"
    " fail; unexpected errors need no handler to become a 500.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/handling-errors/",),
)

CASES = (
    case(
        "a 404 in the try becomes a 500",
        """
        from fastapi import FastAPI, HTTPException

        app = FastAPI()

        @app.get("/items/{key}")
        def read(key: str):
            try:
                if key != "a":
                    raise HTTPException(status_code=404)
                return key
            except Exception as e:  # <-
                raise HTTPException(status_code=500, detail="failed")
        """,
        after="""
        from fastapi import FastAPI, HTTPException

        app = FastAPI()

        @app.get("/items/{key}")
        def read(key: str):
            try:
                if key != "a":
                    raise HTTPException(status_code=404)
                return key
            except HTTPException:
                raise
            except Exception as e:
                raise HTTPException(status_code=500, detail="failed")
        """,
    ),
    case(
        "a service raises it",
        """
        from fastapi import FastAPI, HTTPException
        from fastapi.responses import JSONResponse

        app = FastAPI()

        class Service:
            def get(self, key: str):
                raise HTTPException(404, "not found")

        @app.get("/items/{key}")
        def read(key: str):
            try:
                return Service().get(key)
            except:  # <-
                return JSONResponse({"error": "sorry"}, status_code=500)
        """,
    ),
    case(
        "raised by Starlette's class elsewhere; and a handler that also cleans up, which stays",
        """
        from fastapi import FastAPI
        from fastapi.responses import JSONResponse
        from starlette.exceptions import HTTPException

        app = FastAPI()

        @app.get("/a")
        def a(key: str, db):
            try:
                raise HTTPException(404, "not found")
            except ValueError:
                return None
            # whatever else
            except Exception as e:  # <-
                print(e)
                return JSONResponse({"error": "sorry"}, status_code=500)

        @app.get("/b")
        def b(key: str, db):
            try:
                raise HTTPException(404, "not found")
            except Exception:  # <-
                db.rollback()
                raise HTTPException(status_code=500)
        """,
        after="""
        from fastapi import FastAPI
        from fastapi.responses import JSONResponse
        from starlette.exceptions import HTTPException

        app = FastAPI()

        @app.get("/a")
        def a(key: str, db):
            try:
                raise HTTPException(404, "not found")
            except ValueError:
                return None
            # whatever else
            except HTTPException:
                raise
            except Exception as e:
                print(e)
                return JSONResponse({"error": "sorry"}, status_code=500)

        @app.get("/b")
        def b(key: str, db):
            try:
                raise HTTPException(404, "not found")
            except Exception:
                db.rollback()
                raise HTTPException(status_code=500)
        """,
    ),
    case(
        "let through first",
        """
        from fastapi import FastAPI, HTTPException

        app = FastAPI()

        @app.get("/items/{key}")
        def read(key: str):
            try:
                raise HTTPException(status_code=404)
            except HTTPException:
                raise
            except Exception:
                raise HTTPException(status_code=500)
        """,
    ),
    case(
        "looked at, re-raised, or given to somebody who does",
        """
        from fastapi import FastAPI, HTTPException

        app = FastAPI()

        def to_http(error: Exception) -> HTTPException:
            return error if isinstance(error, HTTPException) else HTTPException(500)

        @app.get("/a")
        def a():
            try:
                raise HTTPException(status_code=404)
            except Exception as e:
                if isinstance(e, HTTPException):
                    raise e
                raise HTTPException(status_code=500)

        @app.get("/b")
        def b():
            try:
                raise HTTPException(status_code=404)
            except Exception as e:
                raise to_http(e)

        @app.get("/c")
        def c():
            try:
                raise HTTPException(status_code=404)
            except Exception:
                print("failed")
                raise
        """,
    ),
    case(
        "a function's refusal, passed on with its text",
        """
        from fastapi import FastAPI, HTTPException

        app = FastAPI()

        def team(key: int):
            raise HTTPException(404, "no such team")

        @app.get("/a")
        def a(key: int):
            try:
                return team(key)
            except Exception as e:
                raise HTTPException(400, detail=str(e)) from e
        """,
    ),
    case(
        "an answer that the handler decides about",
        """
        from fastapi import FastAPI, HTTPException

        app = FastAPI()

        def team(key: int):
            raise HTTPException(404)

        @app.get("/a")
        def a(key: int, admin: bool):
            try:
                return team(key)
            except Exception:
                if not admin:
                    raise HTTPException(400, "no such team")
            return None
        """,
    ),
    case(
        "the same status, or a body that raises none",
        """
        from fastapi import FastAPI, HTTPException

        app = FastAPI()

        @app.get("/a")
        def a(token: str):
            try:
                if not token:
                    raise HTTPException(status_code=401)
            except Exception:
                raise HTTPException(status_code=401)

        @app.get("/b")
        def b(token: str):
            try:
                int(token)
            except Exception:
                raise HTTPException(status_code=422)
            raise HTTPException(status_code=404)

        @app.get("/c")
        def c(token: str):
            try:
                try:
                    raise HTTPException(status_code=404)
                except HTTPException:
                    pass
            except Exception:
                raise HTTPException(status_code=500)
        """,
    ),
)
