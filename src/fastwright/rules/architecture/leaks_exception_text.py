"""What went wrong inside is for the log, not for the client.

The text of an unexpected exception holds table names, SQL with its parameters, file paths, host
names, sometimes secrets. `except Exception as e: raise HTTPException(500, detail=str(e))` sends
all of it to whoever asks. Log the exception, answer a fixed sentence (or an error number that the
log holds as well).

Under a status of 4xx it is reported only where the `try` waits for something (a database, a
service, another coroutine): the message of a parser that refuses the client's input may go out.

The text of `ValueError`, of HTTPException and of the project's own exceptions is written to be
read, and may go out; so may text under a debug switch. A handler that is registered for `ValueError` is
another matter: it answers those of every library, `pydantic.ValidationError` of internal models included. Only what is seen to reach the client is
reported: the detail of an HTTPException or of an exception that a handler of the project answers, the
content of a response, the value that an endpoint returns, and schemas that stand in an answer; also
where a function returns the text, and its caller answers it.

The fix answers what stands before the text (`f"Upload failed: {e}"` becomes `"Upload failed"`), or
"Internal server error" with a status of 5xx, and logs the exception where nothing logs it yet: clients
that showed or parsed the text no longer get it. Files without a logger are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from fastwright.app.model import App
from fastwright.app.raises import status_code
from fastwright.app.scopes import Where
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, alternatives
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.architecture._answering import is_answered, is_in_answers
from fastwright.rules.architecture._fixed_text import fixed_text, statement_of
from fastwright.rules.architecture._http import from_endpoint
from fastwright.rules.evidence import evidence, name_place, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case

_BROAD = frozenset({"builtins.Exception", "builtins.BaseException"})
_BROAD_LIBRARIES = ("sqlalchemy.exc.", "asyncpg.exceptions.", "psycopg2.", "psycopg.",
                    "pymongo.errors.", "redis.exceptions.", "sqlite3.", "botocore.exceptions.")  # fmt: skip
_ANYBODYS = ("builtins.ValueError", "builtins.KeyError", "builtins.TypeError",
             "builtins.AttributeError", "builtins.LookupError", "builtins.OSError",
             "builtins.RuntimeError")  # fmt: skip
"""Exceptions that Python and every library raise: whoever handles them everywhere gets them all."""
_HANDLED = ("sqlalchemy.exc.", *_ANYBODYS)
_TRACEBACKS = frozenset({"traceback.format_exc", "traceback.format_exception",
                         "traceback.format_tb", "traceback.format_stack"})  # fmt: skip
_TEXT = frozenset({"str", "repr", "format"})
_WEBSOCKET = "fastapi.websockets.WebSocket"
_FOLLOWED = 3


class Caught(msgspec.Struct, frozen=True):
    """An exception that a piece of code has in hand: its name, what it is, where that holds."""

    name: str | None
    kind: str
    start: int
    end: int
    node: s.Node
    tried: s.Try | None = None


class Text(msgspec.Struct, frozen=True, eq=False):
    """The text of an exception that a function returns; ``position`` where it is part of a tuple."""

    function: Function
    caught: Caught
    value: s.Expr
    found: str
    position: int | None


def check(app: App) -> Iterator[Hit]:
    """Report each text of a broad exception that is sent to the client."""
    done: set[int] = set()
    handed_out: dict[int, list[Text]] = {}
    for step in app.reached:
        function = step.function
        done.add(id(function.node))
        caught = list(_caught(app, function))
        if caught and not _is_websocket(app, function):
            yield from _sent(app, function, caught, from_endpoint(app, step))
            if not app.routes_for(function):
                handed_out[id(function.node)] = list(_returned(app, function, caught))
    yield from _answered_by_callers(app, handed_out)
    for function, caught_one in _handlers(app):
        if id(function.node) not in done:
            chain = (Evidence(name_place(function), function.qualname),)
            yield from _sent(app, function, [caught_one], chain)


def _is_websocket(app: App, function: Function) -> bool:
    """Whether a function serves a WebSocket: an HTTPException reaches nobody there."""
    for parameter in function.parameters:
        found = app.types.parameter(parameter, function)
        if any(isinstance(o, Instance) and o.cls == _WEBSOCKET for o in alternatives(found)):
            return True
    return False


# ------------------------------------------------------------------ what is caught


def _caught(app: App, function: Function) -> Iterator[Caught]:
    for node, _ in app.calls.of_kind(function, s.Try):
        for handler in node.handlers:
            kind = _broad(app, function, handler.type)
            if kind is not None:
                yield Caught(handler.name, kind, handler.start, handler.end, handler, node)


def _broad(app: App, function: Function, node: s.Expr | None) -> str | None:
    """Return how a broad exception class is called, None for one whose text may go out."""
    if node is None:
        return "any exception"
    for kind in node.elts if isinstance(node, s.Tuple) else [node]:
        name = app.linker.external(kind, function.module, function) or ""
        if name in _BROAD:
            return "any Exception"
        if name.startswith(_BROAD_LIBRARIES):
            return name.rpartition(".")[2]
    return None


def _handlers(app: App) -> Iterator[tuple[Function, Caught]]:
    """Yield the functions that are registered for Exception, with their second parameter."""
    for application in app.applications:
        for handler in application.exception_handlers:
            function, given = handler.function, handler.exception
            if function is None or len(function.parameters) < len(("request", "exc")):
                continue
            name = app.linker.external(given.node, given.module, given.function) or ""
            status = given.node.value if isinstance(given.node, s.Constant) else None
            if name in _BROAD or name.startswith(_HANDLED) or status == _SERVER_ERROR:
                kind = "any Exception" if name in _BROAD or status else name.rpartition(".")[2]
                kind = f"any {kind}" if name in _ANYBODYS else kind
                parameter = function.parameters[1]
                body = function.node
                yield function, Caught(parameter.name, kind, body.start, body.end, parameter)


_CLIENT_ERROR = 400
_SERVER_ERROR = 500
_READING = frozenset({"json", "body", "form", "read"})


# -------------------------------------------------------------------- what is sent


def _sent(
    app: App, function: Function, caught: list[Caught], chain: tuple[Evidence, ...]
) -> Iterator[Hit]:
    is_endpoint = bool(app.routes_for(function))
    reported: set[int] = set()
    for node, around in app.calls.nodes(function):
        sink = _sink(app, function, node, is_endpoint=is_endpoint)
        if sink is None or around.deferred:
            continue
        label, values, status = sink
        held = [c for c in caught if c.start <= node.start < c.end]
        if not held or _is_narrowed(around, held[-1]):
            continue
        if status < _SERVER_ERROR and not _waits(app, function, held[-1]):
            continue
        for value in values:
            found = _exposing(app, function, value, held[-1], 0)
            if found is not None and value.start not in reported:
                reported.add(value.start)
                hit = _hit(function, found, label, held[-1], value, chain)
                fix = _fix(function, around, label, held[-1], value, status)
                yield msgspec.structs.replace(hit, fix=fix)
                break
    if is_endpoint:
        yield from _sent_later(app, function, caught, chain)


def _fix(
    function: Function,
    around: Surroundings,
    label: str,
    caught: Caught,
    value: s.Expr,
    status: int,
) -> Fix | None:
    """Return the fix that answers a fixed sentence, where the answer says that something failed."""
    handler = caught.node
    if not isinstance(handler, s.ExceptHandler) or "answer" in label:
        return None
    statement = statement_of(around, handler, value)
    if statement is None:
        return None
    general = status >= _SERVER_ERROR and (f"({status})" in label or "Response" in label)
    return fixed_text(function.module, statement, handler, value, general=general)


def _sent_later(
    app: App, function: Function, caught: list[Caught], chain: tuple[Evidence, ...]
) -> Iterator[Hit]:
    """``except Exception as e: error = str(e)``, and ``error`` stands in the answer after it."""
    kept = _kept(app, function, caught)
    for answer, around in app.calls.nodes(function) if kept else ():
        sink = _sink(app, function, answer, is_endpoint=True)
        if sink is None or any(c.start <= answer.start < c.end for c in caught):
            continue
        for name in s.walk(*sink[1]):
            if not isinstance(name, s.Name) or name.id not in kept:
                continue
            held_by, value, found = kept[name.id]
            if _comes_after(answer, around, held_by):
                del kept[name.id]
                yield _hit(function, found, sink[0], held_by, value, chain)


def _comes_after(node: s.Node, around: Surroundings, caught: Caught) -> bool:
    """Whether a place may run once an exception was caught: further down, or in the next round."""
    return node.start > caught.start or any(
        loop.start <= caught.start < loop.end for loop in around.loops
    )


def _kept(
    app: App, function: Function, caught: list[Caught]
) -> dict[str, tuple[Caught, s.Expr, str]]:
    """Return the variables that take the text of an exception where it is caught."""
    kept: dict[str, tuple[Caught, s.Expr, str]] = {}
    for node, around in app.calls.of_kind(function, s.Assign):
        target = node.targets[0]
        held = [c for c in caught if c.start <= node.start < c.end]
        if held and isinstance(target, s.Name) and not _is_narrowed(around, held[-1]):
            found = _exposing(app, function, node.value, held[-1], 0)
            if found is not None:
                kept.setdefault(target.id, (held[-1], node.value, found))
    return kept


def _returned(app: App, function: Function, caught: list[Caught]) -> Iterator[Text]:
    """Yield the texts that a function returns: ``return None, str(e)``."""
    kept = _kept(app, function, caught)
    for node, around in app.calls.of_kind(function, s.Return):
        parts: list[tuple[int | None, s.Expr]] = []
        if isinstance(node.value, s.Tuple):
            parts.extend(enumerate(node.value.elts))
        elif node.value is not None:
            parts.append((None, node.value))
        held = [c for c in caught if c.start <= node.start < c.end]
        for position, part in parts:
            if isinstance(part, s.Name) and part.id in kept:
                yield Text(function, *kept[part.id], position)
            elif held and not _is_narrowed(around, held[-1]):
                found = _exposing(app, function, part, held[-1], 0)
                if found is not None and not isinstance(part, (s.Dict, s.List)):
                    yield Text(function, held[-1], part, found, position)


def _answered_by_callers(app: App, handed_out: dict[int, list[Text]]) -> Iterator[Hit]:
    """``data, error = load()``, and ``error`` stands in an answer of the caller."""
    told: set[int] = set()
    for step in app.reached:
        function = step.function
        calls = {
            id(site.node): texts
            for site in app.calls.sites(function)
            for target in site.targets
            if (texts := handed_out.get(id(target.node)))
        }
        if not calls or _is_websocket(app, function):
            continue
        is_endpoint = bool(app.routes_for(function))
        for node, _ in app.calls.nodes(function):
            sink = _sink(app, function, node, is_endpoint=is_endpoint)
            for name in _shown(sink[1]) if sink is not None else ():
                text = _text_of(app, function, name, calls)
                if sink is None or text is None or id(text.value) in told:
                    continue
                if sink[2] < _SERVER_ERROR and not _waits(app, text.function, text.caught):
                    continue
                told.add(id(text.value))
                chain = (
                    *from_endpoint(app, step),
                    evidence(function.module, name, f"answers what {text.function.qualname} gives"),
                )
                yield _hit(text.function, text.found, sink[0], text.caught, text.value, chain)


def _text_of(
    app: App, function: Function, name: s.Name, calls: dict[int, list[Text]]
) -> Text | None:
    """Return the text that a variable holds which was bound to what a call gives."""
    bound = app.types.locals.lookup(name.id, name.start, function)
    if bound is None or bound.how != "assign" or len(bound.path) > 1:
        return None
    value = bound.value.value if isinstance(bound.value, s.Await) else bound.value
    position = bound.path[0] if bound.path else None
    found = (text for text in calls.get(id(value), ()) if text.position == position)
    return next(found, None)


def _shown(nodes: Iterable[s.Expr]) -> Iterator[s.Name]:
    """Yield the names whose values stand in an answer, not those that are only asked about."""
    for node in nodes:
        match node:
            case s.Name():
                yield node
            case s.JoinedStr():
                yield from _shown(node.values)
            case s.Dict():
                yield from _shown(node.values)
            case s.List() | s.Tuple():
                yield from _shown(node.elts)
            case s.BinOp():
                yield from _shown((node.left, node.right))
            case s.BoolOp():
                yield from _shown(node.values)
            case s.IfExp():
                yield from _shown((node.body, node.orelse))
            case s.Call() if s.last_name(node.func) in _TEXT:
                yield from _shown(node.args)
            case _:
                pass


def _hit(
    function: Function,
    found: str,
    label: str,
    caught: Caught,
    value: s.Expr,
    chain: tuple[Evidence, ...],
) -> Hit:
    module = function.module
    message = f"{label} sends {found} of {caught.kind} to the client"
    line = s.Name(caught.node.start, caught.node.start + len("except"), "except")
    proof = (*chain, evidence(module, line, caught.kind), evidence(module, value, found))
    return Hit(place(module, value), message, proof)


def _sink(
    app: App, function: Function, node: s.Node, *, is_endpoint: bool
) -> tuple[str, list[s.Expr], int] | None:
    """Return what a statement sends to the client: its label, the expressions, the status.

    The status is 500 where it is not known to be an error of the client.
    """
    if isinstance(node, s.Raise) and isinstance(node.exc, s.Call):
        for raised in app.raises.of(function):
            if raised.node is node and app.raises.is_http(raised.cls):
                status = f"({raised.status})" if raised.status is not None else ""
                return f"{raised.name}{status}", _given(node.exc), raised.status or _SERVER_ERROR
            if raised.node is node and is_answered(app, raised.cls):
                return raised.name, _given(node.exc), _SERVER_ERROR
    if isinstance(node, s.Return) and node.value is not None:
        value = node.value
        if isinstance(value, s.Call):
            name = app.linker.external(value.func, function.module, function) or ""
            if name.startswith("fastapi.responses."):
                where = Where(function.module, function)
                given = status_code(value.keyword("status_code"), app.types, where)
                known = given if given is not None and given >= _CLIENT_ERROR else _SERVER_ERROR
                return name.rpartition(".")[2], _given(value), known
        if is_endpoint and isinstance(value, (s.Dict, s.JoinedStr)):
            return "the answer", [value], _SERVER_ERROR
    if isinstance(node, s.Call) and (node.args or node.keywords):
        made = app.types.of(node.func, Where(function.module, function))
        cls = made.cls if isinstance(made, ClassObject) else None
        if isinstance(cls, Class) and is_in_answers(app, cls):
            return f"{cls.name} in the answer", _given(node), _SERVER_ERROR
    return None


def _waits(app: App, function: Function, caught: Caught) -> bool:
    """Whether what was tried waits for more than the request itself."""
    if caught.tried is None:
        return True
    body = caught.tried.body
    if not body:
        return False
    if any(
        isinstance(node, s.Await) and s.last_name(node.value) not in _READING
        for node in s.walk_scope(*body)
    ):
        return True
    first, last = body[0].start, body[-1].end
    waiting = [
        *(execution.site.node for execution in app.calls.executions(function)),
        *(
            x.node
            for x in app.calls.sites(function)
            if x.external and app.library.blocks(x.external)
        ),
    ]
    if any(first <= node.start < last for node in waiting):
        return True
    inside = [x for x in app.calls.sites(function) if first <= x.node.start < last]
    return any(app.calls.asks_database(target) for site in inside for target in site.targets)


def _given(call: s.Call) -> list[s.Expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _is_narrowed(around: Surroundings, caught: Caught) -> bool:
    """Under ``isinstance(e, ValueError)`` it is no longer broad; under a debug switch it may go out."""
    for branch in around.branches:
        for node in s.walk(branch.test):
            if isinstance(node, s.Call) and s.last_name(node.func) in {"isinstance", "issubclass"}:
                return True
            name = s.last_name(node) if isinstance(node, (s.Name, s.Attribute)) else None
            if name and branch.start >= caught.start and ("debug" in name.lower()):
                return True
    return False


def _exposing(app: App, function: Function, node: s.Expr, caught: Caught, depth: int) -> str | None:
    """Return how an expression shows the exception's text, or None."""
    if isinstance(node, s.Name):
        if node.id == caught.name:
            return None  # the object itself: serialised or not, that is not text
        return _through_name(app, function, node, caught, depth)
    if isinstance(node, s.JoinedStr):
        for value in node.values:
            if isinstance(value, s.Name) and value.id == caught.name and caught.name:
                return "the text"
        return _first(app, function, node.values, caught, depth)
    if isinstance(node, s.Call):
        return _of_call(app, function, node, caught, depth)
    if isinstance(node, s.Attribute):
        shows = node.attr in {"args", "orig", "__cause__"} and _is_caught(node.value, caught)
        return "the text" if shows else None
    if isinstance(node, s.Subscript):
        return _exposing(app, function, node.value, caught, depth)
    if isinstance(node, s.BinOp):
        if node.op == "%" and _is_caught(node.right, caught):
            return "the text"
        return _first(app, function, [node.left, node.right], caught, depth)
    if isinstance(node, s.Dict):
        return _first(app, function, node.values, caught, depth)
    if isinstance(node, (s.List, s.Tuple)):
        return _first(app, function, node.elts, caught, depth)
    if isinstance(node, s.BoolOp):
        return _first(app, function, node.values, caught, depth)
    if isinstance(node, s.IfExp):
        if any("debug" in (s.last_name(n) or "").lower() for n in s.walk(node.test)):
            return None
        return _first(app, function, [node.body, node.orelse], caught, depth)
    return None


def _of_call(app: App, function: Function, node: s.Call, caught: Caught, depth: int) -> str | None:
    name = app.linker.external(node.func, function.module, function) or ""
    if name in _TRACEBACKS:
        return "the traceback"
    given = _given(node)
    last = s.last_name(node.func)
    if last in _TEXT and any(_is_caught(argument, caught) for argument in given):
        return "the text"
    if last == "__str__" and isinstance(node.func, s.Attribute):
        return "the text" if _is_caught(node.func.value, caught) else None
    known = name.startswith("builtins.") or last in {"join", "format", "jsonable_encoder", "dumps",
                                                      "replace", "strip", "dict"}  # fmt: skip
    if known:
        inside = [node.func.value] if isinstance(node.func, s.Attribute) else []
        return _first(app, function, [*inside, *given], caught, depth)
    return None


def _is_caught(node: s.Expr, caught: Caught) -> bool:
    return caught.name is not None and isinstance(node, s.Name) and node.id == caught.name


def _first(
    app: App, function: Function, nodes: list[s.Expr], caught: Caught, depth: int
) -> str | None:
    for node in nodes:
        found = _exposing(app, function, node, caught, depth)
        if found is not None:
            return found
    return None


def _through_name(
    app: App, function: Function, node: s.Name, caught: Caught, depth: int
) -> str | None:
    """Follow a local variable that the handler itself assigns."""
    if depth >= _FOLLOWED:
        return None
    bound = app.types.locals.lookup(node.id, node.start, function)
    if bound is None or bound.value is None or bound.how != "assign" or bound.path:
        return None
    if not caught.start <= bound.value.start < caught.end:
        return None
    return _exposing(app, function, bound.value, caught, depth + 1)


RULE = Rule(
    summary="an internal error's text goes to the client",
    severity="warning",
    mend="Log it with `logger.exception`, and answer a fixed sentence: what the client did wrong if"
    " it was the client, otherwise only that the server failed.",
    profiles=("security",),
    app=check,
    references=(
        "CWE-209",
        "https://owasp.org/API-Security/editions/2023/en/0xa8-security-misconfiguration/",
    ),
)

CASES = (
    case(
        "the text of any exception as detail",
        """
        from fastapi import FastAPI, HTTPException

        app = FastAPI()

        @app.get("/a")
        def a():
            try:
                return 1 / 0
            except Exception as e:
                raise HTTPException(status_code=500, detail=str(e))  # <-

        @app.get("/b")
        def b():
            try:
                return 1 / 0
            except Exception as error:
                message = f"failed: {error}"
                raise HTTPException(500, {"message": message})  # <-
        """,
    ),
    case(
        "a file with a logger: fixed sentences; a text that is no sentence, or is the point, stays",
        """
        import logging
        from fastapi import FastAPI, HTTPException
        from fastapi.responses import JSONResponse

        logger = logging.getLogger(__name__)
        app = FastAPI()

        @app.get("/a")
        def a(name: str):
            try:
                return 1 / 0
            except Exception as e:
                raise HTTPException(500, detail=f"Loading {name} failed: {str(e)}") from e  # <-

        @app.get("/b")
        def b():
            try:
                return 1 / 0
            except Exception as e:
                logger.exception("no")
                return JSONResponse({"error": str(e)}, status_code=500)  # <-

        @app.get("/c")
        def c():
            try:
                return 1 / 0
            except Exception as e:
                raise HTTPException(500, f"Failed because of {e}")  # <-

        @app.get("/d")
        def d():
            try:
                return 1 / 0
            except Exception as e:
                return {"ok": False, "error": str(e)}  # <-

        @app.get("/e")
        def e():
            try:
                return 1 / 0
            except Exception as e:
                raise HTTPException(
                    500,
                    detail=f"Loading failed: {e}",  # <-
                )
        """,
        after="""
        import logging
        from fastapi import FastAPI, HTTPException
        from fastapi.responses import JSONResponse

        logger = logging.getLogger(__name__)
        app = FastAPI()

        @app.get("/a")
        def a(name: str):
            try:
                return 1 / 0
            except Exception as e:
                logger.exception(f"Loading {name} failed")
                raise HTTPException(500, detail=f"Loading {name} failed") from e

        @app.get("/b")
        def b():
            try:
                return 1 / 0
            except Exception:
                logger.exception("no")
                return JSONResponse({"error": "Internal server error"}, status_code=500)

        @app.get("/c")
        def c():
            try:
                return 1 / 0
            except Exception as e:
                raise HTTPException(500, f"Failed because of {e}")

        @app.get("/d")
        def d():
            try:
                return 1 / 0
            except Exception as e:
                return {"ok": False, "error": str(e)}

        @app.get("/e")
        def e():
            try:
                return 1 / 0
            except Exception:
                logger.exception("Loading failed")
                raise HTTPException(
                    500,
                    detail="Loading failed",
                )
        """,
    ),
    case(
        "a traceback in a response, a driver's message, text in a service below",
        """
        import traceback
        from fastapi import FastAPI, HTTPException
        from fastapi.responses import JSONResponse
        from sqlalchemy.exc import SQLAlchemyError
        from sqlalchemy.orm import Session

        app = FastAPI()

        def query(session: Session):
            try:
                return session.execute("select 1")
            except SQLAlchemyError as e:
                raise HTTPException(400, "database: " + repr(e))  # <-

        @app.get("/a")
        def a():
            try:
                return query(Session())
            except:
                return JSONResponse({"trace": traceback.format_exc()}, status_code=500)  # <-
        """,
    ),
    case(
        "the handler for everything",
        """
        from fastapi import FastAPI, Request
        from fastapi.responses import JSONResponse

        app = FastAPI()

        @app.exception_handler(Exception)
        async def failed(request: Request, exc: Exception) -> JSONResponse:
            return JSONResponse({"detail": str(exc)}, status_code=500)  # <-
        """,
    ),
    case(
        "an answer that carries it",
        """
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/a")
        def a():
            try:
                return {"ok": 1 / 0}
            except Exception as e:
                return {"ok": False, "error": str(e)}  # <-
        """,
    ),
    case(
        "exceptions whose text is meant for the client",
        """
        from fastapi import FastAPI, HTTPException, Request
        from fastapi.responses import JSONResponse

        app = FastAPI()

        class OutOfStock(Exception): ...

        @app.exception_handler(OutOfStock)
        def out(request: Request, exc: OutOfStock):
            return JSONResponse({"detail": str(exc)}, 409)

        @app.get("/a")
        def a(text: str):
            try:
                return int(text)
            except ValueError as e:
                raise HTTPException(422, str(e))

        @app.get("/b")
        def b(text: str):
            try:
                return int(text)
            except (OutOfStock, ValueError) as e:
                raise HTTPException(409, detail=f"{e}") from e
        """,
    ),
    case(
        "a handler for every ValueError, whoever raises it",
        """
        from fastapi import FastAPI, Request
        from fastapi.responses import JSONResponse

        app = FastAPI()

        class Refused(ValueError): ...

        @app.exception_handler(ValueError)
        def invalid(request: Request, exc: ValueError):
            return JSONResponse({"detail": str(exc)}, 422)  # <-

        @app.exception_handler(Refused)
        def refused(request: Request, exc: Refused):
            return JSONResponse({"detail": str(exc)}, 422)

        @app.exception_handler(KeyError)
        def missing(request: Request, exc: KeyError):
            return JSONResponse({"detail": "not found"}, 404)
        """,
    ),
    case(
        "a function returns it, and its caller answers it",
        """
        import httpx
        from fastapi import FastAPI, HTTPException
        from pydantic import BaseModel

        app = FastAPI()

        class Delivered(BaseModel):
            status: int | None
            error: str | None = None

        async def deliver(url: str) -> tuple[int | None, str | None]:
            status = error = None
            try:
                status = (await httpx.AsyncClient().get(url)).status_code
            except httpx.TimeoutException as exc:
                error = f"too late: {exc}"
            except Exception as exc:
                error = f"failed: {exc}"  # <-
            return status, error

        async def ping(url: str) -> str | None:
            try:
                await httpx.AsyncClient().get(url)
            except Exception as exc:
                return str(exc)  # <-
            return None

        async def probe(url: str) -> tuple[bool, str]:
            try:
                await httpx.AsyncClient().get(url)
            except Exception as exc:
                return False, str(exc)
            return True, "reached"

        @app.post("/deliver")
        async def start(url: str) -> Delivered:
            status, error = await deliver(url)
            return Delivered(status=status, error=error)

        @app.post("/ping")
        async def pinged(url: str) -> dict:
            failure = await ping(url)
            if failure:
                raise HTTPException(502, detail=f"no answer: {failure}")
            return {"ok": True}

        @app.post("/probe")
        async def probed(url: str) -> dict:
            reached, why = await probe(url)
            print(why)
            return {"ok": reached, "state": "fine" if why else "lost"}
        """,
    ),
    case(
        "a parser's message about what the client sent",
        """
        import yaml
        from fastapi import FastAPI, HTTPException

        app = FastAPI()

        @app.post("/a")
        def a(text: str):
            try:
                return yaml.safe_load(text)
            except Exception as e:
                raise HTTPException(422, detail=f"not YAML: {e}")
        """,
    ),
    case(
        "on a WebSocket an HTTPException reaches nobody",
        """
        from fastapi import FastAPI, HTTPException, WebSocket

        app = FastAPI()

        @app.websocket("/a")
        async def a(websocket: WebSocket):
            try:
                await websocket.accept()
            except Exception as e:
                raise HTTPException(500, detail=str(e))
        """,
    ),
    case(
        "logged, and a fixed sentence answered; a class name is no text; debug only",
        """
        import logging
        from fastapi import FastAPI, HTTPException

        app = FastAPI()
        debug = False

        @app.get("/a")
        def a():
            try:
                return 1 / 0
            except Exception as e:
                logging.error("failed: %s", e)
                if debug:
                    raise HTTPException(500, detail=str(e))
                if isinstance(e, ValueError):
                    raise HTTPException(422, detail=str(e))
                raise HTTPException(500, detail=f"failed with {type(e).__name__}")
        """,
    ),
    case(
        "in a field of the answer, and through a variable that the answer takes later",
        """
        import httpx
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Tested(BaseModel):
            ok: bool
            error: str | None = None

        @app.post("/test")
        async def test(url: str) -> Tested:
            try:
                await httpx.AsyncClient().get(url)
            except Exception as exc:
                return Tested(ok=False, error=f"failed: {exc}")  # <-
            return Tested(ok=True)

        @app.post("/later")
        async def later(url: str) -> Tested:
            error = None
            try:
                await httpx.AsyncClient().get(url)
            except Exception as exc:
                error = str(exc)  # <-
            return Tested(ok=error is None, error=error)

        @app.post("/hidden")
        async def hidden(url: str) -> Tested:
            try:
                await httpx.AsyncClient().get(url)
            except Exception as exc:
                print(exc)
                return Tested(ok=False, error="not reached")
            return Tested(ok=True)
        """,
    ),
    Case(
        "through an exception that a handler answers, and through an entry of the answer",
        {
            "app/errors.py": """
            class Refused(Exception): ...

            class Internal(Exception): ...
            """,
            "app/imports.py": """
            import httpx
            from app.errors import Internal, Refused
            from pydantic import BaseModel

            class Failed(BaseModel):
                row: int
                error: str

            async def load(row: int) -> None:
                try:
                    await httpx.AsyncClient().get("https://example.org")
                except Exception as exc:
                    raise Refused(f"row {row}: {exc}")  # <-

            async def check(row: int) -> None:
                try:
                    await httpx.AsyncClient().get("https://example.org")
                except Exception as exc:
                    raise Internal(str(exc))

            async def each(rows: list[int]) -> list[Failed]:
                failed = []
                for row in rows:
                    try:
                        await load(row)
                    except Exception as exc:
                        failed.append(Failed(row=row, error=str(exc)))  # <-
                return failed
            """,
            "app/main.py": """
            from app import imports
            from app.errors import Refused
            from fastapi import FastAPI, Request
            from fastapi.responses import JSONResponse

            app = FastAPI()

            @app.exception_handler(Refused)
            def refused(request: Request, exc: Refused) -> JSONResponse:
                return JSONResponse({"detail": str(exc)}, 422)

            @app.post("/imports")
            async def start(rows: list[int]) -> list[imports.Failed]:
                await imports.check(rows[0])
                return await imports.each(rows)
            """,
        },
    ),
    case(
        "a variable that holds another text before: only what is answered once the error was caught",
        """
        from fastapi import FastAPI, HTTPException

        app = FastAPI()
        ready = False

        def load() -> None: ...

        @app.get("/update")
        def update() -> dict[str, str]:
            if not ready:
                message = "not ready"
                raise HTTPException(500, detail=message)
            try:
                load()
            except Exception as e:
                message = f"failed: {e}"
                raise HTTPException(500, detail=message)  # <-
            return {}

        @app.get("/again")
        def again() -> dict[str, str]:
            message = ""
            for left in (2, 1, 0):
                if not left:
                    return {"error": message}
                try:
                    load()
                except Exception as e:
                    message = str(e)  # <-
            return {}
        """,
    ),
)
