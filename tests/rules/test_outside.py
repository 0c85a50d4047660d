"""Rules that others publish, as cases of our own: Sonar's for FastAPI, flake8-fastapi's, Ruff's.

Their numbers and what they are about are in `docs/outside-checks.md`; the sources are written for this file.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastwright.rules.cases import wrong_lines
from fastwright.rules.registry import rules
from fastwright.rules.rule import Case, case

PAGE = (Path(__file__).parents[2] / "docs" / "outside-checks.md").read_text("utf-8")
HEAD = """
from typing import Annotated, Optional
from fastapi import APIRouter, Body, Depends, FastAPI, File, Form, HTTPException, Query, UploadFile
from pydantic import BaseModel, Field

app = FastAPI()

class Policy(BaseModel):
    title: str
"""


def of_app(title: str, source: str, **installed: str) -> Case:
    return case(title, HEAD + source, **installed)


def with_prefixes(title: str, prefix: str, include: str) -> Case:
    """A package whose other routers carry their prefix."""
    others = ("users", "shops", "mails")
    router = "from fastapi import APIRouter\n\nrouter = APIRouter({})\n\n@router.get('/')\ndef listed() -> None: ...\n"
    included = "".join(f"app.include_router({name}.router)\n" for name in others)
    return Case(
        title,
        {
            "shop/__init__.py": "",
            "shop/orders.py": router.format(prefix),
            **{f"shop/{name}.py": router.format(f'prefix="/{name}"') for name in others},
            "shop/main.py": "from fastapi import FastAPI\n"
            f"from shop import orders, {', '.join(others)}\n\napp = FastAPI()\n{included}{include}\n",
        },
    )


CASES: list[tuple[str, str, Case]] = [
    (
        "S8389",
        "json-body-with-files",
        of_app(
            "a JSON body beside a file",
            """
@app.post("/policies")
async def create(meta: Policy, file: UploadFile) -> None: ...  # <-

@app.post("/embedded")
async def embedded(file: UploadFile, meta: Policy = Body()) -> None: ...  # <-

@app.post("/form")
async def form(file: UploadFile, title: Annotated[str, Form()]) -> None: ...
""",
        ),
    ),
    (
        "S8392",
        "bind-all-interfaces",
        case(
            "a server for development that everybody reaches",
            """
            import uvicorn

            def develop() -> None:
                uvicorn.run("main:app", host="0.0.0.0", reload=True)  # <-

            def serve() -> None:
                uvicorn.run("main:app", host="127.0.0.1", port=8080)
            """,
        ),
    ),
    (
        "S8396",
        "optional-without-default",
        of_app(
            "may be null, and must be sent",
            """
class Change(BaseModel):
    note: Optional[str]  # <-
    tags: list[str] | None = None

@app.patch("/policies/{key}")
def change(key: int, data: Change) -> None:
    print(key, data.model_dump(exclude_unset=True))
""",
        ),
    ),
    (
        "S8397",
        "server-without-import-string",
        case(
            "an object for several processes",
            """
            import uvicorn
            from fastapi import FastAPI

            service = FastAPI()

            def main() -> None:
                uvicorn.run(service, workers=3)  # <-
                uvicorn.run("shop:service", workers=3)
                uvicorn.run(service)
            """,
        ),
    ),
    (
        "S8400",
        "no-content-with-body",
        of_app(
            "204 with something to say",
            """
@app.delete("/policies/{key}", status_code=204)
def delete(key: int):
    print(key)
    return {"deleted": key}  # <-

@app.delete("/quiet/{key}", status_code=204)
def quiet(key: int) -> None:
    print(key)
""",
        ),
    ),
    (
        "S8401",
        "router-included-too-early",
        of_app(
            "a child that comes after its parent was taken",
            """
parent = APIRouter(prefix="/a")
child = APIRouter(prefix="/b")

@child.get("/c")
def read() -> None: ...

app.include_router(parent)  # <-
parent.include_router(child)
""",
            fastapi="0.115.0",
        ),
    ),
    (
        "S8405",
        "client-data-for-content",
        Case(
            "bytes as a form",
            {
                "tests/test_app.py": """
                from fastapi import FastAPI
                from fastapi.testclient import TestClient

                client = TestClient(FastAPI())

                def test_upload() -> None:
                    client.put("/file", data=b"abc")  # <-
                    client.put("/file", content=b"abc")
                    client.post("/login", data={"user": "ada"})
                """
            },
        ),
    ),
    (
        "S8409",
        "redundant-response-model",
        of_app(
            "said twice",
            """
@app.get("/policies", response_model=list[Policy])  # <-
def listed() -> list[Policy]: ...

@app.get("/raw", response_model=Policy)
def raw() -> dict[str, str]: ...
""",
        ),
    ),
    (
        "S8410",
        "unannotated-dependency",
        of_app(
            "a marker as default",
            """
def get_db(): ...

@app.get("/policies")
def listed(page: int = Query(1, ge=1), db=Depends(get_db)) -> None: ...  # <-

@app.get("/annotated")
def annotated(page: Annotated[int, Query(ge=1)] = 1) -> None: ...
""",
        ),
    ),
    (
        "S8411",
        "unused-path-parameter",
        of_app(
            "in the path and not in the signature",
            """
@app.get("/policies/{key}")  # <-
def read() -> None: ...

@app.get("/versions/{key}")  # <-
def versions(key: int, /) -> None: ...

def get_policy(key: int) -> int:
    return key

@app.get("/dependent/{key}")
def dependent(policy: Annotated[int, Depends(get_policy)]) -> None: ...
""",
        ),
    ),
    (
        "S8412",
        "generic-route-decorator",
        of_app(
            "as Flask has it",
            """
router = APIRouter()

@router.route("/policies", methods=["GET"])  # <-
def listed(request): ...

@router.get("/policies")
def policies() -> None: ...
""",
        ),
    ),
    (
        "S8413",
        "prefix-at-include",
        with_prefixes(
            "said where it is included",
            "",
            'app.include_router(orders.router, prefix="/orders")  # <-',
        ),
    ),
    (
        "S8414",
        "cors-not-outermost",
        case(
            "something wraps CORS",
            """
            from fastapi import FastAPI
            from fastapi.middleware.cors import CORSMiddleware
            from starlette.middleware.base import BaseHTTPMiddleware
            from fastapi.responses import JSONResponse

            class Guard(BaseHTTPMiddleware):
                async def dispatch(self, request, call_next):
                    if "x-key" not in request.headers:
                        return JSONResponse({"detail": "no"}, status_code=401)
                    return await call_next(request)

            app = FastAPI()
            app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])  # <-
            app.add_middleware(Guard)
            """,
        ),
    ),
    (
        "S8415",
        "undocumented-error",
        of_app(
            "raised and not declared",
            """
@app.get("/policies/{key}")  # <-
def read(key: int) -> Policy:
    if key < 0:
        raise HTTPException(404)
    return Policy(title="a")

@app.get("/declared/{key}", responses={404: {"description": "No such policy"}})
def declared(key: int) -> Policy:
    if key < 0:
        raise HTTPException(404)
    return Policy(title="a")
""",
        ),
    ),
    (
        "CF001",
        "generic-route-decorator",
        of_app(
            "on an application",
            """
@app.route("/home", methods=["GET"])  # <-
def home(request): ...

@app.get("/other")
def other() -> None: ...
""",
        ),
    ),
    (
        "CF002",
        "prefix-at-include",
        with_prefixes(
            "with its tags",
            "",
            'app.include_router(orders.router, prefix="/orders", tags=["orders"])  # <-',
        ),
    ),
    (
        "CF008",
        "cors-not-outermost",
        case(
            "a function that answers stands outside",
            """
            from fastapi import FastAPI, Response
            from fastapi.middleware.cors import CORSMiddleware

            app = FastAPI()
            app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])  # <-

            @app.middleware("http")
            async def closed(request, call_next):
                if request.url.path == "/closed":
                    return Response(status_code=403)
                return await call_next(request)
            """,
        ),
    ),
    (
        "CF009",
        "undocumented-error",
        of_app(
            "raised by what the endpoint calls",
            """
def find(key: int) -> Policy:
    raise HTTPException(status_code=410)

@app.get("/policies/{key}")  # <-
def read(key: int) -> Policy:
    return find(key)
""",
        ),
    ),
    (
        "CF011",
        "no-content-with-body",
        of_app(
            "204 with a response model",
            """
@app.put("/policies/{key}", status_code=204, response_model=Policy)  # <-
def replace(key: int): ...

@app.put("/quiet/{key}", status_code=204)
def quiet(key: int) -> None: ...
""",
        ),
    ),
]


@pytest.mark.parametrize(("number", "name", "given"), CASES, ids=[c[0] for c in CASES])
def test_outside_rule(number: str, name: str, given: Case) -> None:
    assert wrong_lines(rules()[name].rule, given) == []


def test_the_page_names_each_with_its_rule() -> None:
    rows = dict(
        re.findall(r"^\| (?:Sonar |flake8-fastapi )?(\w+\d+) \|.*\| `([\w-]+)`", PAGE, re.MULTILINE)
    )
    assert {number: name for number, name, _ in CASES}.items() <= rows.items()
    assert set(rows.values()) <= set(rules())
