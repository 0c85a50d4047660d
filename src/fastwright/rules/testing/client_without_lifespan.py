"""A test client of an application with a lifespan is entered.

`TestClient(app)` alone does not start the application: the lifespan (and `startup` handlers) run only inside of
`with TestClient(app) as client:`. An endpoint that reads what start-up puts into `app.state` then fails with an
AttributeError, or passes because another test entered a client before it.

Reported where a client is made and not entered, a test sends a request by a literal path with it, and what
answers surely reads an attribute of `app.state` that only start-up sets. The rule is silent about a suite that
touches `state` itself or starts the application in another way, about functions that the tests override,
about reads under a condition or in a `try`, about routes whose dependencies may refuse the request, and about
tests that expect an error. What start-up leaves in module variables is not followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from fastwright.app.calls import Step
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.setup.result import Application
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Function, Variable
from fastwright.edit import source as at
from fastwright.edit.builders import block_of, delete_statements, replace, under
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.endpoint._paths import is_certain, pattern
from fastwright.rules.evidence import evidence, of_calls, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule
from fastwright.rules.testing._fixtures import fixture, fixture_call, of_application

_CLIENT = "testclient.TestClient"
_VERBS = frozenset({"get", "post", "put", "patch", "delete"})
_PATCHING = frozenset({"patch", "setattr", "object"})
_STARTING = frozenset(
    {"LifespanManager", "lifespan_context", "startup", "__enter__", "enter_context"}
)


class _Client(NamedTuple):
    """A client that is made and not entered, and the name that tests have it under."""

    module: Module
    node: s.Call
    name: str
    maker: Function | None
    """The fixture or test that makes it; None at module level."""
    application: Application


class _Read(NamedTuple):
    """Where what answers a request reads what start-up sets."""

    route: Route
    step: Step
    node: s.Attribute


def check(app: App) -> Iterator[Hit]:
    """Report clients that are not entered and whose requests need what start-up sets."""
    modules = [module for module in app.tests if "TestClient" in module.header.marks]
    if not modules:
        return
    started = {id(each.node): names for each in app.applications if (names := _set(app, each))}
    sharing = [m for m in app.tests if m in modules or m.path.endswith("conftest.py")]
    if not started or any(_starts_otherwise(module) for module in sharing):
        return
    elsewhere = _set_elsewhere(app)
    replaced = {name for module in sharing for name in _replaced(module)}
    for module in modules:
        for client in _clients(app, module):
            names = started.get(id(client.application.node), set())
            if names:
                yield from _first(_unserved(app, client, names - elsewhere, replaced, modules))


def _first(hits: Iterator[Hit]) -> Iterator[Hit]:
    yield from islice(hits, 1)


def _hit(client: _Client, test: Function, request: s.Call, read: _Read) -> Hit:
    chain = (
        evidence(client.module, client.node, "made, and not entered"),
        evidence(test.module, request, f"{test.name} sends {read.route.label}"),
        *of_route(read.route),
        *of_calls(read.step.chain),
        evidence(read.step.function.module, read.node, "only start-up sets it"),
    )
    message = (
        f"{client.name} is not entered, so the application does not start: {read.route.label} reads"
        f" {s.dotted(read.node) or read.node.attr}, which only start-up sets"
    )
    return Hit(place(client.module, client.node), message, chain, _fix(client))


def _fix(client: _Client) -> Fix | None:
    """Return the fix that enters the client: in its fixture, or around the rest of the test."""
    module, maker = client.module, client.maker
    found = block_of(maker.node.body, client.node) if maker is not None else None
    if maker is None or found is None:
        return None  # of the module: tests would need a fixture
    block, statement = found
    entered = f"with {at.text(module, client.node)} as"
    if isinstance(statement, s.Assign) and block[-1] is not statement:
        rest = block[block.index(statement) + 1 :]
        edits = under(module, rest, f"{entered} {client.name}:")
        gone = delete_statements(module, block, [statement])
        return Fix("safe", (*gone, *edits)) if edits is not None else None
    given = isinstance(statement, s.Return)
    given = given or (isinstance(statement, s.ExprStmt) and isinstance(statement.value, s.Yield))
    if not given or maker.node.body[-1] is not statement or _knows(maker, "client"):
        return None
    if sum(isinstance(node, (s.Return, s.Yield)) for node in s.walk_scope(*block)) != 1:
        return None
    text = f"{entered} client:\n{at.indentation(module.source, statement.start)}"
    edit = replace(module, statement, f"{text}{at.step(module)}yield client")
    returns = maker.node.returns
    if returns is None or isinstance(statement, s.ExprStmt):
        return Fix("safe", (edit,))
    iterator = bring(module, "collections.abc", "Iterator")
    if iterator is None:
        return None
    yielded = replace(module, returns, f"{iterator.name}[{at.text(module, returns)}]")
    return Fix("safe", (yielded, edit), iterator.imports)


def _knows(function: Function, name: str) -> bool:
    return any(isinstance(node, s.Name) and node.id == name for node in s.walk(*function.node.body))


# ------------------------------------------------------------------------- start-up


def _starting(application: Application) -> list[Function]:
    found = [each.function for each in application.event_handlers if each.event == "startup"]
    return [each for each in (application.lifespan, *found) if each is not None]


def _set(app: App, application: Application) -> set[str]:
    """Return the attributes of the state that start-up sets."""
    roots = _starting(application)
    return (
        {name for step in app.calls.reach(roots) for name in _assigned(app, step.function)}
        if roots
        else set()
    )


def _assigned(app: App, function: Function) -> Iterator[str]:
    for node, _ in app.calls.of_kind(function, s.Assign):
        for target in node.targets:
            if isinstance(target, s.Attribute) and _is_state(target.value):
                yield target.attr


def _is_state(node: s.Expr) -> bool:
    return s.last_name(node) == "state" and isinstance(node, (s.Attribute, s.Name))


def _set_elsewhere(app: App) -> set[str]:
    """Return the attributes of a state that code which is not start-up sets as well."""
    starting = {
        id(step.function.node)
        for application in app.applications
        for step in app.calls.reach(_starting(application))
    }
    found: set[str] = set()
    for module in app.web_modules:
        for node in s.walk_scope(*module.facts.body):
            if isinstance(node, s.Assign):
                found.update(t.attr for t in node.targets if isinstance(t, s.Attribute))
        for function in app.every_function(module):
            if id(function.node) not in starting:
                found.update(_assigned(app, function))
    return found


# ------------------------------------------------------------------------- the tests


def _starts_otherwise(module: Module) -> bool:
    """Whether tests set state, or start the application, in another way."""
    return any(
        (isinstance(node, s.Attribute) and node.attr in _STARTING | {"state"})
        or (isinstance(node, s.Name) and node.id in _STARTING)
        for node in module.walk()
    )


def _replaced(module: Module) -> Iterator[str]:
    """Yield the names of what tests put something else in the place of."""
    for node in module.walk():
        if isinstance(node, s.Subscript) and s.last_name(node.value) == "dependency_overrides":
            yield s.last_name(node.slice) or ""
        elif isinstance(node, s.Call) and s.last_name(node.func) in _PATCHING:
            for given in node.args:
                yield (s.string(given) or "").rpartition(".")[2]


def _clients(app: App, module: Module) -> Iterator[_Client]:
    entered = _entered(module)
    for name, binding in app.linker.scope(module).names.items():
        if isinstance(binding, Variable) and isinstance(binding.value, s.Call):
            symbol = app.linker.expression(binding.value.argument(0, "app"), module)
            application = _application(app, symbol)
            if application and name not in entered and _is_client(app, binding.value, module, None):
                yield _Client(module, binding.value, name, None, application)
    for function in app.every_function(module, frozenset({"TestClient"})):
        yield from _clients_of(app, function, entered)


def _clients_of(app: App, function: Function, entered: set[str]) -> Iterator[_Client]:
    for node in s.walk_scope(*function.node.body):
        value = node.value if isinstance(node, (s.Assign, s.Return, s.Yield)) else None
        if not isinstance(value, s.Call):
            continue
        if not _is_client(app, value, function.module, function):
            continue
        given = value.argument(0, "app")
        symbol = of_application(app, given, function) if given is not None else None
        application = _application(app, symbol)
        names = (
            [t.id for t in node.targets if isinstance(t, s.Name)]
            if isinstance(node, s.Assign)
            else []
        )
        if application is None or not entered.isdisjoint([*names, function.name]):
            continue
        if fixture_call(function) is not None:
            yield _Client(function.module, value, function.name, function, application)
        elif names:
            yield _Client(function.module, value, names[0], function, application)


def _entered(module: Module) -> set[str]:
    """Return the names that are entered anywhere in a file: ``with client:``."""
    return {
        item.context_expr.id
        for node in module.walk()
        if isinstance(node, s.With)
        for item in node.items
        if isinstance(item.context_expr, s.Name)
    }


def _is_client(app: App, node: s.Call, module: Module, function: Function | None) -> bool:
    return (app.linker.external(node.func, module, function) or "").endswith(_CLIENT)


def _application(app: App, symbol: object) -> Application | None:
    """Return the application that a module-level name holds."""
    if not isinstance(symbol, Variable):
        return None
    for each in app.applications:
        if each.module is symbol.module and each.name == symbol.name and each.function is None:
            return each
    return None


def _requests(
    app: App, client: _Client, modules: list[Module]
) -> Iterator[tuple[Function, s.Call, str]]:
    """Yield the requests that tests send by a literal path, with the test and the path."""
    shared = client.maker is not None and fixture_call(client.maker) is not None
    for module in modules if shared else [client.module]:
        for test in app.every_function(module, _VERBS):
            if not _has(app, test, client, shared=shared) or _expects_error(test):
                continue
            for call, around in app.calls.of_kind(test, s.Call):
                on = call.func.value if isinstance(call.func, s.Attribute) else None
                path = s.string(call.argument(0, "url"))
                if isinstance(on, s.Name) and on.id == client.name and path and _is_sure(around):
                    yield test, call, path.partition("?")[0]


def _has(app: App, test: Function, client: _Client, *, shared: bool) -> bool:
    """Whether a function is a test that has this client."""
    if not test.name.startswith("test"):
        return False
    given = any(parameter.name == client.name for parameter in test.node.params)
    if shared:
        found = fixture(app, client.name, test.module) if given else None
        return found is not None and found is client.maker
    return test is client.maker if client.maker is not None else not given


def _expects_error(test: Function) -> bool:
    return any(
        (isinstance(node, s.Constant) and node.kind == "int" and 400 <= int(node.value or 0) < 600)
        or (isinstance(node, s.Attribute) and node.attr.startswith(("HTTP_4", "HTTP_5", "raises")))
        for node in s.walk(*test.node.body)
    )


def _is_sure(around: Surroundings) -> bool:
    """Whether a place surely is come to, and what goes wrong there is not caught."""
    return not (
        around.branches or around.handled or around.deferred or around.tries or around.loops
    )


# --------------------------------------------------------------------- what they need


def _unserved(
    app: App, client: _Client, names: set[str], replaced: set[str], modules: list[Module]
) -> Iterator[Hit]:
    """Yield a hit for each request that needs what start-up would have set."""
    records = {id(record) for record in client.application.routes}
    routes = [route for route in app.routes if id(route.record) in records and is_certain(route)]
    for test, request, path in _requests(app, client, modules):
        method = (s.last_name(request) or "").upper()
        for route in routes:
            if method in route.methods and pattern(route.path).match(path):
                read = _read(app, route, names, replaced)
                if read is not None:
                    yield _hit(client, test, request, read)
                break


def _read(app: App, route: Route, names: set[str], replaced: set[str]) -> _Read | None:
    """Return where answering surely reads one of the attributes."""
    dependencies = [each.function for each in route.all_dependencies() if each.function]
    roots = [*dependencies, *([route.endpoint] if route.endpoint is not None else [])]
    if route.authentication is not None or any(app.raises.of(each) for each in dependencies):
        return None
    for step in app.calls.reach(roots, lambda site, _: _is_sure(site.around)):
        callers = {site.caller.name for site in step.chain}
        if not replaced.isdisjoint({step.function.name, *callers}):
            continue
        for node, around in app.calls.of_kind(step.function, s.Attribute):
            if node.attr in names and _is_state(node.value) and _is_sure(around):
                if not _may_end_before(app, step.function, node):
                    return _Read(route, step, node)
    return None


def _may_end_before(app: App, function: Function, node: s.Node) -> bool:
    return any(
        found.start < node.start and found.end < node.start
        for kind in (s.Return, s.Raise)
        for found, _ in app.calls.of_kind(function, kind)
    )


RULE = Rule(
    summary="a test client that is not entered, of an application that must be started",
    severity="warning",
    mend="Make it in a fixture: `with TestClient(app) as client: yield client`.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/advanced/testing-events/",
        "https://www.starlette.io/lifespan/",
    ),
)

_MAIN = """
from contextlib import asynccontextmanager
from fastapi import Depends, FastAPI, Request

@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.pool = object()
    yield

app = FastAPI(lifespan=lifespan)

def get_pool(request: Request) -> object:
    return request.app.state.pool

@app.get("/items/{id}")
def read(id: int, pool: object = Depends(get_pool)) -> int:
    return id

@app.get("/health")
def health() -> str:
    return "ok"

@app.get("/maybe")
def maybe(request: Request) -> str:
    return str(getattr(request.app.state, "pool", None))
"""

CASES = (
    Case(
        "at module level, and in a fixture",
        {
            "main.py": _MAIN,
            "tests/conftest.py": """
            import pytest
            from fastapi.testclient import TestClient
            from main import app

            @pytest.fixture
            def api() -> TestClient:
                return TestClient(app)  # <-
            """,
            "tests/test_items.py": """
            from fastapi.testclient import TestClient
            from main import app

            client = TestClient(app)  # <-

            def test_read():
                assert client.get("/items/1").status_code == 200

            def test_other(api):
                assert api.get("/items/2?full=1").json() == 2

            def test_own():
                own = TestClient(app)  # <-
                assert own.get("/items/1").json() == 1
            """,
        },
        after={
            "tests/conftest.py": """
            from collections.abc import Iterator

            import pytest
            from fastapi.testclient import TestClient
            from main import app

            @pytest.fixture
            def api() -> Iterator[TestClient]:
                with TestClient(app) as client:
                    yield client
            """,
            "tests/test_items.py": """
            from fastapi.testclient import TestClient
            from main import app

            client = TestClient(app)

            def test_read():
                assert client.get("/items/1").status_code == 200

            def test_other(api):
                assert api.get("/items/2?full=1").json() == 2

            def test_own():
                with TestClient(app) as own:
                    assert own.get("/items/1").json() == 1
            """,
        },
    ),
    Case(
        "entered, or nothing that start-up sets is read",
        {
            "main.py": _MAIN,
            "tests/test_items.py": """
            import pytest
            from fastapi.testclient import TestClient
            from main import app

            client = TestClient(app)

            @pytest.fixture
            def started():
                with TestClient(app) as client:
                    yield client

            def test_health():
                assert client.get("/health").json() == "ok"
                assert client.get("/maybe").json() == "None"

            def test_read(started):
                assert started.get("/items/1").status_code == 200

            def test_not_an_id():
                assert client.get("/items/a").status_code == 422
            """,
        },
    ),
    Case(
        "the tests set the state",
        {
            "main.py": _MAIN,
            "tests/test_items.py": """
            from fastapi.testclient import TestClient
            from main import app

            app.state.pool = object()
            client = TestClient(app)

            def test_read():
                assert client.get("/items/1").status_code == 200
            """,
        },
    ),
    Case(
        "the tests override what reads it",
        {
            "main.py": _MAIN,
            "tests/test_items.py": """
            from fastapi.testclient import TestClient
            from main import app, get_pool

            app.dependency_overrides[get_pool] = object
            client = TestClient(app)

            def test_read():
                assert client.get("/items/1").status_code == 200
            """,
        },
    ),
)
