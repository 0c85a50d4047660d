"""A service is given its clients, sessions and settings; it does not build them.

A service that takes its repository through `__init__` and calls `boto3.client("s3")` in a method has two
ways to the world, and only one of them can be replaced: its tests need credentials and a network, each call
opens connections of its own, and a session that it opens itself is another transaction than the one that it
was given. Take the client as a parameter too, and build it where the others are built: in a dependency or
the lifespan.

Reported, in what requests reach, where injection is plainly the way: a method of a class that takes other
services, repositories or a session through `__init__`, or a function while a dependency of the application
gives the very same kind of thing. Left alone are adapters and factories (their work is to build one),
fallbacks (`client or make()`), what is made of arguments of the call (another account, another region), a
condition's special case, background work, and what `resource-per-request` reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite, Step
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, alternatives
from fastwright.read import syntax as s
from fastwright.rules.dependency import resource_per_request
from fastwright.rules.evidence import call_name, evidence, name_place, of_route, of_step, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case

_CLIENTS = {
    "sqlalchemy.create_engine": "an engine",
    "sqlalchemy.ext.asyncio.create_async_engine": "an engine",
    "redis.Redis": "a client of Redis",
    "redis.from_url": "a client of Redis",
    "redis.Redis.from_url": "a client of Redis",
    "redis.asyncio.Redis": "a client of Redis",
    "redis.asyncio.from_url": "a client of Redis",
    "redis.asyncio.Redis.from_url": "a client of Redis",
    "pymongo.MongoClient": "a client of MongoDB",
    "pymongo.AsyncMongoClient": "a client of MongoDB",
    "motor.motor_asyncio.AsyncIOMotorClient": "a client of MongoDB",
    "boto3.client": "a client of AWS",
    "boto3.resource": "a client of AWS",
    "openai.OpenAI": "a client of OpenAI",
    "openai.AsyncOpenAI": "a client of OpenAI",
    "openai.AzureOpenAI": "a client of OpenAI",
    "openai.AsyncAzureOpenAI": "a client of OpenAI",
    "anthropic.Anthropic": "a client of Anthropic",
    "anthropic.AsyncAnthropic": "a client of Anthropic",
    "elasticsearch.Elasticsearch": "a client of Elasticsearch",
    "elasticsearch.AsyncElasticsearch": "a client of Elasticsearch",
    "opensearchpy.OpenSearch": "a client of OpenSearch",
    "qdrant_client.QdrantClient": "a client of Qdrant",
    "qdrant_client.AsyncQdrantClient": "a client of Qdrant",
    "google.cloud.storage.Client": "a client of Google Cloud",
    "google.cloud.pubsub_v1.PublisherClient": "a client of Google Cloud",
    "azure.storage.blob.BlobServiceClient.from_connection_string": "a client of Azure",
    "minio.Minio": "a client of the object store",
    "twilio.rest.Client": "a client of Twilio",
    "smtplib.SMTP": "a connection to the mail server",
    "smtplib.SMTP_SSL": "a connection to the mail server",
}
_LAST = frozenset(name.rpartition(".")[2] for name in _CLIENTS)
_BUILDER = re.compile(
    r"adapter|gateway|client|provider|factory|storage|store|backend|connector|sender|mailer|engine|database"
    r"|cache|queue|broker|connection|pool|bootstrap|container|startup|lifespan|driver|wrapper|session",
    re.IGNORECASE,
)
_BUILDS = re.compile(
    r"^_*(get|make|create|build|connect|open|init|setup|new|from|load|ensure)_|^__aenter__$"
)
_LATER = re.compile(
    r"background|task|worker|job|audit|outbox|stream|thread|poll|cleanup|independent"
)
_PLAIN = frozenset({"service", "repository", "other", "domain"})


def check(app: App) -> Iterator[Hit]:
    """Report clients, sessions and settings that business code builds itself."""
    given = _given_by_dependencies(app)
    names = _LAST | {schema.cls.name for schema in app.settings}
    found = [
        hit
        for step in app.reached
        if any(name in names or "session" in name.lower() for name in step.function.node.called)
        for hit in _of_function(app, step, given)
    ]
    if not found:
        return
    known = {hit.place for hit in resource_per_request.check(app)}
    yield from (hit for hit in found if hit.place not in known)


def _of_function(app: App, step: Step, given: dict[str, Function]) -> Iterator[Hit]:
    function = step.function
    if not _is_business(app, step):
        return
    taken: Evidence | None = None
    for site in app.calls.sites(function):
        what = _what(app, site)
        if what is None or not _is_plain(site) or not _is_fixed(app, site):
            continue
        taken = taken or _takes(app, function, what)
        by = _same_kind(app, site, given)
        if taken is None and by is None:
            continue
        owner = function.owner.name if function.owner is not None else function.name
        reason = "takes its other collaborators as parameters"
        if taken is None and by is not None:
            reason = f"could take the one that {by.name} gives"
        message = f"{owner} builds {what} itself ({call_name(site)}), and {reason}"
        routes = app.routes_for(step.root)
        chain = (
            *(of_route(routes[0]) if routes else ()),
            *of_step(step),
            *((taken,) if taken is not None else ()),
            *((Evidence(name_place(by), by.qualname),) if taken is None and by is not None else ()),
            evidence(site.module, site.node, "built here"),
        )
        yield Hit(place(site.module, site.node), message, chain)


def _is_business(app: App, step: Step) -> bool:
    """Whether a function does the work of the application, rather than building or wrapping things."""
    function = step.function
    layer = app.layers.get(function.module.path)
    if step.site is None or layer is None or layer.name not in _PLAIN:
        return False
    if function.name != "__init__" and _BUILDS.search(function.name):
        return False
    if function.node.is_generator or function.is_property:
        return False
    names = [function.module.name.rpartition(".")[2], function.name]
    if function.owner is not None:
        names.append(function.owner.name)
    if any(_BUILDER.search(name) for name in names):
        return False
    later = (*names, *(site.caller.name for site in step.chain))
    return not any(_LATER.search(name.lower()) for name in later)


def _what(app: App, site: CallSite) -> str | None:
    """Return what a call builds: a client, a session, settings."""
    known = _CLIENTS.get(site.external or "")
    if known is not None:
        return known
    for option in alternatives(site.callee):
        if isinstance(option, ClassObject) and isinstance(option.cls, Class):
            schema = app.models.schema(option.cls)
            if schema is not None and schema.is_settings and not site.node.args:
                return "settings" if not site.node.keywords else None
    if _is_constructor(site):
        made = app.types.of(site.node, Where(site.module, site.caller))
        return "a session" if _is_session(app, made) else None
    return None


def _is_constructor(site: CallSite) -> bool:
    """``Session(engine)``, ``SessionLocal()``: not a method or function that hands one out."""
    name = s.last_name(site.node.func) or ""
    return not site.targets and "session" in name.lower()


def _is_session(app: App, found: object) -> bool:
    return isinstance(found, Instance) and app.types.session_kind(found) in {"sync", "async"}


def _is_plain(site: CallSite) -> bool:
    """Whether the call stands under no condition and is no fallback."""
    around = site.around
    if around.branches or around.handled or around.deferred:
        return False
    for node, _ in (
        (node, 0)
        for statement in s.statements(site.caller.node.body)
        for node in s.walk_scope(statement)
        if isinstance(node, (s.BoolOp, s.IfExp))
    ):
        if node.start <= site.node.start < node.end:
            return False
    return True


def _is_fixed(app: App, site: CallSite) -> bool:
    """Whether what it is built of is the same at every call: constants, settings, the environment."""
    names = app.types.locals.of(site.caller)
    given = [*site.node.args, *(keyword.value for keyword in site.node.keywords)]
    return not any(
        isinstance(node, s.Name)
        and any(bound.how != "assign" or bound.value is None for bound in names.get(node.id, ()))
        for value in given
        for node in s.walk(value)
    )


# ------------------------------------------------------------- injection as the way


def _takes(app: App, function: Function, what: str) -> Evidence | None:
    """Return the parameter through which the class is given a collaborator of the same rank."""
    owner = function.owner
    init = app.linker.method(owner, "__init__") if owner is not None else None
    if init is None or owner is None or app.models.is_schema(owner):
        return None
    for parameter in init.parameters:
        for option in alternatives(app.types.parameter(parameter, init)):
            if not isinstance(option, Instance):
                continue
            if what == "a session":
                works = _is_session(app, option)
            else:
                works = _is_session(app, option) or _works(app, option.cls)
            if works:
                note = f"{owner.name} takes {parameter.name}"
                return evidence(init.module, parameter, note)
    return None


def _works(app: App, cls: Class | str) -> bool:
    """Whether a class is a service or repository: it does work, and holds no mere data."""
    if isinstance(cls, str) or app.models.is_schema(cls) or app.types.is_table(cls):
        return False
    layer = app.layers.get(cls.module.path)
    return layer is not None and layer.name in {"service", "repository", "adapter"}


def _given_by_dependencies(app: App) -> dict[str, Function]:
    """Return the kinds of things that dependencies give, with the dependency."""
    found: dict[str, Function] = {}
    for route in app.routes:
        for dependency in route.all_dependencies():
            if dependency.function is None:
                continue
            for option in alternatives(app.types.provided(dependency.provider)):
                if isinstance(option, Instance) and isinstance(option.cls, str):
                    found.setdefault(option.cls, dependency.function)
                elif isinstance(option, Instance) and isinstance(option.cls, Class):
                    found.setdefault(option.cls.id, dependency.function)
    return found


def _same_kind(app: App, site: CallSite, given: dict[str, Function]) -> Function | None:
    """Return the dependency that gives the same kind of client or settings; sessions may be many."""
    found = app.types.of(site.node, Where(site.module, site.caller))
    if not isinstance(found, Instance) or _is_session(app, found):
        return None
    return given.get(found.name)


RULE = Rule(
    summary="business code builds its own client, session or settings",
    severity="info",
    confidence="medium",
    mend="Take it as a parameter (`def __init__(self, repository, storage)`), and build it once in a"
    " dependency or the lifespan.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/dependencies/",),
)

_HEAD = """
import boto3
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

SessionLocal = sessionmaker(create_engine("sqlite://"))
app = FastAPI()

def get_session():
    with SessionLocal() as session:
        yield session
"""

CASES = (
    Case(
        "in a method, beside a repository that is injected; a second session",
        {
            "app/__init__.py": "",
            "app/database.py": """
            from sqlalchemy import create_engine
            from sqlalchemy.orm import sessionmaker

            SessionLocal = sessionmaker(create_engine("sqlite://"))

            def get_session():
                with SessionLocal() as session:
                    yield session
            """,
            "app/repository.py": """
            from sqlalchemy import text
            from sqlalchemy.orm import Session

            class OrderRepository:
                def __init__(self, session: Session) -> None:
                    self.session = session

                def total(self, id: int) -> int:
                    return self.session.execute(text("select 1")).scalar_one()
            """,
            "app/service.py": """
            import boto3
            from app.repository import OrderRepository

            class OrderService:
                def __init__(self, orders: OrderRepository) -> None:
                    self.orders = orders

                def bill(self, id: int) -> None:
                    bucket = boto3.client("s3", region_name="eu-west-1")  # <-
                    bucket.put_object(Bucket="bills", Key=str(id), Body=str(self.orders.total(id)))

                def bill_for(self, id: int, region: str) -> None:
                    boto3.client("s3", region_name=region).put_object(Bucket="bills", Key=str(id))
            """,
            "app/reports.py": """
            from sqlalchemy import text
            from sqlalchemy.orm import Session
            from app.database import SessionLocal

            class ReportService:
                def __init__(self, session: Session) -> None:
                    self.session = session

                def count(self) -> int:
                    with SessionLocal() as own:  # <-
                        return own.execute(text("select 1")).scalar_one()
            """,
            "app/main.py": """
            from fastapi import Depends, FastAPI
            from sqlalchemy.orm import Session
            from app.database import get_session
            from app.reports import ReportService
            from app.repository import OrderRepository
            from app.service import OrderService

            app = FastAPI()

            def get_service(session: Session = Depends(get_session)) -> OrderService:
                return OrderService(OrderRepository(session))

            @app.post("/bills/{id}")
            def bill(id: int, orders: OrderService = Depends(get_service)) -> None:
                if id > 0:
                    orders.bill(id)
                    orders.bill_for(id, "us-east-1")

            @app.get("/count")
            def count(session: Session = Depends(get_session)) -> int:
                return ReportService(session).count()
            """,
        },
    ),
    Case(
        "an adapter builds its client, a factory builds, a fallback; a service that is given nothing",
        {
            "app/__init__.py": "",
            "app/storage.py": """
            import boto3

            class BucketStorage:
                def __init__(self, name: str) -> None:
                    self.client = boto3.client("s3")
                    self.name = name

                def put(self, key: str) -> None:
                    self.client.put_object(Bucket=self.name, Key=key)
            """,
            "app/service.py": """
            import boto3
            from app.storage import BucketStorage

            class OrderService:
                def __init__(self, storage: BucketStorage, client=None) -> None:
                    self.storage = storage
                    self.client = client or boto3.client("sqs")

                def bill(self, id: int) -> None:
                    self.storage.put(str(id))

                def build_client(self):
                    return boto3.client("s3")

            class MailService:
                def send(self) -> None:
                    boto3.client("ses").send_email()
            """,
            "app/main.py": """
            from fastapi import FastAPI
            from app.service import MailService, OrderService
            from app.storage import BucketStorage

            app = FastAPI()

            @app.post("/bills/{id}")
            def bill(id: int) -> None:
                service = OrderService(BucketStorage("bills"))
                service.bill(id)
                service.build_client()
                MailService().send()
            """,
        },
    ),
    case(
        "no service at all",
        _HEAD
        + """
@app.get("/")
def home(session: Session = Depends(get_session)) -> None:
    boto3.client("s3").list_buckets()
""",
    ),
)
