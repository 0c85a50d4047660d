"""Debug mode is off unless somebody turns it on.

`FastAPI(debug=True)` answers every unhandled exception with its traceback: paths, source lines, and
what they say of the database, to whoever made the request (OWASP API8:2023, CWE-489). `reload=True` makes
Uvicorn watch the files and restart; it is meant for development and runs one process only.

Reported are an application that is made with `debug=True`, also through a constant or the default of a
settings field, and `uvicorn.run(..., reload=True)` in a function that a server may be started with. Left
alone is what stands under a condition, in a `__main__` block or in a function that one calls, or in
what says that it is for development, and what is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.scopes import Body, Where
from fastwright.app.setup.result import Application, Place
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import Instance
from fastwright.edit.builders import delete_argument
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case

_DEVELOPMENT = re.compile(
    r"(^|[/_.])(dev|devel\w*|debug\w*|local|test\w*|watch|reload|demo|examples?|docs?|samples?"
    r"|scripts?|playground|tutorials?)([/_.]|$)",
    re.IGNORECASE,
)


def check(app: App) -> Iterator[Hit]:
    """Report applications in debug mode, and servers that reload."""
    seen: set[int] = set()
    for application in app.applications:
        if id(application.node) not in seen:
            seen.add(id(application.node))
            yield from _debugged(app, application)
    for module in app.sources:
        if any(fact.module == "uvicorn" for fact in module.header.imports):
            yield from _reloaded(app, module)


def _debugged(app: App, application: Application) -> Iterator[Hit]:
    given = application.keywords.get("debug")
    if given is None or _is_for_development(application.module, application.function):
        return
    proof = _is_on(app, given)
    body: Body = application.function or application.module
    if proof is None or _is_conditional(app, body, application.node):
        return
    made = evidence(application.module, application.node, "the application is made here")
    message = "debug mode is on: every unhandled exception is answered with its traceback"
    fix = _without(application.module, application.node, "debug")
    yield Hit(place(application.module, application.node), message, (made, proof), fix)


def _without(module: Module, call: s.Node, name: str) -> Fix | None:
    """Return the fix that takes ``debug=True`` away; what comes from elsewhere is left there."""
    given = call.keywords if isinstance(call, s.Call) else []
    keyword = next((each for each in given if each.arg == name and _is_true(each.value)), None)
    if keyword is None or not isinstance(call, s.Call):
        return None
    return Fix("suggest", (delete_argument(module, call, keyword),))


def _is_on(app: App, given: Place) -> Evidence | None:
    """Return where the value that is given says True, None if it does not."""
    node = given.node
    if isinstance(node, s.Constant):
        return evidence(given.module, node, "debug=True") if node.value is True else None
    if isinstance(node, s.Name):
        symbol = app.linker.name(node.id, given.module, given.function)
        if isinstance(symbol, Variable) and symbol.values and all(map(_is_true, symbol.values)):
            return evidence(symbol.module, symbol.values[0], f"{node.id} is True")
    if isinstance(node, s.Attribute):
        return _default(app, node, Where(given.module, given.function))
    return None


def _default(app: App, node: s.Attribute, where: Where) -> Evidence | None:
    """Return the default of a settings field where it is True."""
    owner = app.types.of(node.value, where)
    if not isinstance(owner, Instance) or not isinstance(owner.cls, Class):
        return None
    schema = app.models.schema(owner.cls)
    field = schema.fields.get(node.attr) if schema is not None and schema.is_settings else None
    if field is None:
        return None
    default = field.default
    if isinstance(default, s.Call) and s.last_name(default.func) == "Field":
        default = default.argument(0, "default")
    if default is None or not _is_true(default):
        return None
    return evidence(field.owner.module, field.node, f"{node.attr} is True unless it is set")


def _is_true(node: s.Expr) -> bool:
    return isinstance(node, s.Constant) and node.value is True


def _reloaded(app: App, module: Module) -> Iterator[Hit]:
    for function in app.every_function(module, frozenset({"run"})):
        if _is_for_development(module, function) or _is_run_by_hand(module, function):
            continue
        for site in app.calls.sites(function):
            if site.external != "uvicorn.run" or site.around.branches:
                continue
            given = site.node.keyword("reload")
            if given is not None and _is_true(given):
                message = (
                    "the server watches its files and restarts: reload=True is for development"
                )
                proof = (evidence(module, given, "reload=True"),)
                yield Hit(
                    place(module, site.node), message, proof, _without(module, site.node, "reload")
                )


def _is_for_development(module: Module, function: Function | None) -> bool:
    names = [module.path]
    if function is not None:
        names += [function.name, *_commands(function)]
    return any(_DEVELOPMENT.search(name) for name in names)


def _commands(function: Function) -> Iterator[str]:
    """Yield the names under which a command line knows a function: ``@server.command("develop")``."""
    for decorator in function.node.decorators:
        if isinstance(decorator, s.Call):
            yield from filter(None, map(s.string, decorator.args))


def _is_run_by_hand(module: Module, function: Function) -> bool:
    """Whether the ``__main__`` block of the file calls a function."""
    return any(
        isinstance(node, s.If)
        and isinstance(test := node.branches[0].test, s.Compare)
        and s.dotted(test.left) == "__name__"
        and any(
            isinstance(inner, s.Call) and s.dotted(inner.func) == function.name
            for inner in s.walk(*node.branches[0].body)
        )
        for node in module.facts.body
    )


def _is_conditional(app: App, body: Body, made: s.Node) -> bool:
    """Whether the application is made under a condition."""
    return any(
        node is made and around.branches for node, around in app.types.locals.of_kind(body, s.Call)
    ) or _is_in_else(app, body, made)


def _is_in_else(app: App, body: Body, made: s.Node) -> bool:
    return any(
        statement.start <= made.start < statement.end
        for node, _ in app.types.locals.of_kind(body, s.If)
        for statement in node.orelse
    )


RULE = Rule(
    summary="debug mode or reloading in code that serves",
    severity="error",
    mend="Leave `debug` and `reload` out, or take them from a setting that is off by default.",
    app=check,
    references=(
        "https://www.starlette.io/applications/#instantiating-the-application",
        "https://owasp.org/API-Security/editions/2023/en/0xa8-security-misconfiguration/",
        "CWE-489",
    ),
)

CASES = (
    case(
        "in the code, in a constant, and in the way the server starts",
        """
        import uvicorn
        from fastapi import FastAPI

        DEBUG = True
        app = FastAPI(debug=True)  # <-
        other = FastAPI(debug=DEBUG)  # <-

        def main() -> None:
            uvicorn.run("main:app", host="0.0.0.0", reload=True)  # <-
        """,
        after="""
        import uvicorn
        from fastapi import FastAPI

        DEBUG = True
        app = FastAPI()
        other = FastAPI(debug=DEBUG)

        def main() -> None:
            uvicorn.run("main:app", host="0.0.0.0")
        """,
    ),
    Case(
        "the default of a setting",
        {
            "app/__init__.py": "",
            "app/settings.py": """
            from pydantic import Field
            from pydantic_settings import BaseSettings

            class Settings(BaseSettings):
                debug: bool = Field(True, description="Tracebacks in answers")
                trace: bool = False

            settings = Settings()
            """,
            "app/main.py": """
            from fastapi import FastAPI
            from app.settings import settings

            app = FastAPI(debug=settings.debug)  # <-
            inner = FastAPI(debug=settings.trace)
            """,
        },
    ),
    case(
        "under a condition, in a main block, for development",
        """
        import os
        import uvicorn
        from fastapi import FastAPI

        if os.getenv("DEBUG"):
            app = FastAPI(debug=True)
        else:
            app = FastAPI(docs_url=None)

        def run_dev() -> None:
            uvicorn.run("main:app", reload=True)

        def main(reload: bool = False) -> None:
            uvicorn.run("main:app", reload=reload)

        @cli.command("develop")
        def start() -> None:
            uvicorn.run("main:app", reload=True)

        if __name__ == "__main__":
            uvicorn.run("main:app", reload=True)
        """,
    ),
    case(
        "in what the file runs when it is started by hand",
        """
        import uvicorn
        from fastapi import FastAPI

        app = FastAPI()

        def main() -> None:
            uvicorn.run("main:app", reload=True)

        if __name__ == "__main__":
            main()
        """,
    ),
)
