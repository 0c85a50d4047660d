"""A response schema has no field for a secret.

A password hash, a private key or a one-time-password secret that a response schema declares goes out
to every client that may call the route, to its logs and to whatever lies between. The field is often
inherited (`class UserPublic(UserBase)`) or nested, and nobody sees it in the schema's own lines
(OWASP API3:2023, broken object property level authorization).

Tokens are not reported: login and API-key routes answer with them on purpose; so do routes that make
a signing secret (POST) and show it once. Neither are fields with `exclude=True`, fields that a
validator or serialiser looks at (it may redact them), and fields that are no text (`SecretStr` is
serialised as asterisks).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.models import Field
from fastwright.app.routes import Route
from fastwright.app.symbols import Class
from fastwright.app.types import Alternatives, Instance, Sequence, Type
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, name_place, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case

SECRET = re.compile(
    r"^(hashed_|encrypted_)?(password|passwd|passphrase)(_hash|_hashed|_digest|_salt)?$"
    r"|^(pw|pwd)_hash$|^hashed_pw$|^(private|signing|encryption)_key$"
    r"|^(otp|totp|mfa|two_factor|webauthn)_secret$|^(client|app|webhook|signing|jwt)_secret$"
    r"|^secret(_key)?$|^secret_access_key$|^ssn$|^social_security_number$|^cvv$"
)
"""Names of fields that hold secrets."""

_TEXT = frozenset({"builtins.str", "builtins.bytes"})
_DEPTH = 4


def check(app: App) -> Iterator[Hit]:
    """Report secrets in response schemas, inherited and nested ones too; once for each field."""
    seen: set[tuple[int, int]] = set()
    for route in app.routes:
        if route.response.source == "none" or _chooses_fields(route):
            continue
        shown_once = "POST" in route.methods
        for cls, field, chain in _secrets(app, route.response.type, (), _DEPTH):
            key = (id(cls.node), id(field.node))
            if key in seen or (shown_once and field.name.lower().endswith("secret")):
                continue
            seen.add(key)
            if _is_for_connecting(app, cls, field) or _redacts(app, route):
                continue
            yield _hit(route, cls, field, chain)


def _is_for_connecting(app: App, cls: Class, field: Field) -> bool:
    """Whether handing out the secret is the point: how to reach a database, to check a webhook."""
    schema = app.models.schema(cls)
    names = set(schema.fields) if schema is not None else set()
    return "host" in names or (field.name == "secret" and "url" in names)


def _redacts(app: App, route: Route) -> bool:
    """Whether the endpoint masks something before it answers."""
    return route.endpoint is not None and any(
        _REDACTING.search(step.function.name) for step in app.calls.reach([route.endpoint])
    )


_REDACTING = re.compile(r"redact|mask|censor|obfuscat|scrub|hide_secret|without_secret")


def _chooses_fields(route: Route) -> bool:
    return not {"response_model_include", "response_model_exclude"}.isdisjoint(
        route.record.keywords
    )


def _hit(route: Route, cls: Class, field: Field, chain: tuple[Evidence, ...]) -> Hit:
    inherited = "" if field.owner is cls else f" (inherited from {field.owner.name})"
    message = f"{route.label} answers with {cls.name}, which holds {field.name}{inherited}"
    declared = evidence(field.owner.module, field.node, f"{field.owner.name}.{field.name}")
    return Hit(place(field.owner.module, field.node), message, (*of_route(route), *chain, declared))


def _secrets(
    app: App, found: Type, chain: tuple[Evidence, ...], depth: int
) -> Iterator[tuple[Class, Field, tuple[Evidence, ...]]]:
    """Yield the secret fields of a schema and of the schemas in its fields."""
    if isinstance(found, Sequence):
        yield from _secrets(app, found.element, chain, depth)
    elif isinstance(found, Alternatives):
        for option in found.options:
            yield from _secrets(app, option, chain, depth)
    elif isinstance(found, Instance):
        for argument in found.args:
            yield from _secrets(app, argument, chain, depth)
        schema = app.models.schema(found.cls) if isinstance(found.cls, Class) else None
        if schema is None or app.models.table(schema.cls) is not None:
            return  # a table as a response is a finding of its own: orm-leak
        here = (*chain, Evidence(name_place(schema.cls), schema.cls.name))
        for field in schema.fields.values():
            if _is_secret(field) and not _is_validated(app, schema.cls, field.name):
                yield schema.cls, field, here
            elif depth and not field.excluded:
                yield from _secrets(app, field.type, here, depth - 1)


def _is_secret(field: Field) -> bool:
    if field.excluded or not SECRET.match(field.name.lower()):
        return False
    options = field.type.options if isinstance(field.type, Alternatives) else (field.type,)
    return any(isinstance(option, Instance) and option.cls in _TEXT for option in options)


def _is_validated(app: App, cls: Class, name: str) -> bool:
    """Whether a validator or serialiser looks at the field: it may well redact it."""
    for ancestor in app.linker.mro(cls):
        if not isinstance(ancestor, Class):
            continue
        for method in ancestor.own_methods.values():
            for decorator in method.node.decorators:
                if not isinstance(decorator, s.Call):
                    continue
                if s.last_name(decorator.func) in _LOOKING and any(
                    s.string(argument) in {name, "*"} for argument in decorator.args
                ):
                    return True
    return False


_LOOKING = frozenset({"field_validator", "field_serializer", "validator"})


RULE = Rule(
    summary="a secret in a response schema",
    severity="error",
    mend="Leave the field out of the schema that goes out: split a base without it from the one that"
    " holds it.",
    profiles=("security",),
    app=check,
    recipe="response-schemas",
    references=(
        "https://owasp.org/API-Security/editions/2023/en/0xa3-broken-object-property-level-authorization/",
        "CWE-200",
        "https://fastapi.tiangolo.com/tutorial/response-model/",
    ),
)

CASES = (
    case(
        "inherited, and nested in a page",
        """
        from typing import Generic, TypeVar
        from fastapi import FastAPI
        from pydantic import BaseModel

        T = TypeVar("T")
        app = FastAPI()

        class UserBase(BaseModel):
            name: str
            password_hash: str  # <-

        class UserPublic(UserBase):
            id: int

        class Page(BaseModel, Generic[T]):
            items: list[T]

        @app.get("/users", response_model=Page[UserPublic])
        def list_users(): ...

        @app.get("/users/{id}")
        def read(id: int) -> UserPublic: ...
        """,
    ),
    case(
        "the request may hold a password; tokens, flags and excluded fields are right",
        """
        from fastapi import FastAPI
        from pydantic import BaseModel, Field, SecretStr, field_validator

        app = FastAPI()

        class UserCreate(BaseModel):
            password: str

        class Token(BaseModel):
            access_token: str
            refresh_token: str

        class User(BaseModel):
            id: int
            has_password: bool
            password_hash: str = Field(exclude=True)
            secret: SecretStr
            passwords: int

        class Connection(BaseModel):
            password: str | None

            @field_validator("password", mode="after")
            @classmethod
            def redact(cls, value): return "***"

        class Webhook(BaseModel):
            webhook_secret: str

        @app.post("/webhooks")
        def make_webhook() -> Webhook: ...

        @app.get("/connection")
        def connection() -> Connection: ...

        class Database(BaseModel):
            host: str
            password: str

        @app.get("/database")
        def database() -> Database: ...

        class Agent(BaseModel):
            client_secret: str

        def redact_secrets(agent: Agent) -> Agent: ...

        @app.get("/agent")
        def agent() -> Agent:
            return redact_secrets(Agent(client_secret="x"))

        @app.post("/login")
        def login(data: UserCreate) -> Token: ...

        @app.post("/users")
        def create(data: UserCreate) -> User: ...
        """,
    ),
)
