"""Name and type of an upload are what the client says, and no more.

`file.filename` may be `../../app/main.py` or `/etc/cron.d/job`; `UPLOADS / file.filename` then lies
outside of the folder (CWE-22, CWE-434). `file.content_type` is a header that anybody sets: a page with
scripts arrives as `image/png`. Store a file under a name of your own (`uuid4().hex`), keep the client's
name as data only, and look into the content (decode the image, compare its first bytes) before it is kept.

Reported: a file whose path is made of the client's name and that is written through `pathlib`, an image
or a table library (`open` and its like are the matter of `path-traversal`); and an endpoint that refuses
uploads by `content_type` alone and stores them, where neither name nor content is looked at. Names that
are cleaned, reduced to their last part or checked are left alone, and so is content that is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.request_data import RequestData
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import Instance, alternatives
from fastwright.read import syntax as s
from fastwright.rules.evidence import call_name, evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.security._flows import Flow, hit, passed_through

_CHECKS = re.compile(
    r"resolve|realpath|abspath|is_relative_to|relative_to|commonpath|basename|startswith|splitext|exists"
    r"|secure_filename|slug|hash|uuid|isfile|is_file|suffix|stem|sub$|replace|rsplit|split",
    re.IGNORECASE,
)
_ON_PATH = frozenset(
    f"pathlib.Path.{name}"
    for name in ("open", "rename", "replace", "touch", "unlink", "write_bytes", "write_text")
)
_SAVING = {
    "PIL.Image.Image.save": "0 fp",
    "cv2.imwrite": "0 filename",
    "numpy.save": "0 file",
    "pandas.DataFrame.to_csv": "0 path_or_buf",
    "pandas.DataFrame.to_excel": "0 excel_writer",
    "pandas.DataFrame.to_parquet": "0 path",
    "shutil.copyfile": "1 dst",
    "shutil.copy2": "1 dst",
    "os.rename": "1 dst",
    "os.replace": "1 dst",
}
_STORES = re.compile(
    r"^(write_bytes|copyfileobj|imwrite|put_object|upload_fileobj|upload_from_file|upload_from_string"
    r"|put_blob|upload_blob)$"
)
_LOOKS_INTO = re.compile(
    rb"magic|filetype|imghdr|puremagic|PIL|Image|verify|decode|parse|read_csv|read_excel|load|startswith"
    rb"|filename|suffix|splitext|clamd|scan|sniff|pdf|header",
)
_LAST = frozenset(name.rpartition(".")[2] for name in (*_ON_PATH, *_SAVING))


def check(app: App) -> Iterator[Hit]:
    """Report paths made of the client's name, and uploads kept for their type."""
    data = RequestData(app, _CHECKS)
    for step in data.running.reached:
        if not _LAST.isdisjoint(step.function.node.called):
            yield from _named_by_client(app, data, step.function)
    yield from _kept_for_type(app)


def _named_by_client(app: App, data: RequestData, function: Function) -> Iterator[Hit]:
    for site in app.calls.sites(function):
        given = _path_given(site)
        if given is None:
            continue
        for source in data.sources(given, function):
            if source.name.endswith(".filename"):
                message = (
                    f"{source.name}, which the client chooses, decides which file {call_name(site)}"
                    " gets"
                )
                flow = Flow(site, given, source)
                own = passed_through(flow, "uuid", "uuid4", "{name}().hex")
                yield hit(flow, message, own)
                break


def _path_given(site: CallSite) -> s.Expr | None:
    """Return the path that a call writes to."""
    if site.external in _ON_PATH and isinstance(site.node.func, s.Attribute):
        return site.node.func.value
    where = _SAVING.get(site.external or "")
    if where is None:
        return None
    position, _, keyword = where.partition(" ")
    return site.node.argument(int(position), keyword)


# ------------------------------------------------------------------------ type


def _kept_for_type(app: App) -> Iterator[Hit]:
    running = served(app)
    seen: set[int] = set()
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or id(endpoint.node) in seen:
            continue
        if not any(parameter.kind == "file" for parameter in route.parameters):
            continue
        seen.add(id(endpoint.node))
        compared = _type_decides(app, endpoint)
        if compared is None or _LOOKS_INTO.search(endpoint.node.raw_body):
            continue
        stored = next((site for site in app.calls.sites(endpoint) if _is_stored(site)), None)
        if stored is not None and running.reached.step(endpoint) is not None:
            yield _kept(route, endpoint, compared, stored)


def _kept(route: Route, endpoint: Function, compared: s.Compare, stored: CallSite) -> Hit:
    message = (
        f"{route.label} stores what claims to be the right type: content_type is the client's word"
    )
    chain = (
        *of_route(route),
        evidence(endpoint.module, compared, "content_type decides"),
        evidence(stored.module, stored.node, "stored"),
    )
    return Hit(place(endpoint.module, compared), message, chain)


def _type_decides(app: App, endpoint: Function) -> s.Compare | None:
    """Return the comparison of ``file.content_type`` upon which an endpoint refuses."""
    where = Where(endpoint.module, endpoint)
    for node, _ in app.calls.of_kind(endpoint, s.If):
        for branch in node.branches:
            if not any(isinstance(inner, (s.Raise, s.Return)) for inner in branch.body):
                continue
            for inner in s.walk(branch.test):
                if isinstance(inner, s.Compare) and any(
                    _is_type(app, side, where) for side in (inner.left, *inner.comparators)
                ):
                    return inner
    return None


def _is_type(app: App, node: s.Expr, where: Where) -> bool:
    return (
        isinstance(node, s.Attribute)
        and node.attr == "content_type"
        and any(
            isinstance(option, Instance) and option.cls == "fastapi.UploadFile"
            for option in alternatives(app.types.of(node.value, where))
        )
    )


def _is_stored(site: CallSite) -> bool:
    if _STORES.search(site.method):
        return True
    mode = site.node.argument(1, "mode") if site.method == "open" else None
    return (s.string(mode) or "").startswith(("w", "x", "a"))


RULE = Rule(
    summary="the client's word for name or type of an upload is trusted",
    severity="error",
    confidence="medium",
    mend="Store it under a name of your own (`UPLOADS / uuid4().hex`), and decide by the content, not by"
    " `content_type`.",
    app=check,
    references=(
        "https://cheatsheetseries.owasp.org/cheatsheets/File_Upload_Cheat_Sheet.html",
        "CWE-434",
    ),
)

CASES = (
    case(
        "the client's name through pathlib, in a helper, and a type that is believed",
        """
        import shutil
        from pathlib import Path
        from fastapi import FastAPI, HTTPException, UploadFile

        UPLOADS = Path("uploads")
        app = FastAPI()

        async def save(upload: UploadFile) -> Path:
            target = UPLOADS / upload.filename
            target.write_bytes(await upload.read())  # <-
            return target

        @app.post("/files")
        async def files(upload: UploadFile) -> str:
            return str(await save(upload))

        @app.post("/drafts")
        async def drafts(upload: UploadFile) -> None:
            path = Path(f"drafts/{upload.filename}")
            with path.open("wb") as file:  # <-
                file.write(await upload.read())

        @app.post("/avatar")
        def avatar(picture: UploadFile) -> None:
            if picture.content_type not in {"image/png", "image/jpeg"}:  # <-
                raise HTTPException(415)
            with open("avatar", "wb") as target:
                shutil.copyfileobj(picture.file, target)
        """,
    ),
    case(
        "a name of our own, the last part of a name, a name that is checked, a name kept as data",
        """
        import os
        import uuid
        from pathlib import Path
        from fastapi import FastAPI, HTTPException, UploadFile

        UPLOADS = Path("uploads")
        app = FastAPI()

        @app.post("/a")
        async def a(upload: UploadFile) -> str | None:
            (UPLOADS / uuid.uuid4().hex).write_bytes(await upload.read())
            return upload.filename

        @app.post("/b")
        async def b(upload: UploadFile) -> None:
            (UPLOADS / Path(upload.filename).name).write_bytes(await upload.read())

        @app.post("/c")
        async def c(upload: UploadFile) -> None:
            (UPLOADS / os.path.basename(upload.filename)).write_bytes(await upload.read())

        @app.post("/d")
        async def d(upload: UploadFile) -> None:
            target = (UPLOADS / upload.filename).resolve()
            if not target.is_relative_to(UPLOADS):
                raise HTTPException(400)
            target.write_bytes(await upload.read())

        @app.post("/e")
        async def e(upload: UploadFile) -> None:
            suffix = Path(upload.filename).suffix
            (UPLOADS / f"{uuid.uuid4()}{suffix}").write_bytes(await upload.read())
        """,
    ),
    case(
        "the content is looked at as well, or nothing is stored",
        """
        from fastapi import FastAPI, HTTPException, UploadFile
        from PIL import Image

        app = FastAPI()

        @app.post("/avatar")
        def avatar(picture: UploadFile) -> None:
            if picture.content_type not in {"image/png", "image/jpeg"}:
                raise HTTPException(415)
            Image.open(picture.file).verify()
            with open("avatar", "wb") as target:
                target.write(picture.file.read())

        @app.post("/count")
        async def count(text: UploadFile) -> int:
            if text.content_type != "text/plain":
                raise HTTPException(415)
            return len(await text.read())
        """,
    ),
)
