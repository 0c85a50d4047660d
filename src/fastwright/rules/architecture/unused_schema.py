"""A schema that nobody uses is deleted.

It is read, kept up to date and searched through as if it were part of the API; what it says is not true of
anything. Version control keeps it.

Reported are Pydantic and SQLModel schemas of the application whose name stands nowhere else: in no
annotation, call, base class, text or test. Off by default: a library, or an application with plug-ins, has
schemas that others import. Left alone are decorated classes, classes with methods or abstract bases (tools
and the like are found by looking), those that may be found through their base (`__subclasses__`), and names that a text is made into (`f"{kind}Config"`).
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Class
from fastwright.rules.architecture._unused import unused
from fastwright.rules.evidence import name_place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule


def check(app: App) -> Iterator[Hit]:
    """Report schemas that nothing refers to."""
    if not app.routes:
        return
    used = {
        id(cls.node)
        for route in app.routes
        for parameter in route.parameters
        if isinstance(cls := getattr(parameter.type, "cls", None), Class)
    }
    candidates = [
        schema.cls
        for schema in app.schemas
        if not schema.is_settings and id(schema.cls.node) not in used and _is_plain(app, schema.cls)
    ]
    for cls in unused(app, candidates):
        yield Hit(name_place(cls), f"nothing uses the schema {cls.name}")


def _is_plain(app: App, cls: Class) -> bool:
    """Whether a class can be found by its name only."""
    if cls.node.decorators or cls.outer is not None or cls.name.startswith("__"):
        return False
    if cls.node.keywords and any(keyword.arg != "table" for keyword in cls.node.keywords):
        return False
    ancestors = [a for a in app.linker.mro(cls) if isinstance(a, Class)]
    return _holds_data(cls) and not any(
        "__init_subclass__" in ancestor.own_methods
        or ancestor.node.decorators
        or any("abstractmethod" in m.decorator_names for m in ancestor.own_methods.values())
        or _asks_for_subclasses(ancestor)
        for ancestor in ancestors
    )


def _holds_data(cls: Class) -> bool:
    """Whether a class has no methods of its own but validators: what does work may be loaded by others."""
    return all(
        name.startswith("__") or method.node.decorators for name, method in cls.own_methods.items()
    )


def _asks_for_subclasses(cls: Class) -> bool:
    return any("__subclasses__" in method.node.called for method in cls.own_methods.values())


RULE = Rule(
    summary="a schema that nothing uses",
    severity="info",
    confidence="medium",
    default=False,
    mend="Delete it.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/response-model/",),
)

CASES = (
    Case(
        "one that only its package hands on, and one that only names itself",
        {
            "app/__init__.py": "",
            "app/schemas/__init__.py": """
            from app.schemas.orders import OrderIn, OrderOld
            """,
            "app/schemas/orders.py": """
            from pydantic import BaseModel

            class OrderIn(BaseModel):
                name: str

            class OrderOld(BaseModel):  # <-
                name: str

            class Tree(BaseModel):  # <-
                children: "list[Tree]" = []
            """,
            "app/main.py": """
            from fastapi import FastAPI
            from app import schemas

            app = FastAPI()

            @app.post("/orders")
            def create(order: schemas.OrderIn) -> None: ...
            """,
        },
    ),
    Case(
        "used as a base, in an annotation, in a test, through the base, by a decorator, by a made name",
        {
            "main.py": """
            from fastapi import FastAPI
            from pydantic import BaseModel

            app = FastAPI()

            class Base(BaseModel):
                id: int

            class Item(Base):
                parts: "list[Part]"

            class Part(BaseModel):
                name: str

            class Event(BaseModel):
                @classmethod
                def kinds(cls) -> list[type]:
                    return cls.__subclasses__()

            class Created(Event):
                id: int

            def register(cls):
                return cls

            @register
            class Hook(BaseModel):
                url: str

            class Sample(BaseModel):
                name: str

            class WebSearch(BaseModel):
                name: str = "search"

                def execute(self, text: str) -> str:
                    return text

            class RedisConfig(BaseModel):
                host: str

            def config_of(kind: str) -> type:
                return globals()[f"{kind}Config"]

            @app.post("/items")
            def create(item: Item) -> list[type]:
                return Event.kinds()
            """,
            "tests/test_main.py": """
            import main

            def test_sample() -> None:
                assert main.Sample(name="a").name == "a"
            """,
        },
    ),
    Case(
        "a project without routes is a library: others use it",
        {
            "models.py": """
            from pydantic import BaseModel

            class Point(BaseModel):
                x: int
            """,
        },
    ),
)
