"""Small applications and the routes that they serve at run time.

``test_setup.py`` interprets each; its slow test runs each under the FastAPI that is installed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent


@dataclass(frozen=True)
class Case:
    """Files, the expression that gives the application at run time, and its routes."""

    files: dict[str, str]
    routes: list[str]
    app: str = "main:app"
    environment: dict[str, str] = field(default_factory=dict)


def case(routes: str, app: str = "main:app", **files: str) -> Case:
    """Return a case; ``main="..."`` is ``main.py``, ``app__api="..."`` is ``app/api.py``."""
    sources = {
        name.replace("__", "/").replace("INIT", "__init__") + ".py": dedent(text)
        for name, text in files.items()
    }
    lines = [line.strip() for line in routes.strip().splitlines() if line.strip()]
    return Case(sources, sorted(lines), app)


CASES = {
    "plain": case(
        """
        GET / main:index
        POST /items main:create
        WS /ws main:ws
        """,
        main="""
        from fastapi import FastAPI
        app = FastAPI()
        @app.get("/")
        def index(): ...
        @app.post("/items")
        async def create(): ...
        @app.websocket("/ws")
        async def ws(websocket): ...
        """,
    ),
    "stacked decorators": case(
        """
        GET /a main:both
        GET /b main:both
        PUT /b main:both
        """,
        main="""
        from fastapi import FastAPI
        app = FastAPI()
        @app.get("/a")
        @app.get("/b")
        @app.put("/b")
        def both(): ...
        """,
    ),
    "api_route and plain routes": case(
        """
        GET,POST /multi main:multi
        GET,HEAD /plain main:plain
        POST /posted main:posted
        GET,HEAD /added main:added
        GET /api-added main:api_added
        WS /ws-added main:ws_added
        """,
        main="""
        from fastapi import FastAPI, Request
        app = FastAPI()
        @app.api_route("/multi", methods=["get", "POST"])
        def multi(): ...
        def plain(request): ...
        app.router.add_route("/plain", plain)
        def posted(request): ...
        app.add_route("/posted", posted, methods=["POST"])
        def added(request): ...
        app.add_route("/added", added)
        def api_added(): ...
        app.add_api_route("/api-added", api_added)
        async def ws_added(websocket): ...
        app.add_api_websocket_route("/ws-added", ws_added)
        """,
    ),
    "prefixes nest": case(
        """
        GET /api/v1/users/{id} app.users:read
        GET /api/v1/users app.users:list_all
        """,
        app="app.main:app",
        app__INIT="",
        app__users="""
        from fastapi import APIRouter
        router = APIRouter(prefix="/users")
        @router.get("/{id}")
        def read(id: int): ...
        @router.get("")
        def list_all(): ...
        """,
        app__api="""
        from fastapi import APIRouter
        from app import users
        v1 = APIRouter(prefix="/v1")
        v1.include_router(users.router)
        """,
        app__main="""
        from fastapi import FastAPI
        from app.api import v1
        app = FastAPI()
        app.include_router(v1, prefix="/api")
        """,
    ),
    "relative imports and re-exports": case(
        """
        GET /things app.routers.things:things
        GET /others app.routers.others:others
        """,
        app="app.main:app",
        app__INIT="",
        app__routers__INIT="""
        from .things import router as things_router
        from .others import *
        __all__ = ["things_router", "others_router"]
        """,
        app__routers__things="""
        from fastapi import APIRouter
        router = APIRouter()
        @router.get("/things")
        def things(): ...
        """,
        app__routers__others="""
        from fastapi import APIRouter
        others_router = APIRouter()
        @others_router.get("/others")
        def others(): ...
        """,
        app__main="""
        from fastapi import FastAPI
        from . import routers
        from .routers import others_router
        app = FastAPI()
        app.include_router(routers.things_router)
        app.include_router(others_router)
        """,
    ),
    "settings prefix": case(
        """
        GET /api/v2/x main:x
        GET /api/v2/admin/y main:y
        """,
        settings="""
        import os
        from dataclasses import dataclass

        @dataclass
        class Settings:
            root: str = "/api"
            version: int = 2

            @property
            def prefix(self) -> str:
                return f"{self.root}/v{self.version}"

        settings = Settings()
        ADMIN = os.getenv("NO_SUCH_ADMIN_PREFIX", "/admin")
        """,
        main="""
        from fastapi import APIRouter, FastAPI
        from settings import ADMIN, settings
        router = APIRouter()
        @router.get("/x")
        def x(): ...
        @router.get(ADMIN + "/y")
        def y(): ...
        app = FastAPI()
        app.include_router(router, prefix=settings.prefix)
        """,
    ),
    "pydantic settings": case(
        """
        GET /v3/x main:x
        GET /v3/debug main:debug
        """,
        main="""
        from functools import lru_cache
        from fastapi import APIRouter, FastAPI
        from pydantic import BaseModel, Field
        class Api(BaseModel):
            prefix: str = Field(default="/v3")
            debug: bool = True
        class Settings(BaseModel):
            api: Api = Field(default_factory=Api)
        @lru_cache
        def get_settings() -> Settings:
            return Settings()
        router = APIRouter()
        @router.get("/x")
        def x(): ...
        app = FastAPI()
        app.include_router(router, prefix=get_settings().api.prefix)
        if get_settings().api.debug:
            @app.get(f"{get_settings().api.prefix}/debug")
            def debug(): ...
        """,
    ),
    "loop over modules": case(
        """
        GET /a/list pkg.a:listed
        GET /b/list pkg.b:listed
        """,
        pkg__INIT="",
        pkg__a="""
        from fastapi import APIRouter
        router = APIRouter()
        @router.get("/list")
        def listed(): ...
        """,
        pkg__b="""
        from fastapi import APIRouter
        router = APIRouter()
        @router.get("/list")
        def listed(): ...
        """,
        main="""
        from fastapi import FastAPI
        from pkg import a, b
        app = FastAPI()
        ROUTERS = {"/a": a.router, "/b": b.router}
        for prefix, router in ROUTERS.items():
            app.include_router(router, prefix=prefix)
        """,
    ),
    "dynamic imports": case(
        """
        GET /alpha/x plugins.alpha:x
        GET /beta/x plugins.beta:x
        """,
        plugins__INIT="",
        plugins__alpha="""
        from fastapi import APIRouter
        router = APIRouter()
        @router.get("/x")
        def x(): ...
        """,
        plugins__beta="""
        from fastapi import APIRouter
        router = APIRouter()
        @router.get("/x")
        def x(): ...
        """,
        plugins__gamma="value = 1",
        main="""
        import importlib
        import pkgutil
        import plugins
        from fastapi import FastAPI
        app = FastAPI()
        for info in pkgutil.iter_modules(plugins.__path__):
            module = importlib.import_module(f"plugins.{info[1]}")
            if hasattr(module, "router"):
                app.include_router(module.router, prefix=f"/{info[1]}")
        """,
    ),
    "modules found by folder": case(
        "GET /x routes.first:x",
        routes__first="""
        from fastapi import APIRouter
        router = APIRouter()
        @router.get("/x")
        def x(): ...
        """,
        main="""
        from importlib import import_module
        from pathlib import Path
        from fastapi import FastAPI
        app = FastAPI()
        for file in sorted((Path(__file__).parent / "routes").glob("*.py")):
            app.include_router(import_module(f"routes.{file.stem}").router)
        """,
    ),
    "helper functions": case(
        """
        GET /health main:register_health.<locals>.health
        GET /v1/a main:a
        GET /v2/a main:a
        """,
        main="""
        from fastapi import APIRouter, FastAPI
        router = APIRouter()
        @router.get("/a")
        def a(): ...
        def register_health(app):
            @app.get("/health")
            def health(): ...
        def include_all(app, routers, *prefixes, **options):
            for prefix in prefixes:
                for each in routers:
                    app.include_router(each, prefix=prefix, **options)
        app = FastAPI()
        register_health(app)
        include_all(app, [router], "/v1", "/v2", tags=["x"])
        """,
    ),
    "factory": case(
        """
        GET /ping main:create_app.<locals>.ping
        GET /x main:x
        """,
        app="main:create_app()",
        main="""
        from fastapi import APIRouter, FastAPI
        router = APIRouter()
        @router.get("/x")
        def x(): ...
        def create_app(debug: bool = False) -> FastAPI:
            app = FastAPI(debug=debug)
            configure(app)
            @app.get("/ping")
            async def ping(): ...
            return app
        def configure(app: FastAPI) -> None:
            app.include_router(router)
        """,
    ),
    "factory class": case(
        """
        GET /status main:Server.status
        GET /inner main:Server._routes.<locals>.inner
        """,
        app="main:Server('x').app",
        main="""
        from fastapi import FastAPI
        class Server:
            def __init__(self, name):
                self.name = name
                self.app = self._make()
                self._routes()
            def _make(self):
                return FastAPI(title=self.name)
            def _routes(self):
                self.app.add_api_route("/status", self.status)
                @self.app.get("/inner")
                def inner(): ...
            def status(self): ...
        """,
    ),
    "routers of a factory function": case(
        """
        GET /cats main:make.<locals>.listed
        GET /dogs main:make.<locals>.listed
        """,
        main="""
        from fastapi import APIRouter, FastAPI
        def make(name):
            router = APIRouter(prefix=f"/{name}")
            @router.get("")
            def listed(): ...
            return router
        app = FastAPI()
        for name in ("cats", "dogs"):
            app.include_router(make(name))
        """,
    ),
    "controller classes": case(
        """
        GET /orders main:Orders.listed
        POST /orders main:Orders.create
        GET /users main:Users.listed
        POST /users main:Base.create
        """,
        main="""
        from fastapi import APIRouter, FastAPI
        class Base:
            prefix = "/base"
            def __init__(self):
                self.router = APIRouter(prefix=self.prefix)
                self.router.add_api_route("", self.listed, methods=["GET"])
                self.router.add_api_route("", self.create, methods=["POST"])
            def listed(self): ...
            def create(self): ...
        class Orders(Base):
            prefix = "/orders"
            def listed(self): ...
            def create(self): ...
        class Users(Base):
            prefix = "/users"
            def listed(self): ...
        app = FastAPI()
        for controller in [Orders, Users]:
            app.include_router(controller().router)
        """,
    ),
    "methods under a router's decorator": case(
        "GET /x/{id} main:View.read",
        main="""
        from fastapi import APIRouter, FastAPI
        router = APIRouter(prefix="/x")
        class View:
            @router.get("/{id}")
            def read(id: int): ...
        app = FastAPI()
        app.include_router(router)
        """,
    ),
    "subclass with its own prefix": case(
        """
        GET /api/v9/a main:a
        GET /api/v9/a/ main:a
        """,
        main="""
        from fastapi import APIRouter, FastAPI
        class Versioned(APIRouter):
            def __init__(self, version, *args, **kwargs):
                kwargs["prefix"] = f"/api/v{version}" + kwargs.get("prefix", "")
                super().__init__(*args, **kwargs)
            def add_api_route(self, path, endpoint, **kwargs):
                super().add_api_route(path, endpoint, **kwargs)
                super().add_api_route(path + "/", endpoint, **kwargs)
        router = Versioned(9)
        @router.get("/a")
        def a(): ...
        app = FastAPI()
        app.include_router(router)
        """,
    ),
    "subclass of FastAPI": case(
        """
        GET /own main:App.own
        GET /x main:x
        """,
        main="""
        from fastapi import FastAPI
        class App(FastAPI):
            def __init__(self, **kwargs):
                super().__init__(title="x", **kwargs)
                self.add_api_route("/own", self.own)
            def own(self): ...
        app = App()
        @app.get("/x")
        def x(): ...
        """,
    ),
    "mounts": case(
        """
        GET /sub/x main:x
        GET /sub/deep/y main:y
        GET,HEAD /plain/z main:z
        GET / main:index
        """,
        main="""
        from fastapi import FastAPI
        from starlette.applications import Starlette
        from starlette.routing import Mount, Route
        app, sub, deep = FastAPI(), FastAPI(), FastAPI()
        @app.get("/")
        def index(): ...
        @sub.get("/x")
        def x(): ...
        @deep.get("/y")
        def y(): ...
        def z(request): ...
        sub.mount("/deep/", deep)
        app.mount("/sub", sub)
        app.mount("/plain", Starlette(routes=[Route("/z", z)]))
        """,
    ),
    "wrapped endpoints": case(
        """
        GET /wrapped main:wrapped
        GET /bare main:bare.<locals>.inner
        GET /partial main:partially
        """,
        main="""
        from functools import partial, wraps
        from fastapi import FastAPI
        def good(function):
            @wraps(function)
            def inner(*args, **kwargs):
                return function(*args, **kwargs)
            return inner
        def bare(function):
            def inner():
                return function()
            return inner
        app = FastAPI()
        @app.get("/wrapped")
        @good
        def wrapped(): ...
        @app.get("/bare")
        @bare
        def hidden(): ...
        def partially(a: int): ...
        app.add_api_route("/partial", partial(partially, 1), name="partial")
        """,
    ),
    "conditions that are known": case(
        """
        GET /yes main:yes
        GET /else main:otherwise
        GET /handled main:handled
        """,
        main="""
        import typing
        from fastapi import FastAPI
        if typing.TYPE_CHECKING:
            from nowhere import nothing
        app = FastAPI()
        ENABLED, DISABLED = True, False
        if ENABLED and not DISABLED:
            @app.get("/yes")
            def yes(): ...
        if DISABLED:
            @app.get("/no")
            def no(): ...
        else:
            @app.get("/else")
            def otherwise(): ...
        if "a" in ["b", "c"] or len([1]) > 1:
            @app.get("/never")
            def never(): ...
        try:
            raise ValueError
        except ValueError:
            @app.get("/handled")
            def handled(): ...
        """,
    ),
    "routes as data": case(
        """
        GET /one main:one
        DELETE,PUT /two main:two
        GET /three main:three
        """,
        main="""
        from fastapi import APIRouter, FastAPI
        from fastapi.routing import APIRoute
        def one(): ...
        def two(): ...
        def three(): ...
        TABLE = [("/one", one, ["GET"]), ("/two", two, ["PUT", "DELETE"])]
        router = APIRouter()
        for path, endpoint, methods in TABLE:
            router.add_api_route(path, endpoint, methods=methods)
        router.routes.append(APIRoute("/three", three))
        app = FastAPI(routes=router.routes)
        """,
    ),
    "getattr and partial decorators": case(
        """
        GET /get main:get
        POST /post main:post
        PATCH /patched main:patched
        """,
        main="""
        from functools import partial
        from fastapi import FastAPI
        app = FastAPI()
        def get(): ...
        def post(): ...
        for verb, function in {"get": get, "post": post}.items():
            getattr(app, verb)("/" + verb)(function)
        patch = partial(app.patch, tags=["x"])
        @patch("/patched")
        def patched(): ...
        """,
    ),
    "comprehensions and unpacking": case(
        """
        GET /v1/x main:x
        GET /v2/x main:x
        """,
        main="""
        from fastapi import APIRouter, FastAPI
        def x(): ...
        def router(version):
            made = APIRouter(prefix=f"/v{version}")
            made.get("/x")(x)
            return made
        routers = [router(number) for number in range(1, 4) if number != 3]
        first, *rest = routers
        app = FastAPI()
        for each in (first, *rest):
            app.include_router(each)
        """,
    ),
    "flask style": case(
        "GET /late pkg.views:late",
        app="pkg.main:app",
        pkg__INIT="",
        pkg__main="""
        from fastapi import FastAPI
        app = FastAPI()
        from pkg import views
        """,
        pkg__views="""
        from pkg.main import app
        @app.get("/late")
        def late(): ...
        """,
    ),
    "async factory": case(
        "GET /x main:build.<locals>.x",
        app="main:__import__('asyncio').run(build())",
        main="""
        from fastapi import FastAPI
        async def build():
            app = FastAPI()
            await setup(app)
            @app.get("/x")
            def x(): ...
            return app
        async def setup(app): ...
        """,
    ),
    "subclass registry": case(
        """
        GET /a main:A.get
        GET /b main:B.get
        """,
        main="""
        from fastapi import APIRouter, FastAPI
        router = APIRouter()
        class Resource:
            path = ""
            def __init_subclass__(cls, **kwargs):
                super().__init_subclass__(**kwargs)
                router.add_api_route(cls.path, cls.get, methods=["GET"])
        class A(Resource):
            path = "/a"
            @staticmethod
            def get(): ...
        class B(Resource):
            path = "/b"
            @staticmethod
            def get(): ...
        app = FastAPI()
        app.include_router(router)
        """,
    ),
    "doubled braces": case(
        "GET /v1/{id} main:read",
        main="""
        from fastapi import FastAPI
        app = FastAPI()
        V = 1
        @app.get(f"/v{V}/{{id}}")
        def read(id: int): ...
        """,
    ),
}
