"""What is expensive to make is made once, not for every request.

An engine is a pool of connections: made for each request, it opens new ones every time and keeps
none. The same holds for clients of Redis, MongoDB, AWS, a vector store or a model's API; a model
is read from disk again, and settings parse their `.env` file. Make them at start-up (a lifespan)
or behind `functools.lru_cache`, and inject them.

Reported where a request reaches the construction, its arguments are the same every time
(constants, settings, the environment), and the result is thrown away: not kept in a module, an
object or a cache on any step of the way. Arguments that depend on the request are a reason to
make a new one. HTTP clients are the matter of another rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite, Step
from fastwright.app.model import App
from fastwright.app.models import Schema
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, alternatives
from fastwright.edit.builders import insert_before
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, name_place, of_calls, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case

_ENGINE = "a database engine with its pool"
_FACTORY = "a session factory"
_CLIENT = "a client with its connections"
_MODEL = "a model"
_RESOURCES = {
    "sqlalchemy.create_engine": _ENGINE,
    "sqlalchemy.ext.asyncio.create_async_engine": _ENGINE,
    "sqlalchemy.orm.sessionmaker": _FACTORY,
    "sqlalchemy.ext.asyncio.async_sessionmaker": _FACTORY,
    "asyncpg.create_pool": "a pool of connections",
    "psycopg_pool.ConnectionPool": "a pool of connections",
    "psycopg_pool.AsyncConnectionPool": "a pool of connections",
    "psycopg2.pool.SimpleConnectionPool": "a pool of connections",
    "psycopg2.pool.ThreadedConnectionPool": "a pool of connections",
    "redis.Redis": _CLIENT,
    "redis.StrictRedis": _CLIENT,
    "redis.from_url": _CLIENT,
    "redis.Redis.from_url": _CLIENT,
    "redis.asyncio.Redis": _CLIENT,
    "redis.asyncio.StrictRedis": _CLIENT,
    "redis.asyncio.from_url": _CLIENT,
    "redis.asyncio.Redis.from_url": _CLIENT,
    "pymongo.MongoClient": _CLIENT,
    "pymongo.AsyncMongoClient": _CLIENT,
    "motor.motor_asyncio.AsyncIOMotorClient": _CLIENT,
    "boto3.client": _CLIENT,
    "boto3.resource": _CLIENT,
    "openai.OpenAI": _CLIENT,
    "openai.AsyncOpenAI": _CLIENT,
    "openai.AzureOpenAI": _CLIENT,
    "openai.AsyncAzureOpenAI": _CLIENT,
    "anthropic.Anthropic": _CLIENT,
    "anthropic.AsyncAnthropic": _CLIENT,
    "elasticsearch.Elasticsearch": _CLIENT,
    "elasticsearch.AsyncElasticsearch": _CLIENT,
    "opensearchpy.OpenSearch": _CLIENT,
    "opensearchpy.AsyncOpenSearch": _CLIENT,
    "qdrant_client.QdrantClient": _CLIENT,
    "qdrant_client.AsyncQdrantClient": _CLIENT,
    "google.cloud.storage.Client": _CLIENT,
    "google.cloud.bigquery.Client": _CLIENT,
    "google.cloud.firestore.Client": _CLIENT,
    "google.cloud.pubsub_v1.PublisherClient": _CLIENT,
    "azure.storage.blob.BlobServiceClient": _CLIENT,
    "azure.storage.blob.BlobServiceClient.from_connection_string": _CLIENT,
    "minio.Minio": _CLIENT,
    "sentence_transformers.SentenceTransformer": _MODEL,
    "sentence_transformers.CrossEncoder": _MODEL,
    "whisper.load_model": _MODEL,
    "spacy.load": _MODEL,
    "joblib.load": _MODEL,
    "torch.load": _MODEL,
    "transformers.pipeline": _MODEL,
    "transformers.AutoTokenizer.from_pretrained": _MODEL,
    "transformers.AutoModel.from_pretrained": _MODEL,
    "onnxruntime.InferenceSession": _MODEL,
    "tensorflow.keras.models.load_model": _MODEL,
    "keras.models.load_model": _MODEL,
}
_CACHING = re.compile(r"cache|memo|singleton|once|fixture|startup|lifespan", re.IGNORECASE)
_KEEPING = frozenset(
    {"add", "append", "enter_async_context", "enter_context", "insert", "put", "register", "set",
     "setattr", "setdefault", "update"}
)  # fmt: skip
_MAX_CHAIN = 3


def _fix(function: Function, site: CallSite) -> Fix | None:
    """Return the fix that keeps what a function without parameters returns: ``@lru_cache``."""
    node, module = function.node, function.module
    last = node.body[-1]
    cached = bring(module, "functools", "lru_cache")
    if node.params or node.is_async or node.is_generator or node.decorators or cached is None:
        return None
    if not isinstance(last, s.Return) or last.value is not site.node or function.owner is not None:
        return None
    return Fix("suggest", (insert_before(module, node, f"@{cached.name}"),), cached.imports)


def check(app: App) -> Iterator[Hit]:
    """Report each resource that is built anew for a request and thrown away."""
    roots = {id(function.node) for function in app.request_roots}
    for step in app.reached:
        if len(step.chain) > _MAX_CHAIN or _is_cached(step):
            continue
        if any(site.around.branches or site.around.handled for site in step.chain):
            continue  # some requests only
        for site in app.calls.sites(step.function):
            what = _what(app, site)
            if what is None or not _is_made_always(site):
                continue
            if _is_static_call(app, site) and _is_lost(app, step, site.node, roots):
                name = s.dotted(site.node.func) or site.method
                message = f"{name}() makes {what} on every request"
                proof = _chain(app, step, site)
                yield Hit(place(site.module, site.node), message, proof, _fix(step.function, site))


def _chain(app: App, step: Step, site: CallSite) -> tuple[Evidence, ...]:
    root = step.root
    start: tuple[Evidence, ...] = ()
    for route in app.routes:
        if route.endpoint is not None and route.endpoint.node is root.node:
            start = of_route(route)
            break
        if any(d.function and d.function.node is root.node for d in route.all_dependencies()):
            start = (*of_route(route), Evidence(name_place(root), root.qualname))
            break
    return (*start, *of_calls(step.chain), evidence(site.module, site.node, "made here"))


# ---------------------------------------------------------------------- what is made


def _what(app: App, site: CallSite) -> str | None:
    if site.external is not None:
        return _RESOURCES.get(site.external)
    if isinstance(site.callee, ClassObject) and isinstance(site.callee.cls, Class):
        schema = app.models.schema(site.callee.cls)
        if schema is not None and schema.is_settings and not site.node.args + _given(site.node):
            file = _env_file(app, schema)
            return f"{schema.cls.name}, which reads {file}," if file is not None else None
    return None


def _given(node: s.Call) -> list[s.Expr]:
    return [keyword.value for keyword in node.keywords]


def _env_file(app: App, schema: Schema) -> str | None:
    """Return the file that settings are read from, if there is one."""
    found = app.linker.class_attribute(schema.cls, "model_config")
    calls = [found[1].value] if found is not None else []
    for ancestor in app.linker.mro(schema.cls):
        config = ancestor.own_classes.get("Config") if isinstance(ancestor, Class) else None
        if config is not None and (node := config.own_attributes.get("env_file")) is not None:
            return s.string(node.value)
    for call in calls:
        if isinstance(call, s.Call):
            return s.string(call.keyword("env_file"))
    return None


def _is_made_always(site: CallSite) -> bool:
    """Whether the call is no fallback (``client or make()``, ``if client is None``)."""
    around = site.around
    if around.deferred or around.handled:
        return False
    return not any(_asks_if_missing(branch.test) for branch in around.branches)


def _asks_if_missing(test: s.Expr) -> bool:
    return any(
        (isinstance(n, s.UnaryOp) and n.op == "not")
        or (isinstance(n, s.Compare) and ("is" in n.ops or "not in" in n.ops))
        for n in s.walk(test)
    )


# ------------------------------------------------------------------ always the same


def _is_static_call(app: App, site: CallSite) -> bool:
    where = Where(site.module, site.caller)
    given = [*site.node.args, *_given(site.node)]
    receiver = site.node.func.value if isinstance(site.node.func, s.Attribute) else None
    if receiver is not None:
        given.append(receiver)
    return all(_is_static(app, node, where) for node in given)


def _is_static(app: App, node: s.Expr | None, where: Where, depth: int = 0) -> bool:
    """Whether an expression gives the same on every request, as far as can be known."""
    if node is None:
        return True
    if depth > 8:
        return False
    match node:
        case s.Constant():
            return True
        case s.Name():
            return _is_static_name(app, node, where, depth)
        case s.Attribute():
            if _is_settings(app, node.value, where):
                return True
            return _is_static(app, node.value, where, depth + 1)
        case s.Call():
            given = [*node.args, *_given(node)]
            return _is_static(app, node.func, where, depth + 1) and all(
                _is_static(app, inner, where, depth + 1) for inner in given
            )
        case s.Starred() | s.Await():
            return _is_static(app, node.value, where, depth + 1)
        case (
            s.JoinedStr() | s.BinOp() | s.BoolOp() | s.IfExp() | s.Subscript() | s.Dict()
            | s.List() | s.Tuple() | s.UnaryOp() | s.Compare()
        ):  # fmt: skip
            return all(
                _is_static(app, inner, where, depth + 1)  # type: ignore[arg-type]
                for inner in s.children(node)
            )
        case _:
            return False


def _is_settings(app: App, node: s.Expr, where: Where) -> bool:
    return any(
        isinstance(option, Instance)
        and isinstance(option.cls, Class)
        and (schema := app.models.schema(option.cls)) is not None
        and schema.is_settings
        for option in alternatives(app.types.of(node, where))
    )


def _is_static_name(app: App, node: s.Name, where: Where, depth: int) -> bool:
    if _is_settings(app, node, where):
        return True
    function = where.function
    if function is not None:
        bounds = app.types.locals.of(function).get(node.id)
        if bounds:
            only = bounds[0]
            if len(bounds) > 1 or only.how != "assign" or only.path:
                return False
            return _is_static(app, only.value, where, depth + 1)
        if function.outer is not None and node.id in app.types.locals.of(function.outer):
            return False
    symbol = app.linker.name(node.id, where.module, function)
    return symbol is not None


# -------------------------------------------------------------- kept or thrown away


def _is_cached(step: Step) -> bool:
    """Whether some function on the way is made to run once."""
    functions = [step.function, *(site.caller for site in step.chain)]
    return any(_CACHING.search(name) for f in functions for name in (f.name, *f.decorator_names))


def _is_lost(app: App, step: Step, node: s.Expr, roots: set[int]) -> bool:
    """Whether nothing keeps the value after the request; follows it up the way that it came."""
    fate = _fate(app, step.function, node)
    if fate == "lost":
        return True
    if fate == "self" and step.function.name == "__init__":
        owner = step.function.owner
        if owner is None or "__new__" in owner.own_methods or owner.node.keywords:
            return False
        fate = "returned"
    if fate != "returned":
        return False
    if step.site is None or step.before is None:
        return id(step.function.node) in roots
    return _is_lost(app, step.before, step.site.node, roots)


def _fate(app: App, function: Function, node: s.Expr) -> str:
    """Return what becomes of a value in a function: lost, returned, self or kept."""
    parents = _parents(app, function)
    current: s.Node = node
    parent = parents.get(id(current))
    while isinstance(parent, (s.Await, s.Starred, s.Keyword, s.Tuple)) or _wraps(parent, current):
        current, parent = parent, parents.get(id(parent))  # type: ignore[assignment]
    match parent:
        case s.Return():
            return "returned"
        case s.Yield() | s.ExprStmt() | s.WithItem():
            return "lost"
        case s.Attribute():
            return "lost"
        case s.Assign() | s.AnnAssign():
            targets = parent.targets if isinstance(parent, s.Assign) else [parent.target]
            if len(targets) == 1 and isinstance(targets[0], s.Name):
                return _fate_of_name(app, function, targets[0].id, parents)
            return "self" if _is_self(targets, function) else "kept"
        case _:
            return "kept"


def _is_self(targets: list[s.Expr], function: Function) -> bool:
    own = function.node.params[0].name if function.owner and function.node.params else None
    return all(isinstance(t, s.Attribute) and s.dotted(t.value) == own for t in targets)


def _wraps(parent: s.Node | None, current: s.Node) -> bool:
    """Whether the value is an argument of a constructor: ``Repository(create_engine(...))``."""
    if not isinstance(parent, s.Call) or parent.func is current:
        return False
    name = s.last_name(parent.func) or ""
    return name[:1].isupper() or name in {"sessionmaker", "async_sessionmaker", "cast"}


def _fate_of_name(app: App, function: Function, name: str, parents: dict[int, s.Node]) -> str:
    bounds = app.types.locals.of(function).get(name, [])
    if len(bounds) != 1:
        return "kept"
    fates = {"lost"}
    for node, around in app.calls.nodes(function):
        if (
            isinstance(node, s.Flow)
            and node.keyword in {"global", "nonlocal"}
            and name in node.names
        ):
            return "kept"
        if isinstance(node, (s.FunctionDef, s.ClassDef)) and name in _names(node):
            return "kept"
        if not isinstance(node, s.Name) or node.id != name:
            continue
        if around.deferred:
            return "kept"
        fates.add(_fate_of_use(node, function, parents))
    for fate in ("kept", "self", "returned"):
        if fate in fates:
            return fate
    return "lost"


def _fate_of_use(node: s.Name, function: Function, parents: dict[int, s.Node]) -> str:
    current: s.Node = node
    parent = parents.get(id(node))
    while isinstance(parent, (s.Await, s.Keyword, s.Tuple, s.Dict, s.List)) or _wraps(
        parent, current
    ):
        current, parent = parent, parents.get(id(parent))  # type: ignore[assignment]
    if isinstance(parent, s.Return):
        return "returned"
    if isinstance(parent, (s.Assign, s.AnnAssign)) and parent.value is current:
        targets = parent.targets if isinstance(parent, s.Assign) else [parent.target]
        if all(isinstance(target, s.Name) for target in targets):
            return "lost" if isinstance(current, s.Call) else "kept"
        return "self" if _is_self(targets, function) else "kept"
    if isinstance(parent, s.Call) and parent.func is not current:
        return "kept" if s.last_name(parent.func) in _KEEPING else "lost"
    return "lost"


def _names(node: s.FunctionDef | s.ClassDef) -> set[str]:
    return {inner.id for inner in s.walk(node) if isinstance(inner, s.Name)}


def _parents(app: App, function: Function) -> dict[int, s.Node]:
    return {id(child): node for node, _ in app.calls.nodes(function) for child in s.children(node)}


RULE = Rule(
    summary="an engine, client, model or settings made on every request",
    severity="warning",
    mend="Make it once: in the lifespan (`app.state`), at module level, or in a function under"
    " `@lru_cache`, and inject it with `Depends`.",
    profiles=("performance",),
    app=check,
    references=(
        "https://fastapi.tiangolo.com/advanced/settings/#creating-the-settings-only-once-with-lru_cache",
    ),
)

CASES = (
    case(
        "an engine in a dependency",
        """
        from typing import Annotated
        from fastapi import Depends, FastAPI
        from pydantic_settings import BaseSettings, SettingsConfigDict
        from sqlalchemy import create_engine

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_file=".env")
            url: str = "sqlite://"

        settings = Settings()
        app = FastAPI()

        def get_engine():
            return create_engine(settings.url)  # <-

        def get_settings() -> Settings:
            return Settings()  # <-

        @app.get("/")
        def home(
            engine: Annotated[object, Depends(get_engine)],
            settings: Annotated[Settings, Depends(get_settings)],
        ) -> None: ...
        """,
        after="""
        from functools import lru_cache
        from typing import Annotated
        from fastapi import Depends, FastAPI
        from pydantic_settings import BaseSettings, SettingsConfigDict
        from sqlalchemy import create_engine

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_file=".env")
            url: str = "sqlite://"

        settings = Settings()
        app = FastAPI()

        @lru_cache
        def get_engine():
            return create_engine(settings.url)

        @lru_cache
        def get_settings() -> Settings:
            return Settings()

        @app.get("/")
        def home(
            engine: Annotated[object, Depends(get_engine)],
            settings: Annotated[Settings, Depends(get_settings)],
        ) -> None: ...
        """,
    ),
    Case(
        "clients in the constructors of services that each request makes",
        {
            "app/__init__.py": "",
            "app/service.py": """
            import os
            import boto3
            import redis.asyncio as redis

            class Storage:
                def __init__(self) -> None:
                    self.s3 = boto3.client("s3", region_name=os.getenv("REGION"))  # <-

                def put(self, name: str) -> None:
                    self.s3.put_object(Key=name)

            async def count(name: str) -> int:
                client = redis.from_url(os.environ["REDIS_URL"])  # <-
                return await client.incr(name)
            """,
            "app/main.py": """
            from fastapi import Depends, FastAPI
            from app.service import Storage, count

            app = FastAPI()

            @app.post("/files")
            async def upload(name: str, storage: Storage = Depends()) -> None:
                storage.put(name)
                await count(name)

            @app.post("/more")
            def more(name: str) -> None:
                storage = Storage()
                storage.put(name)
            """,
        },
    ),
    case(
        "made once: cached, kept in a module, in a registry, in an object that lives longer",
        """
        from functools import lru_cache
        from fastapi import Depends, FastAPI, Request
        from pydantic_settings import BaseSettings
        from sqlalchemy import create_engine
        import boto3

        URL = "sqlite://"
        app = FastAPI()
        _engine = None
        _clients = {}

        class Settings(BaseSettings):
            url: str = URL

        @lru_cache
        def get_settings() -> Settings:
            return Settings()

        def make():
            return create_engine(URL)

        def get_engine():
            global _engine
            if _engine is None:
                _engine = make()
            return _engine

        def get_client(request: Request):
            client = boto3.client("s3")
            request.app.state.client = client
            return client

        def get_other(name: str = "s3"):
            if name not in _clients:
                _clients[name] = boto3.client("s3")
            return _clients[name]

        @app.get("/")
        def home(
            a=Depends(get_settings), b=Depends(get_engine), c=Depends(get_client),
            d=Depends(get_other),
        ) -> None: ...
        """,
    ),
    case(
        "another one for each request, and what a caller may give",
        """
        from fastapi import FastAPI
        from sqlalchemy import create_engine
        import boto3

        app = FastAPI()

        def query(url: str, client=None) -> None:
            client = client or boto3.client("s3")
            create_engine(url).connect()

        @app.post("/try")
        def try_(url: str, region: str) -> None:
            query(url)
            boto3.client("s3", region_name=region).list_buckets()
        """,
    ),
    case(
        "some requests only",
        """
        from fastapi import FastAPI
        import boto3

        app = FastAPI()

        def download(name: str) -> None:
            boto3.client("s3").get_object(Key=name)

        def load(name: str) -> None:
            if name.startswith("s3://"):
                download(name)

        @app.get("/")
        def home() -> None:
            load("local")
        """,
    ),
    case(
        "at start-up",
        """
        from contextlib import asynccontextmanager
        from fastapi import FastAPI
        from sqlalchemy import create_engine

        @asynccontextmanager
        async def lifespan(app: FastAPI):
            app.state.engine = create_engine("sqlite://")
            yield
            app.state.engine.dispose()

        app = FastAPI(lifespan=lifespan)
        """,
    ),
)
