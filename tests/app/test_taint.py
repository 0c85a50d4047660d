"""From which requests a value comes: everything that real applications put between, and what stops it."""

from __future__ import annotations

import pytest

from fastwright.app.memory import app_from
from fastwright.rules.cases import wrong_lines
from fastwright.rules.registry import rules
from fastwright.rules.rule import Case, case

SSRF = (
    case(
        "messages of WebSockets: received, iterated over, parts of JSON",
        """
        import json
        import requests
        from fastapi import FastAPI, WebSocket

        app = FastAPI()

        @app.websocket("/a")
        async def a(websocket: WebSocket) -> None:
            await websocket.accept()
            url = await websocket.receive_text()
            requests.get(url, timeout=1)  # <-
            data = await websocket.receive_json()
            requests.get(data["url"], timeout=1)  # <-
            requests.get(data.get("more", {}).get("url"), timeout=1)  # <-
            requests.get(json.loads(await websocket.receive_text())["url"], timeout=1)  # <-
            requests.get((await websocket.receive_bytes()).decode(), timeout=1)  # <-
            requests.get((await websocket.receive())["text"], timeout=1)  # <-

        @app.websocket("/b")
        async def b(websocket: WebSocket) -> None:
            async for message in websocket.iter_text():
                requests.get(message, timeout=1)  # <-

        async def listen(socket: WebSocket) -> None:
            async for data in socket.iter_json():
                requests.get(data["url"], timeout=1)  # <-
                requests.get(f"https://api.example.org/{data['name']}", timeout=1)

        @app.websocket("/c")
        async def c(websocket: WebSocket) -> None:
            await listen(websocket)
            requests.get(websocket.query_params["url"], timeout=1)  # <-
        """,
    ),
    case(
        "parts of the request itself",
        """
        import requests
        from fastapi import Body, Cookie, FastAPI, Form, Request

        app = FastAPI()

        @app.post("/a")
        async def a(request: Request) -> None:
            requests.get(request.query_params["url"], timeout=1)  # <-
            params = request.query_params
            requests.get(params.get("url"), timeout=1)  # <-
            requests.get(request.cookies["url"], timeout=1)  # <-
            requests.get(request.cookies.get("url"), timeout=1)  # <-
            data = await request.json()
            requests.get(data["a"]["b"], timeout=1)  # <-
            for one in data["urls"]:
                requests.get(one, timeout=1)  # <-
            requests.get((await request.json())["url"], timeout=1)  # <-
            form = await request.form()
            requests.get(form["url"], timeout=1)  # <-
            body = await request.body()
            requests.get(body.decode(), timeout=1)  # <-
            requests.get(request.headers["x-next"], timeout=1)

        @app.post("/b")
        async def b(url: str = Form(), cookie: str = Cookie(), data: dict = Body()) -> None:
            requests.get(url, timeout=1)  # <-
            requests.get(cookie, timeout=1)  # <-
            requests.get(data["url"], timeout=1)  # <-

        @app.get("/proxy/{url:path}")
        def proxy(url: str) -> None:
            requests.get(url, timeout=1)  # <-

        @app.get("/plain/{url}")
        def plain(url: str) -> None:
            requests.get(url, timeout=1)
        """,
    ),
    case(
        "schemas in schemas, lists, dumps, dictionaries, other objects",
        """
        import dataclasses
        import requests
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Job(BaseModel):
            url: str
            count: int
            extra: dict

        class Jobs(BaseModel):
            jobs: list[Job]
            urls: list[str]
            numbers: list[int]

        @dataclasses.dataclass
        class Params:
            url: str
            fixed: str

        class Client:
            def __init__(self, base: str, name: str) -> None:
                self.base = base
                self.fixed = f"https://{name.strip()}".upper() if False else "https://a.example.org"

            def load(self) -> None:
                requests.get(f"{self.base}/status", timeout=1)  # <-
                requests.get(self.fixed, timeout=1)

        @app.post("/jobs")
        def jobs(body: Jobs) -> None:
            for job in body.jobs:
                requests.get(job.url, timeout=1)  # <-
                requests.get(job.count, timeout=1)
            for number in body.numbers:
                requests.get(number, timeout=1)
            requests.get(body.urls[0], timeout=1)  # <-
            [requests.get(job.url, timeout=1) for job in body.jobs]  # <-

        @app.post("/job")
        def job(body: Job) -> None:
            given = body.model_dump()
            requests.get(given["url"], timeout=1)  # <-
            requests.get(given["count"], timeout=1)
            requests.get(body.extra["url"], timeout=1)  # <-
            data = {"url": body.url, "fixed": "https://a.example.org"}
            requests.get(data["url"], timeout=1)  # <-
            requests.get(data["fixed"], timeout=1)
            params = Params(url=body.url, fixed="https://a.example.org")
            requests.get(params.url, timeout=1)  # <-
            requests.get(params.fixed, timeout=1)
            Client(body.url, "a").load()
        """,
    ),
    case(
        "what functions return, and what dependencies give",
        """
        import requests
        from fastapi import Depends, FastAPI

        app = FastAPI()

        def target(scheme: str, host: str) -> str:
            return f"{scheme}://{host}"

        def wanted(url: str) -> str:
            return url.strip()

        class Search:
            def __init__(self, address: str, page: int = 1) -> None:
                self.address = address
                self.page = page

        def parts(host: str) -> dict:
            return {"host": host, "port": 80}

        @app.get("/a")
        def a(url: str = Depends(wanted)) -> None:
            requests.get(url, timeout=1)  # <-

        @app.get("/b")
        def b(search: Search = Depends()) -> None:
            requests.get(search.address, timeout=1)  # <-
            requests.get(search.page, timeout=1)

        @app.get("/c")
        def c(scheme: str) -> None:
            requests.get(target(scheme, "a.example.org"), timeout=1)  # <-
            requests.get(target("https", "a.example.org"), timeout=1)

        @app.get("/d")
        def d(host: str) -> None:
            given = parts(host)
            requests.get(f"https://{given['host']}/", timeout=1)  # <-
            requests.get(f"https://a.example.org:{given['port']}/", timeout=1)
        """,
    ),
    case(
        "only the beginning of a URL matters, also where it is handed on",
        """
        import requests
        from fastapi import FastAPI

        app = FastAPI()
        BASE = "https://api.example.org"

        def load(url: str) -> None:
            requests.get(url, timeout=1)

        @app.get("/a")
        def a(name: str) -> None:
            load(f"{BASE}/{name}")
            load(BASE + "/" + name)
            load("https://api.example.org/{}".format(name))
            load("/".join([BASE, name]))
        """,
    ),
    case(
        "validators, enums and numbers of schemas; guards by what they do; lookups",
        """
        from enum import Enum
        from typing import Annotated, Literal
        from urllib.parse import urlparse
        from uuid import UUID
        import requests
        from fastapi import Depends, FastAPI, HTTPException
        from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator
        from sqlalchemy import create_engine, text
        from sqlalchemy.orm import Session

        app = FastAPI()
        HOSTS = {"a.example.org"}

        class Kind(str, Enum):
            a = "https://a.example.org"

        def known(value: str) -> str:
            assert urlparse(value).hostname in HOSTS
            return value

        class Job(BaseModel):
            one: str
            two: str
            three: Annotated[str, AfterValidator(known)]
            four: Annotated[str, Field(pattern="^https://a")]
            kind: Kind
            other: Literal["https://a.example.org"]
            key: UUID

            @field_validator("one")
            @classmethod
            def one_is_known(cls, value: str) -> str:
                return known(value)

            @model_validator(mode="after")
            def two_is_known(self) -> "Job":
                if urlparse(self.two).hostname not in HOSTS:
                    raise ValueError(self.two)
                return self

        def refuse_strangers(address: str) -> None:
            if urlparse(address).hostname not in HOSTS:
                raise HTTPException(400)

        def get_session():
            with Session(create_engine("sqlite://")) as session:
                yield session

        @app.post("/a")
        def a(body: Job) -> None:
            for url in (body.one, body.two, body.three, body.four, body.kind, body.other, body.key):
                requests.get(url, timeout=1)

        @app.post("/b")
        def b(url: str) -> None:
            refuse_strangers(url)
            requests.get(url, timeout=1)

        @app.post("/c")
        def c(url: str, session: Session = Depends(get_session)) -> None:
            row = session.execute(text("select 1 from hooks where url = :url"), {"url": url}).first()
            if row is None:
                raise HTTPException(404)
            found = session.execute(text("select 1"), {"url": url}).first()
            requests.get(url, timeout=1)
        """,
    ),
    case(
        "a column that requests fill: by constructor, setattr, assignment, UPDATE; read in routes and jobs",
        """
        from uuid import UUID
        import httpx
        import requests
        from fastapi import Depends, FastAPI
        from pydantic import BaseModel, HttpUrl, field_validator
        from sqlalchemy import create_engine, select, update
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, validates

        app = FastAPI()
        engine = create_engine("sqlite://")

        def get_session():
            with Session(engine) as session:
                yield session

        class Base(DeclarativeBase): ...

        class Hook(Base):
            __tablename__ = "hooks"
            id: Mapped[int] = mapped_column(primary_key=True)
            url: Mapped[str]
            fixed: Mapped[str]
            checked: Mapped[str]
            judged: Mapped[str]
            target: Mapped[str]
            other: Mapped[str]
            left: Mapped[str]
            count: Mapped[int]
            changed: Mapped[str]
            settings: Mapped[dict]

            @validates("judged")
            def _judge(self, key, value):
                return value

        class HookIn(BaseModel):
            url: HttpUrl
            checked: str
            judged: str
            left: str
            count: str
            settings: dict

            @field_validator("checked")
            @classmethod
            def allowed(cls, value: str) -> str:
                if value not in {"https://a.example.org"}:
                    raise ValueError(value)
                return value

        class HookUpdate(BaseModel):
            target: str | None = None

        @app.post("/hooks")
        def create(body: HookIn, session: Session = Depends(get_session)) -> int:
            hook = Hook(**body.model_dump(exclude={"left"}), fixed="https://fixed.example.org")
            session.add(hook)
            session.commit()
            return hook.id

        @app.patch("/hooks/{key}")
        def change(key: UUID, body: HookUpdate, session: Session = Depends(get_session)) -> None:
            hook = session.get(Hook, key)
            for name, value in body.model_dump(exclude_unset=True).items():
                setattr(hook, name, value)
            session.commit()

        @app.put("/hooks/{key}")
        def put(key: UUID, address: str, session: Session = Depends(get_session)) -> None:
            hook = session.get(Hook, key)
            hook.other = address
            session.execute(update(Hook).values(changed=address))
            session.commit()

        class Delivery:
            def deliver(self, hook: Hook) -> None:
                requests.post(hook.url, timeout=1)  # <-
                requests.post(hook.settings["url"], timeout=1)  # <-
                requests.post(hook.fixed, timeout=1)
                requests.post(hook.checked, timeout=1)
                requests.post(hook.judged, timeout=1)
                requests.post(hook.left, timeout=1)
                requests.post(hook.count, timeout=1)

        @app.post("/hooks/run")
        def run(session: Session = Depends(get_session)) -> None:
            for hook in session.scalars(select(Hook)):
                Delivery().deliver(hook)
                requests.post(hook.target, timeout=1)  # <-
                requests.post(hook.changed, timeout=1)  # <-
                requests.post(f"{hook.other}/x", timeout=1)  # <-
                requests.post(f"https://api.example.org/{hook.other}", timeout=1)

        def job() -> None:
            with Session(engine) as session:
                for hook in session.scalars(select(Hook)).all():
                    httpx.post(hook.url, timeout=1)  # <-
                    made = Hook(url="https://x.example.org")
                    httpx.post(made.url, timeout=1)

        @app.get("/fresh")
        def fresh() -> None:
            hook = Hook(url="https://x.example.org")
            requests.get(hook.url, timeout=1)
            send(hook)

        def send(hook: Hook) -> None:
            requests.get(hook.url, timeout=1)
        """,
    ),
    case(
        "a column of SQLModel: model_validate, sqlmodel_update, the table as the body",
        """
        import requests
        from fastapi import Depends, FastAPI
        from sqlmodel import Field, Session, SQLModel, create_engine, select

        app = FastAPI()
        engine = create_engine("sqlite://")

        def get_session():
            with Session(engine) as session:
                yield session

        class FeedBase(SQLModel):
            url: str

        class Feed(FeedBase, table=True):
            id: int | None = Field(default=None, primary_key=True)
            owner: str = ""

        class FeedUpdate(SQLModel):
            owner: str

        class Site(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            address: str

        @app.post("/feeds")
        def create(body: FeedBase, session: Session = Depends(get_session)) -> None:
            session.add(Feed.model_validate(body))
            session.commit()

        @app.patch("/feeds/{key}")
        def change(key: int, body: FeedUpdate, session: Session = Depends(get_session)) -> None:
            feed = session.get(Feed, key)
            feed.sqlmodel_update(body.model_dump(exclude_unset=True))
            session.commit()

        @app.post("/sites")
        def add(site: Site, session: Session = Depends(get_session)) -> None:
            session.add(site)
            session.commit()

        @app.post("/run")
        def run(session: Session = Depends(get_session)) -> None:
            for feed in session.exec(select(Feed)).all():
                requests.get(feed.url, timeout=1)  # <-
                requests.get(feed.owner, timeout=1)  # <-
            site = session.exec(select(Site)).first()
            requests.get(site.address, timeout=1)  # <-
        """,
    ),
)

CALLS = (
    case(
        "other clients: urllib3, curl_cffi, OpenID discovery, feeds, SOAP, WebSockets",
        """
        import feedparser
        import trafilatura
        import urllib3
        import websockets
        import zeep
        from curl_cffi import requests
        from fastapi import FastAPI
        from httpx_oauth.clients.openid import OpenID

        app = FastAPI()
        pool = urllib3.PoolManager()

        @app.get("/load")
        async def load(url: str) -> None:
            pool.request("GET", url)  # <-
            urllib3.request("GET", url)  # <-
            requests.get(url)  # <-
            OpenID("id", "secret", url)  # <-
            feedparser.parse(url)  # <-
            trafilatura.fetch_url(url)  # <-
            zeep.Client(url)  # <-
            async with websockets.connect(url) as socket:  # <-
                await socket.send(url)
            pool.request("POST", "https://a.example.org", fields={"url": url})
        """,
    ),
)

STORES = (
    case(
        "repositories for any table: the project's own, and FastCRUD",
        """
        import requests
        from typing import Any, Generic, TypeVar
        from fastapi import Depends, FastAPI
        from fastapi.encoders import jsonable_encoder
        from fastcrud import FastCRUD
        from pydantic import BaseModel
        from sqlalchemy import create_engine, select
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

        app = FastAPI()
        engine = create_engine("sqlite://")

        def get_session():
            with Session(engine) as session:
                yield session

        class Base(DeclarativeBase): ...

        class Hook(Base):
            __tablename__ = "hooks"
            id: Mapped[int] = mapped_column(primary_key=True)
            url: Mapped[str]
            name: Mapped[str]

        class Page(Base):
            __tablename__ = "pages"
            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str]
            url: Mapped[str]

        class Feed(Base):
            __tablename__ = "feeds"
            id: Mapped[int] = mapped_column(primary_key=True)
            address: Mapped[str]

        class HookIn(BaseModel):
            url: str

        class PageIn(BaseModel):
            name: str

        class FeedIn(BaseModel):
            address: str

        M = TypeVar("M", bound=Base)
        C = TypeVar("C", bound=BaseModel)

        class Repository(Generic[M, C]):
            def __init__(self, model: type[M]) -> None:
                self.model = model

            def create(self, session: Session, *, given: C) -> M:
                data = jsonable_encoder(given)
                made = self.model(**data)
                session.add(made)
                session.commit()
                return made

        class Hooks(Repository[Hook, HookIn]): ...

        hooks = Hooks(Hook)
        pages = Repository[Page, PageIn](Page)
        feeds = FastCRUD(Feed)

        @app.post("/hooks")
        def add_hook(body: HookIn, session: Session = Depends(get_session)) -> None:
            hooks.create(session, given=body)

        @app.post("/pages")
        def add_page(body: PageIn, session: Session = Depends(get_session)) -> None:
            pages.create(session, given=body)

        @app.post("/feeds")
        async def add_feed(body: FeedIn, session: Any = Depends(get_session)) -> None:
            await feeds.create(session, body)

        @app.post("/run")
        def run(session: Session = Depends(get_session)) -> None:
            for hook in session.scalars(select(Hook)):
                requests.get(hook.url, timeout=1)  # <-
                requests.get(hook.name, timeout=1)
            for page in session.scalars(select(Page)):
                requests.get(page.url, timeout=1)
                requests.get(page.name, timeout=1)  # <-
            for feed in session.scalars(select(Feed)):
                requests.get(feed.address, timeout=1)  # <-
        """,
    ),
)

NO_FLOW = """
import os, subprocess, requests, httpx
from pathlib import Path
from uuid import uuid4, UUID
from urllib.parse import urljoin, quote, urlencode
from fastapi import FastAPI, UploadFile, Request, Depends, HTTPException, WebSocket
from fastapi.responses import FileResponse, RedirectResponse, HTMLResponse
from pydantic import BaseModel, Field, conint, constr
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = FastAPI()
engine = create_engine("sqlite://")
class Base(DeclarativeBase): ...
class File(Base):
    __tablename__ = "files"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    path: Mapped[str]
    url: Mapped[str]
class Link(Base):
    __tablename__ = "links"
    id: Mapped[int] = mapped_column(primary_key=True)
    target: Mapped[str]
class FileIn(BaseModel):
    name: str
Named = constr(regex="y")
class Body(BaseModel):
    kind: str = Field(pattern="^a$")
    code: constr(pattern="x")
    named: Named
    size: int

def get_session():
    with Session(engine) as session:
        yield session
UPLOADS = Path("uploads")

@app.post("/files")
def create(body: FileIn, upload: UploadFile, session: Session = Depends(get_session)):
    key = f"{uuid4()}{Path(upload.filename).suffix}"
    file = File(**body.model_dump(), path=str(UPLOADS / key), url=f"https://cdn.example.org/{body.name}")
    session.add(file)
    session.commit()
    with open(UPLOADS / key, "wb") as out:
        out.write(upload.file.read())
    with open(file.path) as f: ...
    return file

@app.get("/files/{key}")
def read(key: int, session: Session = Depends(get_session)):
    file = session.get(File, key)
    requests.get(file.url)
    return FileResponse(file.path, filename=file.name)

@app.post("/links")
def link(target: str, session: Session = Depends(get_session)):
    session.add(Link(target=target))
    session.commit()

@app.get("/go/{key}")
def go(key: int, session: Session = Depends(get_session)):
    return RedirectResponse(session.get(Link, key).target)

class Client:
    def __init__(self, base: str, name: str):
        self.base = base
        self.name = name
        self.http = httpx.Client(base_url=base)
    def get(self, path: str):
        return requests.get(f"{self.base}/{path}/{self.name}")
    def raw(self, path: str):
        return self.http.get(path)

@app.get("/c")
def c(name: str, path: str):
    client = Client("https://a.example.org", name)
    client.get(path)
    requests.get(os.path.join("https://a.example.org", name))
    requests.get("https://a.example.org?" + urlencode({"q": name}))
    requests.get(url="https://a.example.org", params={"q": name})
    requests.get(str(httpx.URL("https://a.example.org").copy_with(path=name)))

HANDLERS = {"a": "https://a.example.org"}
@app.post("/d")
def d(body: Body, name: str):
    requests.get(f"https://{body.kind}.example.org")
    requests.get(body.code)
    requests.get(body.named)
    requests.get(HANDLERS.get(name))
    requests.get(HANDLERS.get(name, "https://b.example.org"))
    url = HANDLERS[name] if name in HANDLERS else "x"
    requests.get(url)
    os.system(f"run {body.size}")
    for n in range(len(name)):
        os.system(f"run {n}")

@app.get("/e/{path:path}")
def e(path: str):
    full = (UPLOADS / path).resolve()
    if not full.is_relative_to(UPLOADS): raise HTTPException(404)
    return FileResponse(full)

def lookup(name: str) -> str:
    row = requests.get("https://x.example.org", params={"q": name}).json()
    return row["url"]

@app.get("/f")
def f(name: str):
    requests.get(lookup(name))

def first(items): return items[0]
def normal(url): return "https://a.example.org/" + url

@app.get("/g")
def g(name: str, request: Request):
    requests.get(first(["https://a.example.org", name]))
    requests.get(normal(name))
    requests.get(request.url_for("x"))
    requests.get(str(request.base_url) + name)
    return HTMLResponse(f"<p>{len(name)}</p>")

@app.websocket("/ws")
async def ws(websocket: WebSocket):
    data = await websocket.receive_json()
    n = int(data["n"])
    os.system(f"x {n}")
    kind = data["kind"]
    if kind not in ("a", "b"):
        return
    os.system(f"x {kind}")
    match data["op"]:
        case "a": os.system("x " + data["op"])
"""

SQL = (
    case(
        "a dictionary of handlers: the handler that the name picks, and no other",
        """
        from fastapi import Depends, FastAPI
        from pydantic import BaseModel
        from sqlalchemy import create_engine, text

        app = FastAPI()
        engine = create_engine("sqlite://")

        class Index(BaseModel):
            name: str
            column: str

        def workflows(engine):
            def create(data):
                build(**parsed(data))

            def drop(data):
                with engine.connect() as connection:
                    connection.execute(text(f"drop index {data['column']}"))

            return {"create": create, "drop": drop}

        def parsed(data: dict) -> dict:
            return {"name": data["name"], "kind": 1}

        def build(name: str, kind: int) -> None:
            sql = f"create index {name} on rows (id)"  # <-
            with engine.connect() as connection:
                connection.execute(text(sql))

        class Runner:
            def __init__(self) -> None:
                self.workflows = workflows(engine)

            def run(self, name: str, parameters: dict) -> None:
                self.workflows[name](parameters.get("request"))

        @app.post("/indices")
        def create_index(body: Index, runner: Runner = Depends()) -> None:
            runner.run("create", {"request": {"name": body.name, "column": body.column}})

        @app.delete("/indices/{number}")
        def drop_index(number: int, runner: Runner = Depends()) -> None:
            runner.run("drop", {"request": {"name": "x", "column": number}})
        """,
    ),
)


@pytest.mark.parametrize("given", [*SSRF, *CALLS, *STORES], ids=lambda given: given.title)
def test_urls_are_followed(given: Case) -> None:
    assert wrong_lines(rules()["ssrf"].rule, given) == []


@pytest.mark.parametrize("given", SQL, ids=lambda given: given.title)
def test_statements_are_followed(given: Case) -> None:
    assert wrong_lines(rules()["raw-sql-interpolation"].rule, given) == []


FEEDS = """
import requests
from fastapi import FastAPI
from sqlmodel import Field, Session, SQLModel, create_engine, select

app = FastAPI()
engine = create_engine("sqlite://")

class Feed(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    url: str

@app.post("/feeds")
def create(url: str) -> None:
    with Session(engine) as session:
        session.add(Feed(url=url))
        session.commit()

def refresh() -> None:
    with Session(engine) as session:
        for feed in session.exec(select(Feed)).all():
            requests.get(feed.url, timeout=1)
"""


@pytest.mark.parametrize(
    "name",
    ["ssrf", "path-traversal", "command-injection", "open-redirect", "html-injection",
     "raw-sql-interpolation"],
)  # fmt: skip
def test_what_is_no_flow(name: str) -> None:
    assert wrong_lines(rules()[name].rule, case("no flow", NO_FLOW)) == []


def test_commands_on_other_machines_and_archives() -> None:
    given = case(
        "commands over SSH",
        """
        import paramiko
        from fabric import Connection
        from fastapi import FastAPI

        app = FastAPI()
        client = paramiko.SSHClient()

        @app.post("/run")
        def run(name: str, count: int) -> None:
            client.exec_command(f"convert {name}")  # <-
            Connection("a.example.org").run("convert " + name)  # <-
            client.exec_command(f"convert -n {count}")
        """,
    )
    assert wrong_lines(rules()["command-injection"].rule, given) == []
    given = case(
        "archives and files that are removed",
        """
        import tarfile
        import zipfile
        import aiofiles.os
        from fastapi import FastAPI, UploadFile

        app = FastAPI()

        @app.post("/unpack")
        async def unpack(name: str, upload: UploadFile) -> None:
            zipfile.ZipFile(upload.file).namelist()
            tarfile.open(f"archives/{name}")  # <-
            await aiofiles.os.remove(f"archives/{name}")  # <-
        """,
    )
    assert wrong_lines(rules()["path-traversal"].rule, given) == []


def evidence_of(source: str) -> tuple[str, list[str]]:
    """Return message and notes of the one finding about server-side requests."""
    check = rules()["ssrf"].rule.app
    assert check is not None
    (hit,) = check(app_from({"main.py": source}))
    return hit.message, [link.note for link in hit.evidence]


def test_evidence_shows_the_write_and_the_read() -> None:
    message, notes = evidence_of(FEEDS)
    assert message.startswith("url of the request, stored in Feed.url,")
    assert notes == [
        "POST /feeds",
        "create",
        "query url",
        "stored in Feed.url",
        "Feed.url read back",
        "requests.get",
    ]


def test_evidence_shows_which_route_reads() -> None:
    route = """
@app.post("/refresh")
def refresh_now() -> None:
    refresh()
"""
    _, notes = evidence_of(FEEDS + route)
    assert notes == [
        "POST /feeds",
        "create",
        "query url",
        "stored in Feed.url",
        "POST /refresh",
        "refresh",
        "Feed.url read back",
        "requests.get",
    ]
