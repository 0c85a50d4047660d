"""In a coroutine, `await` it: `asyncio.run` cannot start a second loop.

A thread runs one event loop at a time. `asyncio.run(...)` and `loop.run_until_complete(...)` inside an
`async def` raise `RuntimeError` ("cannot be called from a running event loop", "this event loop is already
running") whenever they are reached, and the coroutine that they were given never runs.

Reported where they stand in an `async def` itself. Calls in lambdas and in plain functions are left alone:
these may run in a thread. So is what a handler for `RuntimeError` covers, what runs only where no loop
does (`except RuntimeError:` after `get_running_loop()`), files that patch the loop with `nest_asyncio`,
and other objects that have a method of that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastwright.edit import source as at
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_RUNS = frozenset({"asyncio.run", "asyncio.runners.run", "anyio.run", "trio.run", "uvloop.run"})
_LOOPS = frozenset({"asyncio.get_event_loop", "asyncio.get_running_loop", "asyncio.new_event_loop"})
_NAMES = frozenset({"run", "run_until_complete"})


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report each call in an ``async def`` that starts a loop."""
    imported = {fact.module.partition(".")[0] for fact in module.header.imports}
    if imported.isdisjoint({"asyncio", "anyio", "uvloop", "trio"}) or "nest_asyncio" in imported:
        return
    for function in module.functions:
        if not function.is_async or _NAMES.isdisjoint(function.called):
            continue
        for call in _calls(function.body):
            name = _starts(module, function, call)
            if name is not None:
                message = (
                    f"{name} in async def {function.name}: a loop already runs here, so this raises"
                    " RuntimeError"
                )
                at = s.Name(function.name_start, function.name_start + 1, function.name)
                chain = (evidence(module, at, f"async def {function.name}"),)
                yield Hit(place(module, call), message, chain, _fix(module, call, name))


def _fix(module: Module, call: s.Call, name: str) -> Fix | None:
    """Return the fix that awaits the coroutine which a call is given, and nothing else."""
    given = call.args[0] if len(call.args) == 1 and not call.keywords else None
    if name not in {"asyncio.run", "uvloop.run", "run_until_complete"}:
        return None  # the others take a function
    if not isinstance(given, s.Call) or b"#" in module.source[call.start : call.end]:
        return None
    awaited = f"await {at.text(module, given)}"
    used = at.text_behind(module, call).startswith((".", "[", "(", "**"))
    return Fix("suggest", (replace(module, call, f"({awaited})" if used else awaited),))


def _calls(body: Iterable[s.Node]) -> Iterator[s.Call]:
    """Yield the calls of a body that no handler covers."""
    for node in body:
        if isinstance(node, s.Try):
            if not any(_is_for_no_loop(handler) for handler in node.handlers):
                yield from _calls(node.body)
                for handler in node.handlers:
                    yield from _calls(handler.body)
            yield from _calls(node.orelse)
            yield from _calls(node.finalbody)
        elif not isinstance(node, (s.FunctionDef, s.ClassDef, s.Lambda)):
            if isinstance(node, s.Call):
                yield node
            yield from _calls(s.children(node))


def _is_for_no_loop(handler: s.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, s.Tuple) else [handler.type]
    return any(s.last_name(kind) == "RuntimeError" for kind in kinds)


def _starts(module: Module, function: s.FunctionDef, call: s.Call) -> str | None:
    """Return how a call that starts a loop reads, None for any other."""
    if s.last_name(call.func) not in _NAMES:
        return None
    name = module.qualify(call.func)
    if name in _RUNS:
        return name
    func = call.func
    if isinstance(func, s.Attribute) and func.attr == "run_until_complete":
        if _is_loop(module, function, func.value):
            return "run_until_complete"
    return None


def _is_loop(module: Module, function: s.FunctionDef, node: s.Expr) -> bool:
    """Whether an expression is an event loop: the call that gives one, or a name of that value."""
    if isinstance(node, s.Call):
        return module.qualify(node.func) in _LOOPS
    return isinstance(node, s.Name) and any(
        isinstance(statement, s.Assign)
        and isinstance(statement.value, s.Call)
        and module.qualify(statement.value.func) in _LOOPS
        and any(s.dotted(target) == node.id for target in statement.targets)
        for statement in s.statements(function.body)
    )


RULE = Rule(
    summary="a second event loop is started in a coroutine",
    severity="error",
    mend="`await` the coroutine.",
    module=check,
    references=(
        "https://docs.python.org/3/library/asyncio-runner.html#asyncio.run",
        "https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_until_complete",
    ),
)

CASES = (
    case(
        "each way to start one",
        """
        import asyncio
        from asyncio import run
        from fastapi import FastAPI

        app = FastAPI()

        async def load() -> int: ...

        @app.get("/a")
        async def a() -> int:
            return asyncio.run(load())  # <-

        @app.get("/b")
        async def b() -> int:
            loop = asyncio.get_event_loop()
            try:
                run(load())  # <-
            except ValueError:
                pass
            return loop.run_until_complete(load())  # <-

        @app.get("/c")
        async def c() -> int:
            return asyncio.get_running_loop().run_until_complete(load())  # <-

        @app.get("/d")
        async def d(task) -> int:
            asyncio.run(load(), debug=True)  # <-
            asyncio.run(task)  # <-
            return asyncio.run(load()).bit_length()  # <-
        """,
        after="""
        import asyncio
        from fastapi import FastAPI

        app = FastAPI()

        async def load() -> int: ...

        @app.get("/a")
        async def a() -> int:
            return await load()

        @app.get("/b")
        async def b() -> int:
            loop = asyncio.get_event_loop()
            try:
                await load()
            except ValueError:
                pass
            return await load()

        @app.get("/c")
        async def c() -> int:
            return await load()

        @app.get("/d")
        async def d(task) -> int:
            asyncio.run(load(), debug=True)
            asyncio.run(task)
            return (await load()).bit_length()
        """,
    ),
    case(
        "in threads, in plain functions, where no loop runs",
        """
        import asyncio
        import subprocess
        from fastapi import FastAPI

        app = FastAPI()

        async def load() -> int: ...

        @app.get("/a")
        def a() -> int:
            return asyncio.run(load())

        @app.get("/b")
        async def b() -> int:
            await asyncio.to_thread(asyncio.run, load())
            await asyncio.to_thread(lambda: asyncio.run(load()))

            def in_thread() -> int:
                return asyncio.run(load())

            return await asyncio.to_thread(in_thread)

        @app.get("/c")
        async def c(runner) -> int:
            runner.run(load())
            runner.run_until_complete(load())
            return await load()

        async def d() -> None:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                asyncio.run(load())
        """,
    ),
    case(
        "a loop that allows it",
        """
        import asyncio
        import nest_asyncio

        nest_asyncio.apply()

        async def notebook() -> None:
            asyncio.run(asyncio.sleep(1))
        """,
    ),
)
