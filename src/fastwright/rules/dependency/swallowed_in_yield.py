"""An exception that reaches the `yield` of a dependency is raised again.

FastAPI raises what the endpoint raised at the `yield` of each dependency. A dependency that
catches it and does not raise ends as if all were well: an `HTTPException` meant for the client,
or an error meant for the log, is gone, and all that FastAPI can say is 500 with "No response
object was returned". Roll back, then `raise`.

Reported for yielding dependencies where a handler around the `yield` catches `Exception`,
`BaseException`, `HTTPException` or everything, and ends without raising or handing the exception
on. A handler for one kind of exception of its own, and one after a handler that re-raises all
that matters, are decisions of the application and left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import UNKNOWN, FunctionValue, alternatives
from fastwright.edit.builders import insert_after, replace
from fastwright.edit.fix import Fix
from fastwright.edit.source import is_alone
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_BROAD = {
    "builtins.Exception": "every exception",
    "builtins.BaseException": "every exception",
    "fastapi.HTTPException": "every HTTPException",
    "starlette.exceptions.HTTPException": "every HTTPException",
}


def check(app: App) -> Iterator[Hit]:
    """Report handlers around the yield of a dependency that end without raising."""
    for function in app.request_roots:
        if not function.node.is_generator or not function.decorator_names <= {"staticmethod"}:
            continue
        yields = app.calls.of_kind(function, s.Yield)
        for yielded, around in yields:
            for tried in reversed(around.tries):
                found = _swallowing(app, function, tried)
                if found is not None:
                    handler, what = found
                    message = (
                        f"{function.name} catches {what} of the request at its yield and does not"
                        " raise it again: FastAPI never sees it"
                    )
                    chain = (evidence(function.module, yielded, "raised here"),)
                    fix = _raising(function.module, handler)
                    yield Hit(place(function.module, _head(handler)), message, chain, fix)
                    break
                if tried.handlers:
                    break


def _raising(module: Module, handler: s.ExceptHandler) -> Fix | None:
    """Return the fix that ends a handler with ``raise``; none where it returns or goes on elsewhere."""
    last = handler.body[-1]
    if isinstance(last, s.Flow):
        return Fix("suggest", (replace(module, last, "raise"),)) if last.keyword == "pass" else None
    if not isinstance(last, (s.ExprStmt, s.Assign)) or not is_alone(
        module.source, last.start, last.end
    ):
        return None
    return Fix("suggest", (insert_after(module, last, "raise"),))


def _head(handler: s.ExceptHandler) -> s.Node:
    return handler.type if handler.type is not None else handler


def _swallowing(app: App, function: Function, tried: s.Try) -> tuple[s.ExceptHandler, str] | None:
    """Return the handler that keeps what the request raised, and what it catches."""
    for handler in tried.handlers:
        what = _caught(app, function, handler)
        if what is None:
            continue
        if _may_leave(app, function, handler) or _raises_in_finally(tried):
            return None
        return handler, what
    return None


def _raises_in_finally(tried: s.Try) -> bool:
    """Whether the ``finally`` raises what a handler kept."""
    return any(isinstance(n, s.Raise) for n in s.walk_scope(*tried.finalbody))


def _caught(app: App, function: Function, handler: s.ExceptHandler) -> str | None:
    if handler.type is None:
        return "every exception"
    kinds = handler.type.elts if isinstance(handler.type, s.Tuple) else [handler.type]
    for kind in kinds:
        name = app.linker.external(kind, function.module, function)
        if name in _BROAD:
            return _BROAD[name]
    return None


def _may_leave(app: App, function: Function, handler: s.ExceptHandler) -> bool:
    """Whether the exception may still get out: raised, handed on, or turned into another one."""
    for node in s.walk_scope(*handler.body):
        if isinstance(node, (s.Raise, s.Yield)):
            return True
        if isinstance(node, s.Call) and _may_raise(app, function, handler, node):
            return True
        if isinstance(node, (s.Assign, s.AnnAssign, s.NamedExpr)) and _names(node, handler.name):
            return True  # kept, to be raised later
    return False


def _may_raise(app: App, function: Function, handler: s.ExceptHandler, call: s.Call) -> bool:
    """Whether a call is there to raise: a project function with ``raise``, or unknown and given it."""
    callee = app.types.of(call.func, Where(function.module, function))
    for option in alternatives(callee):
        if isinstance(option, FunctionValue):
            body = option.function.node.body
            if any(isinstance(n, s.Raise) for n in s.walk_scope(*body)):
                return True
        elif option is UNKNOWN and _names(call, handler.name) and not _is_report(call):
            return True
    name = s.last_name(call.func) or ""
    return name in {"exit", "abort", "throw", "__exit__", "__aexit__", "athrow"} or "raise" in name


def _is_report(call: s.Call) -> bool:
    """``logger.error(e)``, ``print(e)``, ``str(e)``."""
    written = (s.dotted(call.func) or s.last_name(call.func) or "").lower()
    return "log" in written or written.rpartition(".")[2] in {
        "critical", "debug", "error", "exception", "info", "print", "repr", "str", "warning",
        "warn", "type", "format_exc", "capture_exception",
    }  # fmt: skip


def _names(node: s.Node, name: str | None) -> bool:
    return name is not None and any(
        isinstance(inner, s.Name) and inner.id == name for inner in s.walk(node)
    )


RULE = Rule(
    summary="a yielding dependency that swallows the request's exception",
    severity="error",
    mend="End the handler with `raise`, or use `try`/`finally` where there is nothing to handle.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/#always-raise-in-dependencies-with-yield-and-except",
    ),
)

CASES = (
    case(
        "everything is caught and kept",
        """
        import logging
        from fastapi import Depends, FastAPI, HTTPException

        app = FastAPI()
        log = logging.getLogger()

        class Pool:
            async def get(self): ...

        pool = Pool()

        def one():
            db = object()
            try:
                yield db
            except Exception as error:  # <-
                log.error("failed: %s", error)
            finally:
                print("closed")

        async def two():
            db = await pool.get()
            try:
                try:
                    yield db
                finally:
                    print()
            except:  # <-
                await db.rollback()

        def three():
            try:
                yield 1
            except (ValueError, HTTPException):  # <-
                return

        @app.get("/")
        def home(a=Depends(one), b=Depends(two), c=Depends(three)) -> None: ...
        """,
        after="""
        import logging
        from fastapi import Depends, FastAPI, HTTPException

        app = FastAPI()
        log = logging.getLogger()

        class Pool:
            async def get(self): ...

        pool = Pool()

        def one():
            db = object()
            try:
                yield db
            except Exception as error:
                log.error("failed: %s", error)
                raise
            finally:
                print("closed")

        async def two():
            db = await pool.get()
            try:
                try:
                    yield db
                finally:
                    print()
            except:
                await db.rollback()
                raise

        def three():
            try:
                yield 1
            except (ValueError, HTTPException):
                return

        @app.get("/")
        def home(a=Depends(one), b=Depends(two), c=Depends(three)) -> None: ...
        """,
    ),
    case(
        "raised again, another kind, handed on",
        """
        from contextlib import contextmanager
        from fastapi import Depends, FastAPI, HTTPException

        app = FastAPI()

        class OwnerError(Exception): ...

        def refuse(error):
            raise HTTPException(400) from error

        def one():
            try:
                yield 1
            except Exception:
                print("failed")
                raise
            finally:
                print("closed")

        def two():
            try:
                yield 1
            except OwnerError as error:
                print(error)

        def three():
            try:
                yield 1
            except Exception as error:
                refuse(error)

        def four():
            try:
                made = open("x")
            except Exception:
                made = None
            yield made

        def five():
            try:
                yield 1
            except HTTPException:
                raise
            except Exception as error:
                raise HTTPException(500) from error

        def six():
            failed = None
            try:
                yield 1
            except Exception as error:
                failed = error
            if failed:
                raise failed

        @contextmanager
        def not_a_dependency():
            try:
                yield 1
            except Exception:
                print("best effort")

        @app.get("/")
        def home(
            a=Depends(one), b=Depends(two), c=Depends(three), d=Depends(four), e=Depends(five),
            f=Depends(six),
        ) -> None: ...
        """,
    ),
)
