"""The client does not choose which file the server opens.

`open(UPLOADS / name)` with `name` from a request reads `../../etc/passwd`, and with an absolute name the
folder in front is ignored altogether (CWE-22). Give files ids of your own, or resolve the path and check
`path.is_relative_to(UPLOADS.resolve())` before it is opened.

Reported where text of a request (query, body, form, cookie, the name of an uploaded file, a `{name:path}`
parameter, a message of a WebSocket) reaches a call that opens, writes, sends or deletes a file, at once or
by way of a column that keeps it. Plain path parameters hold no slash
and are left alone; so are names that are reduced to their last part, resolved, checked or looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.request_data import RequestData, Source
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.evidence import call_name
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.security._flows import Flow, flows, hit, holds_slashes, passed_through

_CHECKS = re.compile(
    r"resolve|realpath|abspath|is_relative_to|relative_to|commonpath|basename|startswith|splitext"
    r"|secure_filename|slug|hash|uuid",
    re.IGNORECASE,
)


def check(app: App) -> Iterator[Hit]:
    """Report files whose path the request chooses."""
    data = RequestData(app, _CHECKS)
    for flow in flows(app, data, app.library.sinks["path-traversal"], _may_hold_slashes):
        if flow.given is _receiver(flow.site) and flow.source.name.endswith(".filename"):
            continue  # upload-trusted-name-or-type
        call = call_name(flow.site)
        message = f"{flow.source.told} decides which file {call} gets"
        yield hit(flow, message, _fix(flow))


def _receiver(site: CallSite) -> s.Expr | None:
    return site.node.func.value if isinstance(site.node.func, s.Attribute) else None


def _fix(flow: Flow) -> Fix | None:
    """Return the fix that takes the last part of the name only; none where folders are wanted."""
    if flow.source.kind == "path":
        return None
    return passed_through(flow, "pathlib", "Path", "{name}({piece}).name")


def _may_hold_slashes(source: Source) -> bool:
    return source.kind != "header" and holds_slashes(source)


RULE = Rule(
    summary="the client chooses which file the server opens",
    severity="error",
    confidence="medium",
    mend="Resolve the path and refuse it unless `path.is_relative_to(FOLDER)`; store uploads under names"
    " of your own.",
    app=check,
    references=("https://owasp.org/www-community/attacks/Path_Traversal", "CWE-22"),
)

CASES = (
    case(
        "a query parameter, the name of an upload, the rest of a path",
        """
        from pathlib import Path
        from fastapi import FastAPI, UploadFile
        from fastapi.responses import FileResponse

        UPLOADS = Path("uploads")
        app = FastAPI()

        @app.get("/report")
        def report(name: str) -> str:
            with open(f"reports/{name}.txt") as file:  # <-
                return file.read()

        @app.post("/files")
        def store(upload: UploadFile) -> None:
            with open(UPLOADS / upload.filename, "wb") as file:  # <-
                file.write(upload.file.read())

        @app.get("/static/{rest:path}")
        def static(rest: str) -> FileResponse:
            return FileResponse(f"static/{rest}")  # <-
        """,
        after="""
        from pathlib import Path
        from fastapi import FastAPI, UploadFile
        from fastapi.responses import FileResponse

        UPLOADS = Path("uploads")
        app = FastAPI()

        @app.get("/report")
        def report(name: str) -> str:
            with open(f"reports/{Path(name).name}.txt") as file:
                return file.read()

        @app.post("/files")
        def store(upload: UploadFile) -> None:
            with open(UPLOADS / Path(upload.filename).name, "wb") as file:
                file.write(upload.file.read())

        @app.get("/static/{rest:path}")
        def static(rest: str) -> FileResponse:
            return FileResponse(f"static/{rest}")
        """,
    ),
    case(
        "methods of a path; that a file is there says nothing about where",
        """
        import os
        from pathlib import Path
        from fastapi import FastAPI
        from pydantic import BaseModel

        REPORTS = Path("reports")
        app = FastAPI()

        class Report(BaseModel):
            name: str
            text: str

        @app.get("/report")
        def report(name: str) -> str:
            return (REPORTS / name).read_text()  # <-

        @app.post("/report")
        def write(report: Report) -> None:
            path = REPORTS.joinpath(report.name)
            path.write_text(report.text)  # <-

        @app.delete("/report")
        def delete(name: str) -> None:
            path = os.path.join("reports", name)
            if os.path.exists(path):
                os.remove(path)  # <-

        @app.get("/mine")
        def mine(name: str) -> str:
            path = (REPORTS / name).resolve()
            if not path.is_relative_to(REPORTS):
                return ""
            return path.read_text()
        """,
    ),
    case(
        "a plain path parameter, a number, a name of our own, a path that is checked",
        """
        import os
        import uuid
        from pathlib import Path
        from fastapi import FastAPI, HTTPException, UploadFile
        from fastapi.responses import FileResponse

        UPLOADS = Path("uploads")
        app = FastAPI()

        @app.get("/a/{name}")
        def a(name: str) -> FileResponse:
            return FileResponse(f"static/{name}")

        @app.get("/b")
        def b(number: int) -> FileResponse:
            return FileResponse(f"static/{number}.pdf")

        @app.post("/c")
        def c(upload: UploadFile) -> None:
            name = uuid.uuid4().hex
            with open(UPLOADS / name, "wb") as file:
                file.write(upload.file.read())

        @app.get("/d")
        def d(name: str) -> FileResponse:
            path = (UPLOADS / name).resolve()
            if not path.is_relative_to(UPLOADS):
                raise HTTPException(404)
            return FileResponse(path)

        @app.get("/e")
        def e(name: str) -> FileResponse:
            return FileResponse(UPLOADS / os.path.basename(name))
        """,
    ),
    case(
        "a name that one route stores and another opens",
        """
        from uuid import uuid4
        from fastapi import FastAPI, UploadFile
        from fastapi.responses import FileResponse
        from sqlalchemy import create_engine, select
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

        app = FastAPI()
        engine = create_engine("sqlite://")

        class Base(DeclarativeBase): ...

        class Document(Base):
            __tablename__ = "documents"
            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str]
            kept_as: Mapped[str]

        @app.post("/documents")
        def create(upload: UploadFile) -> None:
            with Session(engine) as session:
                session.add(Document(name=upload.filename, kept_as=f"{uuid4()}.bin"))
                session.commit()

        @app.get("/documents/{key}")
        def read(key: int) -> FileResponse:
            with Session(engine) as session:
                document = session.get(Document, key)
            with open(f"files/{document.kept_as}") as file:
                file.read()
            return FileResponse(f"files/{document.name}")  # <-
        """,
    ),
)
