"""What was created is answered with 201.

201 (Created) says that the request made something new (RFC 9110, 9.3.3 and 15.3.2); 200 only that it went
well. Clients, caches, gateways and the generated documentation tell the two apart, people who read logs do
as well. FastAPI answers 200 unless the route says `status_code=201`.

Reported where a POST surely inserts a row that it made, is named after that (`create_order`, or `/orders`
for the table Order), and declares no status. An endpoint that may find the row there already (upsert,
get or create), sets the status itself, makes its response by hand, or only notes something down (logs,
events, audits) is left alone. Clients may compare the status with 200: tell them when it changes.

The fix changes the contract: the route answers 201, and the OpenAPI document says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite, Execution, Step
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject
from fastwright.edit.fix import Fix
from fastwright.edit.names import module_level_imports
from fastwright.read import syntax as s
from fastwright.rules.endpoint._declaring import add_keyword
from fastwright.rules.endpoint._paths import PARAMETER
from fastwright.rules.evidence import evidence, name_place, of_calls, of_route
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_CREATES = re.compile(r"_*(create|add|insert|register|new)(_|$)")
_NOTES = re.compile(
    r"log|event|audit|visit|history|metric|usage|session|token|cache|attempt|view|grant|otp|stats",
    re.IGNORECASE,
)
_MADE_BY = frozenset({"model_validate", "from_orm", "parse_obj", "model_construct", "construct"})
_SUFFIXES = frozenset({"model", "table", "orm", "db", "row", "entity"})
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


def check(app: App) -> Iterator[Hit]:
    """Report POST routes that insert a row and answer 200."""
    seen: set[int] = set()
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or id(endpoint.node) in seen or not _answers_200(app, route):
            continue
        seen.add(id(endpoint.node))
        found = _inserted(app, route)
        if found is None:
            continue
        step, execution, table = found
        message = f"{route.label} creates a row of {table.name} and answers 200: 201 says so"
        chain = (
            *of_route(route),
            *of_calls(step.chain),
            evidence(execution.site.module, execution.site.node, f"inserts {table.name}"),
        )
        added = add_keyword(route, "status_code", _created(route))
        fix = Fix("contract", (added,)) if added is not None else None
        yield Hit(name_place(endpoint), message, chain, fix)


def _created(route: Route) -> str:
    """Return 201 as the file writes statuses: ``status.HTTP_201_CREATED`` where it has them."""
    for name, origin in module_level_imports(route.module).items():
        if origin in {"fastapi.status", "starlette.status"}:
            return f"{name}.HTTP_201_CREATED"
    return "201"


def _answers_200(app: App, route: Route) -> bool:
    """Whether a POST route surely answers with FastAPI's default status."""
    record, endpoint = route.record, route.endpoint
    if endpoint is None or record.starlette or route.kind != "http" or route.methods != ("POST",):
        return False
    if not {"status_code", "response_class"}.isdisjoint(record.keywords):
        return False
    if endpoint.node.is_generator:
        return False
    where = Where(endpoint.module, endpoint)
    for node, _ in app.calls.nodes(endpoint):
        if isinstance(node, s.Attribute) and node.attr == "status_code":
            return False
        if isinstance(node, s.Call):
            name = s.last_name(node) or ""
            made = app.types.of(node, where)
            if name.endswith("Response") and node.keyword("content") is not None:
                return False
            if app.is_response(made) or name.endswith(("TemplateResponse", "RedirectResponse")):
                return False
    return True


def _inserted(app: App, route: Route) -> tuple[Step, Execution, Class] | None:
    """Return the first insertion that the endpoint surely makes and is named after."""
    if route.endpoint is None:
        return None
    for step in app.calls.reach([route.endpoint], lambda site, _: _is_plain(app, site)):
        for execution in app.calls.executions(step.function):
            if execution.kind != "write" or not _is_plain(app, execution.site):
                continue
            table = _new_row(app, step, execution)
            if table is None or _NOTES.search(table.name):
                continue
            if _is_named_after(route, table):
                return step, execution, table
    return None


def _is_plain(app: App, site: CallSite) -> bool:
    """Whether a call surely runs: under no condition, and nothing returns before it."""
    around = site.around
    if around.branches or around.handled or around.deferred or around.loops:
        return False
    return not any(
        node.start < site.node.start and node.end < site.node.start
        for node, _ in app.calls.of_kind(site.caller, s.Return)
    )


def _new_row(app: App, step: Step, execution: Execution) -> Class | None:
    """Return the table of which a row is inserted, None where it may have been there."""
    site = execution.site
    query = execution.query
    if query is not None:
        upsert = any((s.last_name(each) or "").startswith("on_conflict") for each in query.steps)
        return execution.table if query.kind == "insert" and not upsert else None
    if site.method != "add" or not site.node.args:
        return None
    return _made(app, site.node.args[0], site.caller, step)


def _made(app: App, node: s.Expr, function: Function, step: Step | None) -> Class | None:
    """Return the table whose row ``node`` is, if it was surely made here or by a caller."""
    where = Where(function.module, function)
    if isinstance(node, s.Name):
        bounds = [b for b in app.types.locals.of(function).get(node.id, []) if b.offset < node.end]
        if len(bounds) != 1:
            return None
        bound = bounds[0]
        if bound.parameter is not None:
            given = _given(bound.parameter, function, step)
            return _made(app, given[0], given[1].caller, given[2]) if given else None
        if bound.how != "assign" or bound.value is None or bound.path:
            return None
        return _made(app, bound.value, function, step)
    if not isinstance(node, s.Call):
        return None
    callee: s.Expr = node.func
    if isinstance(callee, s.Attribute) and callee.attr in _MADE_BY:
        callee = callee.value
    found = app.types.of(callee, where)
    if isinstance(found, ClassObject) and isinstance(found.cls, Class):
        if any(keyword.arg == "id" for keyword in node.keywords) and len(node.keywords) == 1:
            return None  # a row known by its key
        return found.cls if app.types.is_table(found.cls) else None
    return None


def _given(
    parameter: s.Parameter, function: Function, step: Step | None
) -> tuple[s.Expr, CallSite, Step | None] | None:
    """Return what the call that led here gives for a parameter."""
    if step is None or step.site is None or parameter not in function.parameters:
        return None
    position = function.parameters.index(parameter)
    given = step.site.node.argument(position, parameter.name)
    return (given, step.site, step.before) if given is not None else None


def _is_named_after(route: Route, table: Class) -> bool:
    """``create_x``, or a path that ends with the name of the table."""
    if route.endpoint is None:
        return False
    name = [word for word in _words(table.name) if word not in _SUFFIXES]
    path = PARAMETER.sub("", route.path)
    if _CREATES.match(route.endpoint.name) and "_to_" not in route.endpoint.name:
        return not set(name).isdisjoint(_words(f"{path}/{route.endpoint.name}"))
    last = route.path.rstrip("/").rpartition("/")[2]
    return "{" not in last and bool(name) and _words(last) == name


def _words(text: str) -> list[str]:
    """Return the words of a name or path in small letters, without a plural's ending."""
    return [_singular(word.lower()) for word in _WORD.findall(text)]


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


RULE = Rule(
    summary="a POST that creates and answers 200",
    severity="info",
    confidence="medium",
    mend="Declare it: `status_code=status.HTTP_201_CREATED`.",
    app=check,
    references=(
        "https://www.rfc-editor.org/rfc/rfc9110#section-15.3.2",
        "https://fastapi.tiangolo.com/tutorial/response-status-code/",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Field, Session, SQLModel, create_engine, select

class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str

class OrderIn(SQLModel):
    name: str

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()

def save(session: Session, row: SQLModel) -> None:
    session.add(row)
    session.commit()
"""

CASES = (
    case(
        "in the endpoint, and through a function",
        _HEAD
        + """
@app.post("/orders")
def place_one(data: OrderIn, session: SessionDep) -> Order:  # <-
    order = Order.model_validate(data)
    session.add(order)
    session.commit()
    return order

@app.post("/shop")
def create_order(data: OrderIn, session: SessionDep) -> Order:  # <-
    order = Order(name=data.name)
    save(session, order)
    return order
""",
        after="""
        from typing import Annotated
        from fastapi import Depends, FastAPI, Response
        from fastapi.responses import RedirectResponse
        from sqlmodel import Field, Session, SQLModel, create_engine, select

        class Order(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            name: str

        class OrderIn(SQLModel):
            name: str

        engine = create_engine("sqlite://")

        def get_session():
            with Session(engine) as session:
                yield session

        SessionDep = Annotated[Session, Depends(get_session)]
        app = FastAPI()

        def save(session: Session, row: SQLModel) -> None:
            session.add(row)
            session.commit()

        @app.post("/orders", status_code=201)
        def place_one(data: OrderIn, session: SessionDep) -> Order:
            order = Order.model_validate(data)
            session.add(order)
            session.commit()
            return order

        @app.post("/shop", status_code=201)
        def create_order(data: OrderIn, session: SessionDep) -> Order:
            order = Order(name=data.name)
            save(session, order)
            return order
        """,
    ),
    case(
        "says 201, updates, upserts, redirects, or does something else",
        _HEAD
        + """
@app.post("/orders", status_code=201)
def create(data: OrderIn, session: SessionDep) -> Order:
    order = Order(name=data.name)
    save(session, order)
    return order

@app.post("/by-hand/orders")
def by_hand(data: OrderIn, session: SessionDep, response: Response) -> Order:
    order = Order(name=data.name)
    save(session, order)
    response.status_code = 201
    return order

@app.post("/form/orders")
def form(data: OrderIn, session: SessionDep):
    save(session, Order(name=data.name))
    return RedirectResponse("/orders", status_code=303)

@app.post("/orders/{id}/rename")
def rename(id: int, data: OrderIn, session: SessionDep) -> Order:
    order = session.get(Order, id)
    order.name = data.name
    session.add(order)
    session.commit()
    return order

@app.post("/known/orders")
def create_or_get(data: OrderIn, session: SessionDep) -> Order:
    known = session.exec(select(Order).where(Order.name == data.name)).first()
    if known:
        return known
    order = Order(name=data.name)
    session.add(order)
    session.commit()
    return order

@app.post("/orders/import")
def run_import(data: OrderIn, session: SessionDep) -> int:
    save(session, Order(name=data.name))
    return 1
""",
    ),
)
