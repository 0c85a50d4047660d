"""Text of a request is escaped before it becomes HTML.

`HTMLResponse(f"<h1>{name}</h1>")` runs a script that somebody put into `name` in the browser of whoever
follows the link (cross-site scripting, CWE-79). Render a template that escapes (Jinja2 does in
`Jinja2Templates`), or use `html.escape`.

Reported where text of a request is put into the content of an `HTMLResponse` (or of a `Response` whose
`media_type` is `text/html`), at once or when it is read
back from the column that keeps it. Escaped, checked and
compared values are left alone, and so are numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.request_data import RequestData, Source
from fastwright.read import syntax as s
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.security._flows import flows, hit, passed_through


def check(app: App) -> Iterator[Hit]:
    """Report HTML that holds text of the request."""
    for flow in flows(app, RequestData(app), app.library.sinks["html-injection"], _is_shared):
        if not _is_html(flow.site):
            continue
        message = f"{flow.source.told} stands in the HTML as it was sent"
        yield hit(flow, message, passed_through(flow, "html", "escape", "{name}({piece})"))


def _is_html(site: CallSite) -> bool:
    """``HTMLResponse``, or a plain response that says that it is HTML."""
    if not (site.external or "").endswith(".Response"):
        return True
    return (s.string(site.node.argument(3, "media_type")) or "").startswith("text/html")


def _is_shared(source: Source) -> bool:
    """Whether a link can hold it: nobody makes another's browser send a header."""
    return source.kind != "header"


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
        from fastapi.responses import HTMLResponse, Response

        app = FastAPI()

        def page(title: str) -> HTMLResponse:
            return HTMLResponse(f"<h1>{title}</h1>")  # <-

        @app.get("/hello")
        def hello(name: str) -> HTMLResponse:
            return HTMLResponse("<p>" + name + "</p>")  # <-

        @app.get("/plain")
        def plain(name: str) -> Response:
            return Response(f"<b>{name}</b>", media_type="text/html")  # <-

        @app.get("/text")
        def text(name: str) -> Response:
            return Response(f"hello {name}", media_type="text/plain")

        @app.post("/title")
        def title(text: Annotated[str, Form()]) -> HTMLResponse:
            return page(text)
        """,
        after="""
        from html import escape
        from typing import Annotated
        from fastapi import FastAPI, Form
        from fastapi.responses import HTMLResponse, Response

        app = FastAPI()

        def page(title: str) -> HTMLResponse:
            return HTMLResponse(f"<h1>{escape(title)}</h1>")

        @app.get("/hello")
        def hello(name: str) -> HTMLResponse:
            return HTMLResponse("<p>" + escape(name) + "</p>")

        @app.get("/plain")
        def plain(name: str) -> Response:
            return Response(f"<b>{escape(name)}</b>", media_type="text/html")

        @app.get("/text")
        def text(name: str) -> Response:
            return Response(f"hello {name}", media_type="text/plain")

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
    case(
        "text that one route stores and another shows",
        """
        from html import escape
        from fastapi import FastAPI
        from fastapi.responses import HTMLResponse
        from sqlalchemy import create_engine, select
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

        app = FastAPI()
        engine = create_engine("sqlite://")

        class Base(DeclarativeBase): ...

        class Note(Base):
            __tablename__ = "notes"
            id: Mapped[int] = mapped_column(primary_key=True)
            title: Mapped[str]
            count: Mapped[int]

        @app.post("/notes")
        def create(title: str, count: int) -> None:
            with Session(engine) as session:
                session.add(Note(title=title, count=count))
                session.commit()

        @app.get("/notes/{key}")
        def show(key: int) -> HTMLResponse:
            with Session(engine) as session:
                note = session.scalars(select(Note).where(Note.id == key)).one()
            return HTMLResponse(f"<h1>{note.title}</h1>")  # <-

        @app.get("/safe/{key}")
        def safe(key: int) -> HTMLResponse:
            with Session(engine) as session:
                note = session.get(Note, key)
            return HTMLResponse(f"<h1>{escape(note.title)} {note.count}</h1>")
        """,
    ),
)
