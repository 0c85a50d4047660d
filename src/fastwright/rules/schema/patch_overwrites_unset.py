"""A PATCH changes what the client sent, and nothing else.

`model_dump()` gives every field, those that the client left out with their defaults: written to
the row, it sets them to `None`, or raises where the column does not allow it.
`model_dump(exclude_unset=True)` gives what was sent.

Reported for PATCH endpoints, and for PUT and POST with a model of which every field is optional,
where the dump is written whole to a row (`setattr` in a loop, `sqlmodel_update`,
`update().values(**...)`), in the endpoint or in what it calls. A model without defaults, a dump
that leaves out unset or empty fields, and a loop that asks before it writes are right.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.models import Field
from fastwright.app.routes import Route
from fastwright.app.symbols import Class
from fastwright.edit.builders import add_argument
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_calls, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._dumps import body_schemas, writes


def check(app: App) -> Iterator[Hit]:
    """Report each dump that overwrites what the client did not send, with the way to it."""
    seen: set[int] = set()
    for route in app.routes:
        if route.endpoint is None or not _may_update(route):
            continue
        schemas = [cls for _, _, cls in body_schemas(app, route) if _has_optional(app, route, cls)]
        if not schemas:
            continue
        reached = app.calls.reach([route.endpoint])
        for schema in schemas:
            for step, write in writes(app, reached, schema):
                node = write.dump.node
                if write.kind != "update" or write.dump.partial or id(node) in seen:
                    continue
                seen.add(id(node))
                message = (
                    f"{route.label} writes {schema.name}.{s.last_name(node)}() to the row:"
                    f" fields that the client did not send are overwritten"
                )
                chain = (
                    *of_route(route),
                    *of_calls(step.chain),
                    evidence(step.function.module, node, f"every field of {schema.name}"),
                    evidence(write.function.module, write.node, "written to the row"),
                )
                module = step.function.module
                fix = Fix("safe", (add_argument(module, node, "exclude_unset=True"),))
                yield Hit(place(module, node), message, chain, fix)


def _may_update(route: Route) -> bool:
    return not {"PATCH", "PUT", "POST"}.isdisjoint(route.methods)


def _has_optional(app: App, route: Route, cls: Class) -> bool:
    """Whether the model has fields to leave out: one for PATCH, all of them for other methods."""
    schema = app.models.schema(cls)
    if schema is None or not schema.fields:
        return False
    optional = [_is_optional(field) for field in schema.fields.values()]
    if "PATCH" in route.methods:
        return any(optional)
    return all(optional) and len(optional) > 1


def _is_optional(field: Field) -> bool:
    """``= None``, or a ``Field`` with that default."""
    default = field.default
    if isinstance(default, s.Call):
        default = default.argument(0, "default")
    return isinstance(default, s.Constant) and default.kind == "none"


RULE = Rule(
    summary="a PATCH that overwrites what was not sent",
    severity="error",
    mend="`body.model_dump(exclude_unset=True)`.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/body-updates/#partial-updates-with-patch",),
)

_MODELS = """
from pydantic import BaseModel
from sqlmodel import Field, SQLModel

class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str | None = None
    street: str = ""

class OrderUpdate(BaseModel):
    note: str | None = None
    street: str | None = Field(default=None, max_length=80)
"""

CASES = (
    Case(
        "two modules below the endpoint",
        {
            "app/__init__.py": "",
            "app/models.py": _MODELS,
            "app/service.py": """
            from sqlmodel import Session
            from app.models import Order, OrderUpdate

            def update(session: Session, order: Order, data: OrderUpdate) -> Order:
                for name, value in data.model_dump().items():  # <-
                    setattr(order, name, value)
                session.add(order)
                return order
            """,
            "app/main.py": """
            from fastapi import FastAPI
            from sqlmodel import Session
            from app import service
            from app.models import Order, OrderUpdate

            app = FastAPI()

            @app.patch("/orders/{id}")
            def patch(id: int, data: OrderUpdate) -> Order:
                session = Session()
                return service.update(session, session.get(Order, id), data)
            """,
        },
        after={
            "app/service.py": """
            from sqlmodel import Session
            from app.models import Order, OrderUpdate

            def update(session: Session, order: Order, data: OrderUpdate) -> Order:
                for name, value in data.model_dump(exclude_unset=True).items():
                    setattr(order, name, value)
                session.add(order)
                return order
            """,
        },
    ),
    Case(
        "through a name, sqlmodel_update, and a PUT of which everything is optional",
        {
            "app/__init__.py": "",
            "app/models.py": _MODELS,
            "app/main.py": """
            from fastapi import FastAPI
            from sqlmodel import Session, update
            from app.models import Order, OrderUpdate

            app = FastAPI()

            def write(order: Order, values: dict) -> None:
                for name, value in values.items():
                    setattr(order, name, value)

            @app.patch("/orders/{id}")
            def patch(id: int, data: OrderUpdate) -> None:
                values = data.model_dump()  # <-
                Session().get(Order, id).sqlmodel_update(values)

            @app.patch("/all")
            def all_(data: OrderUpdate) -> None:
                Session().exec(update(Order).values(**data.dict()))  # <-

            @app.put("/orders/{id}")
            def put(id: int, data: OrderUpdate) -> None:
                write(Session().get(Order, id), data.model_dump())  # <-
            """,
        },
        after={
            "app/main.py": """
            from fastapi import FastAPI
            from sqlmodel import Session, update
            from app.models import Order, OrderUpdate

            app = FastAPI()

            def write(order: Order, values: dict) -> None:
                for name, value in values.items():
                    setattr(order, name, value)

            @app.patch("/orders/{id}")
            def patch(id: int, data: OrderUpdate) -> None:
                values = data.model_dump(exclude_unset=True)
                Session().get(Order, id).sqlmodel_update(values)

            @app.patch("/all")
            def all_(data: OrderUpdate) -> None:
                Session().exec(update(Order).values(**data.dict(exclude_unset=True)))

            @app.put("/orders/{id}")
            def put(id: int, data: OrderUpdate) -> None:
                write(Session().get(Order, id), data.model_dump(exclude_unset=True))
            """,
        },
    ),
    Case(
        "only what was sent, or only what is something",
        {
            "app/__init__.py": "",
            "app/models.py": _MODELS,
            "app/main.py": """
            from fastapi import FastAPI
            from sqlmodel import Session
            from app.models import Order, OrderUpdate

            app = FastAPI()

            @app.patch("/one/{id}")
            def one(id: int, data: OrderUpdate) -> None:
                Session().get(Order, id).sqlmodel_update(data.model_dump(exclude_unset=True))

            @app.patch("/two/{id}")
            def two(id: int, data: OrderUpdate) -> None:
                order = Session().get(Order, id)
                for name, value in data.model_dump().items():
                    if value is not None:
                        setattr(order, name, value)

            @app.patch("/three/{id}")
            def three(id: int, data: OrderUpdate) -> None:
                values = data.model_dump()
                values = {k: v for k, v in values.items() if v is not None}
                Session().get(Order, id).sqlmodel_update(values)
            """,
        },
    ),
    Case(
        "a new row, and a model of which nothing can be left out",
        {
            "app/__init__.py": "",
            "app/models.py": _MODELS,
            "app/main.py": """
            from fastapi import FastAPI
            from pydantic import BaseModel
            from sqlmodel import Session
            from app.models import Order, OrderUpdate

            app = FastAPI()

            class Address(BaseModel):
                street: str

            @app.post("/orders")
            def create(data: OrderUpdate) -> None:
                Session().add(Order(**data.model_dump()))

            @app.patch("/orders/{id}")
            def move(id: int, data: Address) -> None:
                Session().get(Order, id).sqlmodel_update(data.model_dump())

            @app.put("/orders/{id}")
            def put(id: int, data: Address) -> None:
                Session().get(Order, id).sqlmodel_update(data.model_dump())
            """,
        },
    ),
    case(
        "what is dumped is not the body",
        """
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Patch(BaseModel):
            note: str | None = None

        @app.patch("/orders/{id}")
        def patch(id: int, data: Patch) -> dict:
            return data.model_dump()
        """,
    ),
)
