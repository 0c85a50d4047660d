"""What a client sends is never unpickled.

`pickle.loads` and its kin run code that stands in the data; `yaml.load` with a full loader builds any
Python object (CWE-502). Take JSON into a Pydantic model; for YAML, `yaml.safe_load`.

Reported where the body, an uploaded file or another text of a request reaches `pickle`, `marshal`, `dill`,
`cloudpickle`, `joblib`, `jsonpickle` or an unsafe loader of `yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.model import App
from fastwright.app.request_data import RequestData
from fastwright.edit.builders import delete_argument
from fastwright.edit.fix import Edit, Fix
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import call_name
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.security._flows import flows, hit

_LOADING = frozenset({"yaml.load", "yaml.full_load", "yaml.unsafe_load"})


def check(app: App) -> Iterator[Hit]:
    """Report deserialisers that run code and get request data."""
    for flow in flows(app, RequestData(app), app.library.sinks["unsafe-deserialization"]):
        if flow.site.external == "yaml.load" and _is_safe(flow.site.node):
            continue
        call = call_name(flow.site)
        found = hit(flow, f"{flow.source.told} goes to {call}, which runs what it says")
        yield msgspec.structs.replace(found, fix=_fix(flow.site.module, flow.site.node))


def _fix(module: Module, call: s.Call) -> Fix | None:
    """Return the fix that loads YAML safely; pickled data has no safe loader."""
    func = call.func
    if module.qualify(func) not in _LOADING or not isinstance(func, s.Attribute):
        return None
    loader = next((each for each in call.keywords if each.arg == "Loader"), None)
    taken = call.args[1] if len(call.args) > 1 else loader
    safe = Edit(module.path, func.end - len(func.attr.encode()), func.end, "safe_load")
    rest = [delete_argument(module, call, taken)] if taken is not None else []
    return Fix("suggest", (safe, *rest))


def _is_safe(call: s.Call) -> bool:
    return "Safe" in (s.last_name(call.argument(1, "Loader")) or "")


RULE = Rule(
    summary="request data is unpickled",
    severity="error",
    mend="Take JSON into a Pydantic model (`Model.model_validate_json(body)`); for YAML `yaml.safe_load`.",
    app=check,
    references=(
        "https://cheatsheetseries.owasp.org/cheatsheets/Deserialization_Cheat_Sheet.html",
        "CWE-502",
    ),
)

CASES = (
    case(
        "the body, an upload, a cookie",
        """
        import base64
        import pickle
        import yaml
        from typing import Annotated
        from fastapi import Cookie, FastAPI, Request, UploadFile

        app = FastAPI()

        @app.post("/a")
        async def a(request: Request) -> None:
            pickle.loads(await request.body())  # <-

        @app.post("/b")
        async def b(upload: UploadFile) -> None:
            content = await upload.read()
            yaml.load(content, Loader=yaml.Loader)  # <-

        @app.get("/c")
        def c(state: Annotated[str, Cookie()]) -> None:
            pickle.loads(base64.b64decode(state))  # <-
        """,
        after="""
        import base64
        import pickle
        import yaml
        from typing import Annotated
        from fastapi import Cookie, FastAPI, Request, UploadFile

        app = FastAPI()

        @app.post("/a")
        async def a(request: Request) -> None:
            pickle.loads(await request.body())

        @app.post("/b")
        async def b(upload: UploadFile) -> None:
            content = await upload.read()
            yaml.safe_load(content)

        @app.get("/c")
        def c(state: Annotated[str, Cookie()]) -> None:
            pickle.loads(base64.b64decode(state))
        """,
    ),
    case(
        "safe loaders, and data of our own",
        """
        import pickle
        import yaml
        from fastapi import FastAPI, UploadFile

        app = FastAPI()

        @app.post("/a")
        async def a(upload: UploadFile) -> None:
            content = await upload.read()
            yaml.load(content, Loader=yaml.SafeLoader)
            yaml.safe_load(content)

        @app.get("/b")
        def b() -> None:
            with open("model.pickle", "rb") as file:
                pickle.load(file)
        """,
    ),
    case(
        "the file behind an upload; bytes of a WebSocket; what the server made itself",
        """
        import pickle
        from fastapi import FastAPI, UploadFile, WebSocket

        app = FastAPI()

        @app.post("/load")
        def load(upload: UploadFile) -> None:
            pickle.load(upload.file)  # <-
            pickle.loads(upload.file.read())  # <-

        @app.websocket("/feed")
        async def feed(websocket: WebSocket) -> None:
            pickle.loads(await websocket.receive_bytes())  # <-

        @app.get("/copy")
        def copy(name: str) -> None:
            pickle.loads(pickle.dumps(name))
        """,
    ),
)
