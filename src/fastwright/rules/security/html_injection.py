"""Text of a request is escaped before it becomes HTML.

`HTMLResponse(f"<h1>{name}</h1>")` runs a script that somebody put into `name` in the browser of whoever
follows the link (cross-site scripting, CWE-79). Render a template that escapes (Jinja2 does in
`Jinja2Templates`), or use `html.escape`.

Reported where text of a request is put into the content of an `HTMLResponse`. Escaped, checked and
compared values are left alone, and so are numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.request_data import RequestData
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.security._flows import flows, hit


def check(app: App) -> Iterator[Hit]:
    """Report HTML that holds text of the request."""
    for flow in flows(app, RequestData(app), app.library.sinks["html-injection"]):
        if flow.source.kind != "header":
            yield hit(flow, f"{flow.source.name} of the request stands in the HTML as it was sent")


RULE = Rule(
    summary="text of the request in HTML, not escaped",
    severity="error",
    mend="Render a template that escapes, or `html.escape(name)`.",
    app=check,
    references=(
        "https://cheatsheetseries.owasp.org/cheatsheets/Cross_Site_Scripting_Prevention_Cheat_Sheet.html",
        "CWE-79",
    ),
)

CASES = (
    case(
        "a query parameter, a field of a form through a function",
        """
        from typing import Annotated
        from fastapi import FastAPI, Form
        from fastapi.responses import HTMLResponse

        app = FastAPI()

        def page(title: str) -> HTMLResponse:
            return HTMLResponse(f"<h1>{title}</h1>")  # <-

        @app.get("/hello")
        def hello(name: str) -> HTMLResponse:
            return HTMLResponse("<p>" + name + "</p>")  # <-

        @app.post("/title")
        def title(text: Annotated[str, Form()]) -> HTMLResponse:
            return page(text)
        """,
    ),
    case(
        "escaped, a number, a fixed page, a template",
        """
        import html
        from fastapi import FastAPI, Request
        from fastapi.responses import HTMLResponse
        from fastapi.templating import Jinja2Templates

        templates = Jinja2Templates("templates")
        app = FastAPI()

        @app.get("/a")
        def a(name: str) -> HTMLResponse:
            return HTMLResponse(f"<p>{html.escape(name)}</p>")

        @app.get("/b")
        def b(number: int) -> HTMLResponse:
            return HTMLResponse(f"<p>{number}</p>")

        @app.get("/c")
        def c(request: Request, name: str) -> HTMLResponse:
            return templates.TemplateResponse(request, "c.html", {"name": name})
        """,
    ),
)
