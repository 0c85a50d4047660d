"""A server that starts processes is told where the application is: `uvicorn.run("shop.main:app", workers=4)`.

With `workers` or `reload`, Uvicorn starts processes that import the application themselves, and for that
it needs its name. Given the object, it says so in one line and exits: the service does not start.

Reported is `uvicorn.run` with an application object beside `reload=True`, or beside `workers` that is more
than one. What comes from a variable is not known, and left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report each server that gets an object and would need a name."""
    if not any(fact.module == "uvicorn" for fact in module.header.imports):
        return
    for node in module.walk():
        if not isinstance(node, s.Call) or module.qualify(node.func) != "uvicorn.run":
            continue
        given, why = node.argument(0, "app"), _starts_processes(node)
        if given is None or why is None or not _is_object(module, given):
            continue
        message = (
            f"{why.arg} makes Uvicorn start processes, which cannot be given an object: it exits"
        )
        chain = (evidence(module, why, "starts processes"),)
        yield Hit(place(module, given), message, chain, _fix(module, given))


def _starts_processes(call: s.Call) -> s.Keyword | None:
    """Return the argument for which processes are started, where its value is known."""
    for keyword in call.keywords:
        value = keyword.value
        if not isinstance(value, s.Constant):
            continue
        if keyword.arg == "reload" and value.value is True:
            return keyword
        if keyword.arg == "workers" and isinstance(value.value, int) and value.value > 1:
            return keyword
    return None


def _is_object(module: Module, given: s.Expr) -> bool:
    """Whether an argument is surely an application: made here, or made by a call of FastAPI."""
    if isinstance(given, s.Call):
        return module.qualify(given.func) == "fastapi.FastAPI"
    return isinstance(given, s.Name) and _makes(module, given.id)


def _makes(module: Module, name: str) -> bool:
    """Whether a name of the module is bound once, to a new application."""
    values = [
        node.value
        for node in s.statements(module.facts.body)
        if isinstance(node, s.Assign) and any(s.dotted(target) == name for target in node.targets)
    ]
    return (
        len(values) == 1
        and isinstance(values[0], s.Call)
        and (
            module.qualify(values[0].func) == "fastapi.FastAPI"
            or s.last_name(values[0].func) in {"create_app", "make_app", "get_app", "build_app"}
        )
    )


def _fix(module: Module, given: s.Expr) -> Fix | None:
    """Return the name of the application; how the module is called where it is started is not known."""
    if not isinstance(given, s.Name) or not module.name:
        return None
    return Fix("suggest", (replace(module, given, f'"{module.name}:{given.id}"'),))


RULE = Rule(
    summary="an application object for a server that starts processes",
    severity="error",
    mend='Give the name: `uvicorn.run("shop.main:app", workers=4)`.',
    module=check,
    references=("https://www.uvicorn.org/deployment/#running-programmatically",),
)

CASES = (
    case(
        "reloads, or has workers",
        """
        import uvicorn
        from fastapi import FastAPI

        app = FastAPI()

        if __name__ == "__main__":
            uvicorn.run(app, reload=True)  # <-

        def serve() -> None:
            uvicorn.run(app, host="127.0.0.1", workers=4)  # <-
            uvicorn.run(FastAPI(), workers=2)  # <-
        """,
        after="""
        import uvicorn
        from fastapi import FastAPI

        app = FastAPI()

        if __name__ == "__main__":
            uvicorn.run("main:app", reload=True)

        def serve() -> None:
            uvicorn.run("main:app", host="127.0.0.1", workers=4)
            uvicorn.run(FastAPI(), workers=2)
        """,
    ),
    case(
        "one process, a name, or not known",
        """
        import uvicorn
        from fastapi import FastAPI

        app = FastAPI()

        def serve(count: int, where) -> None:
            uvicorn.run(app, port=8000)
            uvicorn.run(app, workers=1, reload=False)
            uvicorn.run("main:app", workers=4, reload=True)
            uvicorn.run(app, workers=count)
            uvicorn.run(where, workers=4)
        """,
    ),
)
