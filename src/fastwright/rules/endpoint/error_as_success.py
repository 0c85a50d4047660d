"""What failed is not answered with 200.

The status says whether a request went well: clients, retries, caches, alarms and dashboards look at it, and
`raise_for_status()` at nothing else. An endpoint that returns `{"error": "not found"}` answers 200, its
clients go on with a body that is not what they asked for, and no monitoring sees it. `HTTPException`
(RFC 9457 if you want a format for the body) says what went wrong and how.

Reported where an endpoint returns a dictionary that holds nothing but a failure (`error`, `success: False`,
`status: "error"` and words about it), in a file in which other endpoints raise `HTTPException`: the
application's own way is known there. A dictionary with a status beside it (`return {...}, 404`, Flask's way)
is reported everywhere: FastAPI answers 200 with a list of two.

Left alone: endpoints whose answer is the result of a check (health, test, validate), those that other
protocols prescribe (webhooks, JSON-RPC, MCP), declared responses that have a field for the failure, and
endpoints that set the status of the response.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, alternatives
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_FAILED = frozenset({"error", "errors", "err", "error_message", "error_code"})
_WENT_WELL = frozenset({"success", "ok", "succeeded", "is_success"})
_STATUS = frozenset({"status", "result", "state"})
_WORDS = frozenset(
    {"message", "msg", "detail", "details", "code", "reason", "status_code", "hint", "description",
     "error_type", "traceback", "data", "type"}
)  # fmt: skip
_FAILURES = frozenset({"error", "failed", "failure", "fail"})
_CHECKS = re.compile(
    r"health|ready|readiness|live|alive|ping|heartbeat|status|state|test|check|valid|verif|probe|diagnos"
    r"|dry_?run|preview|connect|exists|progress|job|poll|result|webhook|hook|callback|rpc|mcp|graphql|slack"
    r"|telegram|event|notify",
    re.IGNORECASE,
)


def check(app: App) -> Iterator[Hit]:
    """Report failures that are returned with 200."""
    raising: dict[str, int] = {}
    for each in app.endpoints:
        if any(app.raises.is_http(raised.cls) for raised in app.raises.of(each)):
            raising[each.module.path] = raising.get(each.module.path, 0) + 1
    seen: set[int] = set()
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or id(endpoint.node) in seen or not _answers_200(app, route):
            continue
        seen.add(id(endpoint.node))
        for node, around in app.calls.of_kind(endpoint, s.Return):
            found = _flask(node.value)
            if found is not None:
                yield _hit(
                    route, endpoint, node, f"FastAPI answers 200, the {found} is in the body"
                )
                continue
            if not (around.handled or around.branches) or not raising.get(endpoint.module.path):
                continue
            if _is_check(route, endpoint) or _declares_failure(route):
                continue
            if isinstance(node.value, s.Dict) and (how := _failure(node.value)) is not None:
                yield _hit(route, endpoint, node, f"{how} goes out with status 200")


def _answers_200(app: App, route: Route) -> bool:
    if route.kind != "http" or route.record.starlette or route.endpoint is None:
        return False
    if "response_class" in route.record.keywords or "status_code" in route.record.keywords:
        return False
    return not any(
        isinstance(target, s.Attribute) and target.attr == "status_code"
        for node, _ in app.calls.of_kind(route.endpoint, s.Assign)
        for target in node.targets
    )


def _flask(node: s.Expr | None) -> int | None:
    """Return the status of ``return {...}, 404``."""
    if not isinstance(node, s.Tuple) or len(node.elts) != 2 or not isinstance(node.elts[0], s.Dict):
        return None
    status = node.elts[1]
    value = status.value if isinstance(status, s.Constant) else None
    return value if type(value) is int and 400 <= value < 600 else None


def _is_check(route: Route, endpoint: Function) -> bool:
    return _CHECKS.search(f"{route.path} {endpoint.name}") is not None


def _declares_failure(route: Route) -> bool:
    """Whether the declared response is a schema that has a place for the failure, or is not known."""
    for option in alternatives(route.response.type):
        if isinstance(option, Instance) and isinstance(option.cls, Class):
            return True
    return False


def _failure(node: s.Dict) -> str | None:
    """Return what says that it failed, if the dictionary says nothing else."""
    names = [s.string(key) for key in node.keys]
    how: str | None = None
    for name, value in zip(names, node.values, strict=True):
        if name is None:
            return None
        low = name.lower()
        if low in _FAILED:
            if _is_empty(value):
                return None
            how = how or f'{{"{name}": ...}}'
        elif low in _WENT_WELL and isinstance(value, s.Constant) and value.kind == "bool":
            if value.value is not False:
                return None
            how = how or f'{{"{name}": False}}'
        elif low in _STATUS and (text := s.string(value)) is not None:
            if text.lower() not in _FAILURES:
                return None
            how = how or f'{{"{name}": "{text}"}}'
        elif low not in _WORDS:
            return None
    return how


def _is_empty(node: s.Expr) -> bool:
    if isinstance(node, s.Constant):
        return node.kind in {"none", "bool"} or not node.value
    return isinstance(node, (s.List, s.Dict)) and not s.children(node)


def _hit(route: Route, endpoint: Function, node: s.Return, what: str) -> Hit:
    chain = (*of_route(route), evidence(endpoint.module, node, "returned, not raised"))
    message = f"{route.label} failed here and does not say so: {what}"
    return Hit(place(endpoint.module, node), message, chain)


RULE = Rule(
    summary="a failure answered with 200",
    severity="warning",
    confidence="medium",
    mend="Raise `HTTPException(status_code=..., detail=...)`, or an exception that a handler maps.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/tutorial/handling-errors/",
        "https://www.rfc-editor.org/rfc/rfc9457",
    ),
)

_HEAD = """
from fastapi import FastAPI, HTTPException, Response

app = FastAPI()
ITEMS: dict[int, str] = {}

@app.get("/items/{id}")
def read(id: int):
    if id not in ITEMS:
        raise HTTPException(404, "no such item")
    return ITEMS[id]
"""

CASES = (
    case(
        "an error, no success, a status, Flask's way",
        _HEAD
        + """
@app.put("/items/{id}")
def change(id: int):
    if id not in ITEMS:
        return {"error": "no such item"}  # <-
    return {"name": ITEMS[id]}

@app.delete("/items/{id}")
def delete(id: int):
    try:
        del ITEMS[id]
    except KeyError as error:
        return {"success": False, "message": str(error)}  # <-
    return {"success": True}

@app.post("/items")
def create(name: str):
    if name in ITEMS.values():
        return {"status": "error", "detail": "there already"}  # <-
    return {"status": "ok"}

@app.post("/orders")
def order(id: int):
    if id not in ITEMS:
        return {"message": "no such item"}, 404  # <-
    return {}
""",
    ),
    case(
        "the result of a check, partial results, another status, no error",
        _HEAD
        + """
@app.get("/health")
def health():
    if not ITEMS:
        return {"status": "error", "message": "no items"}
    return {"status": "ok"}

@app.post("/items/import")
def run(names: list[str]):
    if not names:
        return {"imported": 0, "error": "nothing to import"}
    return {"imported": len(names), "error": None}

@app.put("/items/{id}")
def change(id: int, response: Response):
    if id not in ITEMS:
        response.status_code = 404
        return {"error": "no such item"}
    return {"error": None}
""",
    ),
    case(
        "where nobody raises",
        """
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/items/{id}")
        def read(id: int):
            if id > 3:
                return {"error": "no such item"}
            return {"id": id}
        """,
    ),
)
