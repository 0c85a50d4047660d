"""A request body holds what the client may decide, and nothing else.

A table class as body lets the client set every column, the primary key among them; and as SQLModel
validates nothing in a class with `table=True`, the values are not even checked. A schema with
`role` or `is_admin`, written whole to the row, lets everybody become an administrator; one with
`owner_id` or `tenant_id` lets them write into somebody else's account.

Reported: table classes as body, always. Fields for roles and owners only where the whole body is
written to a table that has such a column, and nothing on the way asks for permissions, compares
the role or looks at the field. Which ids a client may choose is otherwise a matter of the API.

The fix, for a table that a POST takes: a schema with its columns but for the key, of which the row is made. It changes the
contract: the key cannot be sent any more, and values are checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import Reached
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_calls, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._create_schema import create_schema
from fastwright.rules.schema._dumps import Write, body_schemas, writes

_ROLES = frozenset({"is_admin", "is_staff", "is_superuser", "permissions", "role", "roles"})
_OWNERS = frozenset(
    {"author_id", "created_by", "created_by_id", "organization_id", "org_id", "owner_id",
     "tenant_id", "user_id"}
)  # fmt: skip
_GUARDS = re.compile(
    r"admin|super_?user|staff|permission|role|authori[sz]|polic|rbac|acl|allow|privileg|scope"
    r"|owner|forbid|access|enforce|can_|internal|machine|service_?account"
)


def check(app: App) -> Iterator[Hit]:
    """Report each body parameter that lets the client set what only the server may."""
    seen: set[int] = set()
    for route in app.routes:
        if {"POST", "PUT", "PATCH"}.isdisjoint(route.methods):
            continue
        for parameter, function, cls in body_schemas(app, route):
            if id(parameter) in seen:
                continue
            found = _table(app, cls, route) or _privileged(app, cls, route)
            if found is not None:
                seen.add(id(parameter))
                message, chain = found
                first = evidence(function.module, parameter, f"{parameter.name}: {cls.name}")
                table = app.models.table(cls)
                fix = create_schema(app, route, function, parameter, table) if table else None
                evidence_ = (*of_route(route), first, *chain)
                yield Hit(place(function.module, parameter), message, evidence_, fix)


_Found = tuple[str, tuple[Evidence, ...]]


def _table(app: App, cls: Class, route: Route) -> _Found | None:
    table = app.models.table(cls)
    if table is None:
        return None
    keys = [name for name, column in table.columns.items() if column.primary_key]
    columns = f", {' and '.join(keys)} included" if keys else ""
    message = (
        f"{route.label} takes the table {cls.name} as body: the client sets any column{columns}"
    )
    return message, (evidence(cls.module, cls.node, f"table {table.name}"),)


def _privileged(app: App, cls: Class, route: Route) -> _Found | None:
    schema = app.models.schema(cls)
    endpoint = route.endpoint
    if schema is None or endpoint is None:
        return None
    names = [name for name in schema.fields if name in _ROLES | _OWNERS]
    if not names or _is_guarded(route):
        return None
    reached = app.calls.reach([endpoint])
    for step, write in writes(app, reached, cls):
        for name in names:
            if _sets(app, write, name, route) and not _looks_at(app, reached, route, name):
                field = schema.fields[name]
                what = "grants itself" if name in _ROLES else "chooses"
                message = (
                    f"{route.label} writes {cls.name}.{name} from the body:"
                    f" the client {what} {name}"
                )
                return message, (
                    evidence(field.owner.module, field.node, f"{field.owner.name}.{name}"),
                    *of_calls(step.chain),
                    evidence(write.function.module, write.node, "written to the row"),
                )
    return None


def _sets(app: App, write: Write, name: str, route: Route) -> bool:
    """Whether a write sets the column ``name``."""
    if name in write.dump.excluded or write.dump.node.keyword("include") is not None:
        return False
    if name in _OWNERS and (write.kind != "construct" or route.authentication is None):
        return False
    tables = [write.table] if write.table is not None else [table.cls for table in app.tables]
    return any(
        name in table.columns for cls in tables if (table := app.models.table(cls)) is not None
    )


def _is_guarded(route: Route) -> bool:
    """Whether a name on the way to the endpoint says that not everybody comes through."""
    words = [route.path, *route.endpoint.decorator_names] if route.endpoint else [route.path]
    for dependency in route.all_dependencies():
        words.append(dependency.label)
        words.extend(dependency.scopes)
        if dependency.function is not None:
            words.extend(dependency.function.node.called)
    if route.endpoint is not None:
        words.extend(route.endpoint.node.called)
    return any(_GUARDS.search(word) for word in words)


def _looks_at(app: App, reached: Reached, route: Route, name: str) -> bool:
    """Whether anything that runs reads or sets the attribute, of the body, the row or the user."""
    functions: list[Function] = [step.function for step in reached]
    functions += [d.function for d in route.all_dependencies() if d.function is not None]
    return any(
        isinstance(node, s.Attribute) and node.attr == name
        for function in functions
        for node, _ in app.calls.nodes(function)
    )


RULE = Rule(
    summary="a request body that sets what only the server may",
    severity="error",
    mend="Write a schema for each operation with the fields that the client may set, and add the"
    ' others on the server: `Order.model_validate(data, update={"owner_id": user.id})`.',
    profiles=("security",),
    app=check,
    references=(
        "https://sqlmodel.tiangolo.com/tutorial/fastapi/multiple-models/",
        "https://owasp.org/API-Security/editions/2023/en/0xa3-broken-object-property-level-authorization/",
    ),
)

_MODELS = """
from sqlmodel import Field, SQLModel

class User(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    role: str = "customer"

class Note(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    text: str
    owner_id: int = Field(foreign_key="user.id")
    product_id: int = 0

class UserBase(SQLModel):
    name: str
    role: str = "customer"

class UserCreate(UserBase):
    pass

class NoteCreate(SQLModel):
    text: str
    owner_id: int
    product_id: int
"""
_LOGIN = """
from fastapi import Header, HTTPException
from app.models import User

def login(authorization: str = Header()) -> User:
    if not authorization:
        raise HTTPException(401)
    return User(name=authorization)

def require_admin(authorization: str = Header()) -> User:
    user = login(authorization)
    if user.role != "admin":
        raise HTTPException(403)
    return user
"""

CASES = (
    Case(
        "a table, a role in a public registration, an owner",
        {
            "app/__init__.py": "",
            "app/models.py": _MODELS,
            "app/login.py": _LOGIN,
            "app/main.py": """
            from fastapi import Depends, FastAPI
            from sqlmodel import Session
            from app.login import login
            from app.models import Note, NoteCreate, User, UserCreate

            app = FastAPI()

            @app.post("/users")
            def create(user: User) -> None: ...  # <-

            @app.post("/register")
            def register(data: UserCreate) -> None:  # <-
                Session().add(User(**data.model_dump()))

            @app.patch("/users/me")
            def update(data: UserCreate, user: User = Depends(login)) -> None:  # <-
                for name, value in data.model_dump(exclude_unset=True).items():
                    setattr(user, name, value)

            @app.post("/notes")
            def note(data: NoteCreate, user: User = Depends(login)) -> None:  # <-
                Session().add(Note(**data.model_dump()))
            """,
        },
    ),
    Case(
        "administrators may set roles, an owner that is checked, a field that is left out",
        {
            "app/__init__.py": "",
            "app/models.py": _MODELS,
            "app/login.py": _LOGIN,
            "app/main.py": """
            from fastapi import Depends, FastAPI, HTTPException
            from sqlmodel import Session
            from app.login import login, require_admin
            from app.models import Note, NoteCreate, User, UserCreate

            app = FastAPI()

            @app.post("/users")
            def create(data: UserCreate, user: User = Depends(require_admin)) -> None:
                Session().add(User(**data.model_dump()))

            @app.post("/register")
            def register(data: UserCreate) -> None:
                Session().add(User(**data.model_dump(exclude={"role"})))

            @app.post("/register2")
            def register2(data: UserCreate) -> None:
                Session().add(User(name=data.name))

            @app.post("/notes")
            def note(data: NoteCreate, user: User = Depends(login)) -> None:
                if data.owner_id != user.id:
                    raise HTTPException(403)
                Session().add(Note(**data.model_dump()))
            """,
        },
    ),
    case(
        "a table becomes a schema without the key",
        """
        from fastapi import FastAPI
        from sqlmodel import Field, Session, SQLModel

        app = FastAPI()

        class Team(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            name: str = Field(index=True, max_length=80)
            city: str = Field(index=True)
            position: int = 0

        class PlayerBase(SQLModel):
            name: str

        class Player(PlayerBase, table=True):
            id: int | None = Field(default=None, primary_key=True)
            team_id: int | None = Field(default=None, foreign_key="team.id")

        @app.post("/teams")
        def add(team: Team) -> None:  # <-
            with Session() as session:
                session.add(team)

        @app.put("/teams")
        def change(team: Team) -> None: ...  # <-

        @app.post("/players")
        def add_player(player: Player, data: int = 0) -> None:  # <-
            \"""Add one.\"""
            Session().add(player)
        """,
        after="""
        from fastapi import FastAPI
        from sqlmodel import Field, Session, SQLModel

        app = FastAPI()

        class Team(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            name: str = Field(index=True, max_length=80)
            city: str = Field(index=True)
            position: int = 0


        class TeamCreate(SQLModel):
            name: str = Field(max_length=80)
            city: str
            position: int = 0

        class PlayerBase(SQLModel):
            name: str

        class Player(PlayerBase, table=True):
            id: int | None = Field(default=None, primary_key=True)
            team_id: int | None = Field(default=None, foreign_key="team.id")


        class PlayerCreate(PlayerBase):
            team_id: int | None = None

        @app.post("/teams")
        def add(data: TeamCreate) -> None:
            team = Team.model_validate(data)
            with Session() as session:
                session.add(team)

        @app.put("/teams")
        def change(team: Team) -> None: ...  # <-

        @app.post("/players")
        def add_player(new_player: PlayerCreate, data: int = 0) -> None:
            \"""Add one.\"""
            player = Player.model_validate(new_player)
            Session().add(player)
        """,
    ),
    case(
        "a body without a table behind it, and ids that are references",
        """
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Message(BaseModel):
            role: str
            content: str

        class Line(BaseModel):
            product_id: int

        @app.post("/chat")
        def chat(message: Message, line: Line) -> dict:
            return message.model_dump()
        """,
    ),
)
