"""What the set-up interpreter says beyond paths: presence, layers, applications, notes."""

from __future__ import annotations

from textwrap import dedent

import pytest
from kit import set_up, table

from fastwright.app.setup.result import RouteRecord, SetupResult
from fastwright.read import syntax as s

COPYING = (0, 136)


def one(main: str, **more: str) -> SetupResult:
    """Interpret ``main.py`` and other modules."""
    files = {"main.py": dedent(main)}
    files |= {f"{name.replace('__', '/')}.py": dedent(text) for name, text in more.items()}
    return set_up(files)


def route(result: SetupResult, path: str) -> RouteRecord:
    """Return the one route with that path."""
    return next(each for each in result.routes if each.path == path)


LATE = """
from fastapi import APIRouter, FastAPI
app = FastAPI()
router = APIRouter(prefix="/r")
@router.get("/early")
def early(): ...
app.include_router(router)
@router.get("/late")
def late(): ...
"""


def test_late_routes_show_where_included_routers_are_kept() -> None:
    result = set_up({"main.py": LATE})
    assert table(result.routes) == ["GET /r/early main:early", "GET /r/late main:late"]
    assert [note.kind for note in result.notes] == ["included-too-early"]


def test_late_routes_do_not_show_where_they_are_copied() -> None:
    result = set_up({"main.py": LATE}, fastapi=COPYING)
    assert table(result.routes) == ["GET /r/early main:early"]
    assert [note.kind for note in result.notes] == ["included-too-early"]


def test_copying_drops_mounts_of_included_routers() -> None:
    source = """
from fastapi import APIRouter, FastAPI
sub = FastAPI()
@sub.get("/x")
def x(): ...
router = APIRouter(prefix="/r")
router.mount("/sub", sub)
app = FastAPI()
app.include_router(router, prefix="/p")
"""
    copied = {each.path for each in set_up({"main.py": source}, fastapi=COPYING).routes}
    assert copied == {"/x"}  # the application stands alone
    kept = {each.path for each in set_up({"main.py": source}).routes}
    assert kept == {"/p/sub/x"}


@pytest.mark.parametrize(
    ("condition", "presence"),
    [
        ("os.getenv('DEBUG')", "off"),
        ("os.environ.get('DEBUG', 'false').lower() == 'true'", "off"),
        ("settings.debug", "off"),
        ("not settings.debug", "always"),
        ("settings.debug and FLAG", "off"),
        ("os.environ['DEBUG']", "unknown"),
        ("unknown()", "unknown"),
        ("FLAG", "always"),
    ],
)
def test_presence(condition: str, presence: str) -> None:
    result = one(f"""
        import os
        from fastapi import FastAPI
        from pydantic_settings import BaseSettings
        class Settings(BaseSettings):
            debug: bool = False
        settings = Settings()
        FLAG = True
        app = FastAPI()
        if {condition}:
            @app.get("/x")
            def x(): ...
        """)
    assert route(result, "/x").presence == presence


def test_a_setting_that_returns_early_switches_off_what_follows() -> None:
    result = one("""
        import os
        from fastapi import FastAPI
        def register(app, enabled):
            if not enabled:
                return "nothing"
            @app.get("/metrics")
            def metrics(): ...
        app = FastAPI()
        register(app, os.getenv("METRICS", ""))
        @app.get("/x")
        def x(): ...
        """)
    assert [(each.path, each.presence) for each in result.routes] == [
        ("/metrics", "off"),
        ("/x", "always"),
    ]


def test_routes_added_when_the_application_starts() -> None:
    result = one("""
        from contextlib import asynccontextmanager
        from fastapi import APIRouter, FastAPI
        router = APIRouter()
        @router.get("/x")
        def x(): ...
        @asynccontextmanager
        async def lifespan(app):
            app.include_router(router)
            yield
        app = FastAPI(lifespan=lifespan)
        """)
    assert route(result, "/x").presence == "startup"
    lifespan = result.applications[0].lifespan
    assert lifespan is not None
    assert lifespan.id == "main:lifespan"


def test_unknown_pieces_of_a_path() -> None:
    result = one("""
        import os
        from fastapi import FastAPI
        app = FastAPI()
        @app.get(f"/{os.environ['TENANT']}/x")
        def x(): ...
        """)
    assert (result.routes[0].path, result.routes[0].uncertain) == ("/{?}/x", True)


def test_branches_that_give_a_known_path_win() -> None:
    result = one("""
        from fastapi import FastAPI
        from elsewhere import base
        app, sub = FastAPI(), FastAPI()
        @sub.get("/x")
        def x(): ...
        if base:
            app.mount(base, sub)
        else:
            app.mount("/api", sub)
        """)
    assert [each.path for each in result.routes] == ["/api/x"]


def test_keywords_lead_to_where_they_were_written() -> None:
    result = one("""
        from fastapi import FastAPI
        def add(app, path, endpoint, **options):
            app.add_api_route(path, endpoint, **options)
        def add_model(app, path, endpoint, model):
            add(app, path, endpoint, response_model=model, status_code=201)
        def x(): ...
        app = FastAPI()
        add_model(app, "/x", x, dict[str, int])
        """)
    found = result.routes[0].keywords
    assert isinstance(found["response_model"].node, s.Subscript)
    assert found["response_model"].function is None
    assert isinstance(found["status_code"].node, s.Constant)


def test_layers_and_tags_from_outermost_to_innermost() -> None:
    result = one("""
        from fastapi import APIRouter, Depends, FastAPI
        def auth(): ...
        inner = APIRouter(prefix="/i", tags=["inner"], dependencies=[Depends(auth)])
        @inner.get("/x", tags=["own"])
        def x(): ...
        outer = APIRouter(prefix="/o", tags=["outer"])
        outer.include_router(inner, tags=["included"])
        app = FastAPI(dependencies=[Depends(auth)])
        app.include_router(outer)
        """)
    found = route(result, "/o/i/x")
    assert [layer.kind for layer in found.inherited] == [
        "app", "include", "router", "include", "router",
    ]  # fmt: skip
    assert found.tags == ("outer", "included", "inner", "own")
    with_dependencies = [k.kind for k in found.inherited if "dependencies" in k.keywords]
    assert with_dependencies == ["app", "router"]


def test_what_an_application_holds() -> None:
    result = one("""
        from fastapi import FastAPI
        from fastapi.middleware.cors import CORSMiddleware
        class Own: ...
        class Error(Exception): ...
        async def on_error(request, error): ...
        app = FastAPI(title="x", exception_handlers={404: on_error})
        app.add_middleware(CORSMiddleware, allow_origins=["*"])
        app.add_middleware(Own)
        @app.middleware("http")
        async def timing(request, call_next): ...
        @app.exception_handler(Error)
        async def handle(request, error): ...
        @app.on_event("startup")
        async def start(): ...
        """)
    (app,) = result.applications
    assert app.name == "app"
    assert [each.name for each in app.middleware] == [
        "fastapi.middleware.cors.CORSMiddleware", "main:Own", "main:timing",
    ]  # fmt: skip
    assert list(app.middleware[0].keywords) == ["allow_origins"]
    assert [each.name for each in app.exception_handlers] == ["main:on_error", "main:handle"]
    assert s.dotted(app.exception_handlers[1].exception.node) == "Error"
    assert [(each.event, each.function and each.function.id) for each in app.event_handlers] == [
        ("startup", "main:start")
    ]
    assert "title" in app.keywords


def test_unmounted_routers() -> None:
    result = one("""
        from fastapi import APIRouter, FastAPI
        used, unused = APIRouter(prefix="/u"), APIRouter(prefix="/n")
        @used.get("/x")
        def x(): ...
        @unused.get("/y")
        def y(): ...
        app = FastAPI()
        app.include_router(used)
        """)
    assert table(result.routes) == ["GET /u/x main:x"]
    found = {router.name: (router.mounted, table(router.routes)) for router in result.routers}
    assert found == {
        "used": (True, ["GET /u/x main:x"]),
        "unused": (False, ["GET /n/y main:y"]),
    }


def test_routers_from_outside_are_noted() -> None:
    result = one("""
        from fastapi import FastAPI
        from elsewhere import Accounts
        accounts = Accounts(None, [])
        app = FastAPI()
        app.include_router(accounts.get_router(None), prefix="/auth")
        """)
    assert [note.kind for note in result.notes] == ["external-router"]


def test_several_applications_and_copies_of_one() -> None:
    result = one(
        """
        from fastapi import FastAPI
        def create(title):
            app = FastAPI(title=title)
            @app.get("/shared")
            def shared(): ...
            return app
        app = create("a")
        again = create("b")
        """,
        admin="""
        from fastapi import FastAPI
        app = FastAPI()
        @app.get("/admin")
        def admin(): ...
        """,
    )
    assert table(result.routes) == [
        "GET /admin admin:admin",
        "GET /shared main:create.<locals>.shared",
    ]
    assert len(result.applications) == 2


def test_a_mounted_application_is_served_by_its_parent_only() -> None:
    result = one("""
        from fastapi import FastAPI
        sub = FastAPI()
        @sub.get("/x")
        def x(): ...
        app = FastAPI()
        app.mount("/sub", sub)
        """)
    assert [each.path for each in result.routes] == ["/sub/x"]
    found = {each.name: [m.path for m in each.mounted_under] for each in result.applications}
    assert found == {"app": [], "sub": ["/sub"]}


def test_the_main_block_when_nothing_else_makes_an_application() -> None:
    result = one("""
        from fastapi import FastAPI
        def x(): ...
        if __name__ == "__main__":
            import uvicorn
            app = FastAPI()
            app.get("/x")(x)
            uvicorn.run(app)
        """)
    assert table(result.routes) == ["GET /x main:x"]


def test_routes_declared_in_json() -> None:
    result = set_up(
        {
            "data/routes.json": '[{"path": "/a", "verb": "GET"}, {"path": "/b", "verb": "PUT"}]',
            "main.py": dedent("""
            import json
            from pathlib import Path
            from fastapi import FastAPI
            app = FastAPI()
            def handler(): ...
            with open(Path(__file__).parent / "data" / "routes.json") as file:
                for entry in json.load(file):
                    app.add_api_route(entry["path"], handler, methods=[entry["verb"]])
            """),
        }
    )
    assert table(result.routes) == ["GET /a main:handler", "PUT /b main:handler"]


def test_the_only_class_that_fills_an_abstract_one() -> None:
    result = one("""
        from abc import ABC, abstractmethod
        from fastapi import FastAPI
        from elsewhere import load
        class Plugin(ABC):
            @abstractmethod
            def register(self, app): ...
        class Real(Plugin):
            def register(self, app):
                app.add_api_route("/plugin", self.run)
            def run(self): ...
        def plugin() -> Plugin:
            return load()
        app = FastAPI()
        plugin().register(app)
        """)
    assert table(result.routes) == ["GET /plugin main:Real.run"]


HOSTILE = {
    "endless loop": "while True:\n    app.get('/x')\n",
    "recursion": "def f(): return f()\nf()\napp.include_router(f())\n",
    "mutual recursion": "def f(a): g(a)\ndef g(a): f(a); a.get('/x')\nf(app)\n",
    "itself": "app.include_router(app)\napp.mount('/x', app)\n",
    "circle": "a = APIRouter()\nb = APIRouter()\na.include_router(b)\nb.include_router(a)\n"
    "app.include_router(a)\n",
    "growing list": "items = [1]\nfor x in items:\n    items.append(x)\n    app.get('/x')\n",
    "list in itself": "a = []\na.append(a)\nfor x in a: app.include_router(x)\nb = a == a\n",
    "inherits itself": "class A(A): ...\nA().router\napp.include_router(A().router)\n",
    "large range": "for a in range(10**9):\n  for b in range(10**9):\n    app.get('/x')\n",
    "large product": "x = 'a' * 10**9\ny = [1] * 10**9\napp.get(x)\nz = '%s' % x\n",
    "bad format": "app.get('{'.format(1))\napp.get('{:>99999999999}'.format('a'))\n",
    "bad arguments": "app.get()\napp.include_router()\nFastAPI(1, 2, **3)\napp.mount()\n",
    "generator": "def g():\n    while True:\n        yield app\nfor x in g(): x.get('/x')(g)\n",
    "star import of itself": "from main import *\nimport main\nmain.app.get('/x')(x)\n",
    "wrapped by itself": "import functools\ndef f(): ...\nf = functools.wraps(f)(f)\n"
    "app.get('/x')(f)\n",
    "partial of itself": "import functools\np = functools.partial(app.get)\np = "
    "functools.partial(p, '/x')\np()(p)\n",
    "getattr": "class A:\n    def __getattr__(self, n): return getattr(self, n)\nA().x\n"
    "app.include_router(A().y)\n",
    "growing text": "x = 'ab'\nfor i in range(200):\n    x = x + x\n    y = x.replace('a', x)\n"
    "app.get(x)(app)\n",
    "growing number": "x = 3\nfor i in range(200):\n    x = x * x\n",
    "doubling list": "x = [1]\nfor i in range(200):\n    x = x + x\n    x += x\n    x.extend(x)\n",
    "huge power": "x = 10 ** 10 ** 10\ny = 9 // 0\nz = 1 << 10**9\napp.get(str(x))\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_code_ends(name: str) -> None:
    source = f"from fastapi import APIRouter, FastAPI\napp = FastAPI()\n{HOSTILE[name]}"
    source += "\n@app.get('/after')\ndef after(): ...\n"
    result = set_up({"main.py": source})
    assert "/after" in {each.path for each in result.routes}
    assert "failed" not in {note.kind for note in result.notes}


def test_deep_chains_of_imports() -> None:
    files = {
        f"m{i}.py": f"from fastapi import APIRouter\nfrom m{i + 1} import router\n"
        f"r = APIRouter()\nr.include_router(router, prefix='/{i}')\nrouter = r\n"
        for i in range(150)
    }
    files["m150.py"] = "from fastapi import APIRouter\nrouter = APIRouter()\n"
    files["main.py"] = "from fastapi import FastAPI\nfrom m0 import router\napp = FastAPI()\n"
    files["main.py"] += "app.include_router(router)\n@app.get('/x')\ndef x(): ...\n"
    assert table(set_up(files).routes) == ["GET /x main:x"]
