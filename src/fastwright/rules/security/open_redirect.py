"""The client does not choose where a redirect leads.

`RedirectResponse(next)` with `next` from the query sends the visitor of a trusted link to a page of the
attacker's, right after the login (CWE-601). Admit paths of the own site only (one leading slash, no host),
or look the target up.

Reported where request data is the beginning of the address or its host. An address that is compared,
parsed, looked up or checked is left alone, and so are request data behind a fixed host or path, and links
that were stored before: short links are meant to lead away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.request_data import RequestData, Source
from fastwright.rules.evidence import call_name
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.security._flows import flows, hit, holds_slashes

_CHECKS = re.compile(r"urlparse|urlsplit|startswith|host|domain|allowed|relative", re.IGNORECASE)


def check(app: App) -> Iterator[Hit]:
    """Report redirects whose target the request chooses."""
    data = RequestData(app, _CHECKS, leading=True)
    for flow in flows(app, data, app.library.sinks["open-redirect"], _may_hold_host):
        message = f"{flow.source.told} decides where {call_name(flow.site)} sends the visitor"
        yield hit(flow, message)


def _may_hold_host(source: Source) -> bool:
    """Whether a source may name another site. Stored links (short URLs) are meant to lead away."""
    return source.kind != "header" and source.column is None and holds_slashes(source)


RULE = Rule(
    summary="the client chooses where a redirect leads",
    severity="warning",
    confidence="medium",
    mend="Admit only paths of the own site (`url.startswith('/') and not url.startswith('//')`), or"
    " look the target up.",
    app=check,
    references=(
        "https://cheatsheetseries.owasp.org/cheatsheets/Unvalidated_Redirects_and_Forwards_Cheat_Sheet.html",
        "CWE-601",
    ),
)

CASES = (
    case(
        "the address after the login",
        """
        from fastapi import FastAPI, Request
        from fastapi.responses import RedirectResponse

        app = FastAPI()

        @app.get("/login")
        def login(next: str = "/") -> RedirectResponse:
            return RedirectResponse(next)  # <-

        @app.get("/back")
        def back(request: Request) -> RedirectResponse:
            return RedirectResponse(url=request.query_params.get("to"), status_code=303)  # <-
        """,
    ),
    case(
        "a path of the own site, an address that is looked up or checked",
        """
        from fastapi import FastAPI, HTTPException
        from fastapi.responses import RedirectResponse

        app = FastAPI()
        TARGETS = {"docs": "https://docs.example.org"}

        @app.get("/orders/{key}")
        def order(key: str, page: str) -> RedirectResponse:
            return RedirectResponse(f"/shop/orders/{key}?page={page}")

        @app.get("/to")
        def to(name: str) -> RedirectResponse:
            return RedirectResponse(TARGETS[name])

        @app.get("/login")
        def login(next: str = "/") -> RedirectResponse:
            if not next.startswith("/") or next.startswith("//"):
                raise HTTPException(400)
            return RedirectResponse(next)
        """,
    ),
    case(
        "the query as the request holds it, the rest of a path",
        """
        from fastapi import FastAPI, Request
        from fastapi.responses import RedirectResponse

        app = FastAPI()

        @app.get("/login")
        def login(request: Request) -> RedirectResponse:
            return RedirectResponse(request.query_params["next"])  # <-

        @app.get("/to/{address:path}")
        def to(address: str) -> RedirectResponse:
            return RedirectResponse(address)  # <-

        @app.get("/page/{name}")
        def page(name: str, request: Request) -> RedirectResponse:
            return RedirectResponse(f"/pages/{name}?{request.query_params['tab']}")
        """,
    ),
)
