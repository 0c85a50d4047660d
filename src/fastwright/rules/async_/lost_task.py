"""A task that nobody holds may vanish before it ends.

The event loop keeps only weak references to tasks. When the result of `asyncio.create_task(...)` is
dropped, the garbage collector may take the task in the middle of its work; and what it raises is seen by
nobody until then, if at all. Keep it (a set, with `task.add_done_callback(tasks.discard)`), await it, or
let a `TaskGroup` own it.

Reported are statements that make a task with `asyncio.create_task`, `asyncio.ensure_future` or
`loop.create_task` and drop it: also those that only add a callback to it (a callback does not keep the
task), that assign it to `_`, or to a local name that nothing reads in a function that waits for nothing
afterwards. A task group owns its tasks, and methods of other objects that are named `create_task` are not
known: both are left alone. So are `__del__`, which can wait for nothing, and the functions of a script
that runs its own loop in its `__main__` block. A coroutine of the same file that awaits nothing ends in its first
step, and is left alone as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fastwright.edit import source as at
from fastwright.edit.builders import behind_imports, insert, insert_after, replace
from fastwright.edit.fix import Edit, Fix, Import
from fastwright.edit.names import bring
from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_MAKING = frozenset(
    {"asyncio.create_task", "asyncio.ensure_future", "asyncio.tasks.create_task",
     "asyncio.tasks.ensure_future"}
)  # fmt: skip
_LOOPS = frozenset({"asyncio.get_event_loop", "asyncio.get_running_loop", "asyncio.new_event_loop"})
_TASKS = "_background_tasks"
_KEEPING = frozenset({"add", "append", "put", "put_nowait", "setdefault"})


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report each task that is made and dropped."""
    if not _uses_asyncio(module) or _is_script(module):
        return
    for function in module.functions:
        if {"create_task", "ensure_future"}.isdisjoint(
            function.called
        ) or function.name == "__del__":
            continue
        for statement, call, how in _dropped(module, function):
            if _never_waits(module, call):
                continue
            message = (
                f"{how}: the loop holds tasks weakly, so the garbage collector may take it before it"
                " ends"
            )
            fix = _fix(module, function, statement, call)
            yield Hit(place(module, call), message, fix=fix)


def _uses_asyncio(module: Module) -> bool:
    return any(
        fact.module == "asyncio" or fact.module.startswith("asyncio.")
        for fact in module.header.imports
    )


def _is_script(module: Module) -> bool:
    """Whether the module runs a loop of its own when it is started."""
    return any(
        isinstance(node, s.If)
        and isinstance(test := node.branches[0].test, s.Compare)
        and s.dotted(test.left) == "__name__"
        for node in module.facts.body
    )


def _dropped(
    module: Module, function: s.FunctionDef
) -> Iterator[tuple[s.ExprStmt | s.Assign, s.Call, str]]:
    """Yield the calls in a function that make a task and drop it, and what is done to it."""
    for node in s.statements(function.body):
        if isinstance(node, s.ExprStmt):
            call = _made(module, _without_callback(node.value))
            if call is not None and not _is_held(function, call):
                yield node, call, "the task is dropped"
        elif isinstance(node, s.Assign) and len(node.targets) == 1:
            call = _made(module, node.value)
            if call is not None and _is_forgotten(function, node):
                yield (
                    node,
                    call,
                    f"nothing reads {s.dotted(node.targets[0])!r}, the task is dropped",
                )


# -------------------------------------------------------------------------- the fix


def _fix(
    module: Module, function: s.FunctionDef, statement: s.ExprStmt | s.Assign, call: s.Call
) -> Fix | None:
    """Return the fix that holds the task in a set of the module until it is done."""
    if not at.is_alone(module.source, statement.start, statement.end):
        return None
    name, edits = _named(module, function, statement, call)
    kept = _kept_in(module)
    imports: tuple[Import, ...] = ()
    if kept is None:
        task = bring(module, "asyncio", "Task")
        kept = _TASKS
        if task is None or kept.encode() in module.source:
            return None
        made = behind_imports(module, f"{kept}: set[{task.name}[object]] = set()")
        if made is None:
            return None
        edits, imports = [made, *edits], task.imports
    if name is None:
        return None
    lines = [f"{kept}.add({name})", *_callback(module, statement, call, name)]
    lines.append(f"{name}.add_done_callback({kept}.discard)")
    edits.append(insert_after(module, statement, "\n".join(lines)))
    return Fix("safe", tuple(edits), imports)


def _named(
    module: Module, function: s.FunctionDef, statement: s.ExprStmt | s.Assign, call: s.Call
) -> tuple[str | None, list[Edit]]:
    """Return the name that a task has, or gets, and the edits that give it."""
    if isinstance(statement, s.Assign) and s.dotted(statement.targets[0]) != "_":
        return s.dotted(statement.targets[0]), []
    free = (name for name in ("task", "background_task") if name not in _words(function))
    name = next(free, None)
    if name is None:
        return None, []
    if isinstance(statement, s.Assign):
        return name, [replace(module, statement.targets[0], name)]
    first = insert(module, statement.start, f"{name} = ")
    rest = [Edit(module.path, call.end, statement.end, "")] if call.end < statement.end else []
    return name, [first, *rest]


def _callback(
    module: Module, statement: s.ExprStmt | s.Assign, call: s.Call, name: str
) -> Iterator[str]:
    """Yield the line for ``create_task(...).add_done_callback(...)``, which gets a name first."""
    if isinstance(statement, s.ExprStmt) and statement.value is not call:
        written = module.source[call.end : statement.end].decode()
        yield f"{name}{written}"


def _words(function: s.FunctionDef) -> set[str]:
    named = {node.id for node in s.walk(*function.body) if isinstance(node, s.Name)}
    return named | {node.name for node in s.walk(function) if isinstance(node, s.Parameter)}


def _kept_in(module: Module) -> str | None:
    """Return the set at module level that tasks are held in already."""
    sets = {
        s.dotted(node.targets[0] if isinstance(node, s.Assign) else node.target)
        for node in module.facts.body
        if isinstance(node, (s.Assign, s.AnnAssign))
        and isinstance(node.value, s.Call)
        and s.dotted(node.value.func) == "set"
    }
    if not sets or b"add_done_callback" not in module.source:
        return None
    held = (
        s.dotted(node.args[0].value)
        for node in module.walk()
        if isinstance(node, s.Call)
        and s.last_name(node.func) == "add_done_callback"
        and node.args
        and isinstance(node.args[0], s.Attribute)
        and node.args[0].attr == "discard"
    )
    return next((name for name in held if name is not None and name in sets), None)


# ------------------------------------------------------------------------------ held


def _never_waits(module: Module, call: s.Call) -> bool:
    """Whether the coroutine is one of this file that awaits nothing: it ends in its first step."""
    coroutine = call.args[0] if call.args else None
    if not isinstance(coroutine, s.Call):
        return False
    name = s.last_name(coroutine.func)
    named = [function for function in module.functions if function.name == name]
    return len(named) == 1 and not any(_waits(node) for node in s.walk_scope(*named[0].body))


def _is_held(function: s.FunctionDef, call: s.Call) -> bool:
    """``ensure_future(task)`` gives the same task back: held where ``tasks.add(task)`` keeps it."""
    task = call.args[0] if call.args else None
    return isinstance(task, s.Name) and any(
        isinstance(node, s.Call)
        and s.last_name(node.func) in _KEEPING
        and any(s.dotted(argument) == task.id for argument in node.args)
        for node in s.walk_scope(*function.body)
    )


def _without_callback(node: s.Expr) -> s.Expr:
    """Return ``task`` for ``task.add_done_callback(...)``, anything else as it is."""
    if (
        isinstance(node, s.Call)
        and isinstance(node.func, s.Attribute)
        and node.func.attr == "add_done_callback"
    ):
        return node.func.value
    return node


def _made(module: Module, node: s.Expr) -> s.Call | None:
    """Return the call that makes a task, if an expression is one."""
    if not isinstance(node, s.Call):
        return None
    if s.last_name(node.func) == "ensure_future" and not any(
        isinstance(argument, s.Call) for argument in node.args
    ):
        return None  # of what is a task already, it is the same task: somebody else holds it
    if module.qualify(node.func) in _MAKING:
        return node
    func = node.func
    if (
        isinstance(func, s.Attribute)
        and func.attr == "create_task"
        and _is_loop(module, func.value)
    ):
        return node
    return None


def _is_loop(module: Module, node: s.Expr) -> bool:
    """``asyncio.get_running_loop()``, ``loop``, ``self._loop``: by convention the event loop."""
    if isinstance(node, s.Call):
        return module.qualify(node.func) in _LOOPS
    return (s.last_name(node) or "").lower().endswith("loop")


def _is_forgotten(function: s.FunctionDef, node: s.Assign) -> bool:
    """Whether a task goes to a local name that nothing reads, and the function ends soon."""
    target = node.targets[0]
    if not isinstance(target, s.Name):
        return False
    counts = _names(function)
    if counts[target.id] > counts[f"{target.id} ="] or _is_outer(function, target.id):
        return False
    return not any(
        _waits(inner) for inner in s.walk_scope(*function.body) if inner.start > node.end
    )


def _names(function: s.FunctionDef) -> Counter[str]:
    """Return how often each name stands in a function, and with `` =`` how often it is assigned."""
    found: Counter[str] = Counter()
    for node in s.walk(*function.body):
        if isinstance(node, s.Name):
            found[node.id] += 1
        elif isinstance(node, s.Assign):
            found.update(f"{t.id} =" for t in node.targets if isinstance(t, s.Name))
    return found


def _is_outer(function: s.FunctionDef, name: str) -> bool:
    return any(isinstance(node, s.Flow) and name in node.names for node in s.walk(*function.body))


def _waits(node: s.Node) -> bool:
    """Whether the function, and with it what its names hold, lives on here."""
    if isinstance(node, (s.Await, s.Yield, s.While)):
        return True
    return isinstance(node, (s.For, s.With, s.Generator)) and node.is_async


RULE = Rule(
    summary="a task that nobody holds",
    severity="warning",
    mend="Keep the task: `tasks.add(task)` and `task.add_done_callback(tasks.discard)` with a set that"
    " lives as long as the application, or start it in an `asyncio.TaskGroup`.",
    module=check,
    references=(
        "https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task",
        "CWE-772",
    ),
)

CASES = (
    case(
        "dropped in each of the ways",
        """
        import asyncio
        from asyncio import create_task, get_running_loop
        from fastapi import FastAPI

        app = FastAPI()

        async def mail() -> None:
            await asyncio.sleep(1)

        def log(task) -> None: ...

        @app.post("/a")
        async def a() -> None:
            asyncio.create_task(mail())  # <-
            create_task(mail(), name="mail")  # <-
            asyncio.ensure_future(mail())  # <-
            get_running_loop().create_task(mail())  # <-
            loop = asyncio.get_event_loop()
            loop.create_task(mail())  # <-
            asyncio.create_task(mail()).add_done_callback(log)  # <-

        @app.post("/b")
        async def b() -> str:
            task = asyncio.create_task(mail())  # <-
            return "sent"

        @app.post("/c")
        async def c() -> None:
            _ = asyncio.create_task(mail())  # <-
        """,
        after="""
        import asyncio
        from asyncio import create_task, get_running_loop
        from fastapi import FastAPI

        _background_tasks: set[asyncio.Task[object]] = set()

        app = FastAPI()

        async def mail() -> None:
            await asyncio.sleep(1)

        def log(task) -> None: ...

        @app.post("/a")
        async def a() -> None:
            task = asyncio.create_task(mail())
            _background_tasks.add(task)
            task.add_done_callback(_background_tasks.discard)
            task = create_task(mail(), name="mail")
            _background_tasks.add(task)
            task.add_done_callback(_background_tasks.discard)
            task = asyncio.ensure_future(mail())
            _background_tasks.add(task)
            task.add_done_callback(_background_tasks.discard)
            task = get_running_loop().create_task(mail())
            _background_tasks.add(task)
            task.add_done_callback(_background_tasks.discard)
            loop = asyncio.get_event_loop()
            task = loop.create_task(mail())
            _background_tasks.add(task)
            task.add_done_callback(_background_tasks.discard)
            task = asyncio.create_task(mail())
            _background_tasks.add(task)
            task.add_done_callback(log)
            task.add_done_callback(_background_tasks.discard)

        @app.post("/b")
        async def b() -> str:
            task = asyncio.create_task(mail())
            _background_tasks.add(task)
            task.add_done_callback(_background_tasks.discard)
            return "sent"

        @app.post("/c")
        async def c() -> None:
            task = asyncio.create_task(mail())
            _background_tasks.add(task)
            task.add_done_callback(_background_tasks.discard)
        """,
    ),
    case(
        "a set that is there already; names that are taken, and a line that is shared, stay",
        """
        import asyncio
        from fastapi import FastAPI

        app = FastAPI()
        running = set()

        async def mail() -> None:
            await asyncio.sleep(1)

        def started() -> None:
            held = asyncio.create_task(mail())
            running.add(held)
            held.add_done_callback(running.discard)

        @app.post("/a")
        async def a(task: str, send: bool) -> None:
            asyncio.create_task(mail())  # <-
            if send: asyncio.create_task(mail())  # <-

        @app.post("/b")
        async def b(task: str, background_task: str) -> None:
            asyncio.create_task(mail())  # <-
        """,
        after="""
        import asyncio
        from fastapi import FastAPI

        app = FastAPI()
        running = set()

        async def mail() -> None:
            await asyncio.sleep(1)

        def started() -> None:
            held = asyncio.create_task(mail())
            running.add(held)
            held.add_done_callback(running.discard)

        @app.post("/a")
        async def a(task: str, send: bool) -> None:
            background_task = asyncio.create_task(mail())
            running.add(background_task)
            background_task.add_done_callback(running.discard)
            if send: asyncio.create_task(mail())

        @app.post("/b")
        async def b(task: str, background_task: str) -> None:
            asyncio.create_task(mail())
        """,
    ),
    case(
        "held, awaited, owned by a group",
        """
        import asyncio
        from fastapi import FastAPI

        app = FastAPI()
        tasks = set()
        job = None

        async def mail() -> None:
            await asyncio.sleep(1)

        async def note() -> None:
            print("sent")

        class Board:
            def create_task(self, title: str) -> None: ...

        board = Board()

        @app.post("/a")
        async def a() -> None:
            task = asyncio.create_task(mail())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.create_task(mail())
            async with asyncio.TaskGroup() as group:
                group.create_task(mail())
            board.create_task("mail")
            asyncio.create_task(note())
            again = asyncio.get_running_loop().create_task(mail())
            tasks.add(again)
            asyncio.ensure_future(again).add_done_callback(tasks.discard)

        @app.post("/b")
        async def b():
            global job
            job = asyncio.create_task(mail())
            return asyncio.ensure_future(mail())

        @app.websocket("/c")
        async def c(socket) -> None:
            sender = asyncio.create_task(mail())
            async for message in socket:
                print(message)

        async def d() -> None:
            first = asyncio.create_task(mail())

            async def wait():
                await first

            tasks.add(wait)
        """,
    ),
    case(
        "a script that runs its own loop",
        """
        import asyncio

        async def work() -> None:
            await asyncio.sleep(1)

        async def main() -> None:
            asyncio.create_task(work())
            await asyncio.sleep(1)

        if __name__ == "__main__":
            asyncio.run(main())
        """,
    ),
    case(
        "ensure_future of a task that somebody holds",
        """
        import asyncio

        held = set()

        async def watch(work) -> None:
            task = asyncio.create_task(work())
            held.add(task)
            asyncio.ensure_future(task).add_done_callback(held.discard)
            asyncio.ensure_future(work())  # <-
        """,
    ),
)
