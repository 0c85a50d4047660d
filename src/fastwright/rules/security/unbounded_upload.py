"""An uploaded file is read with a limit.

FastAPI keeps a large upload on disk, whatever its size. `await file.read()` brings all of it into memory
at once, and a parameter `file: bytes = File()` does the same: a few uploads of some gigabytes end the
process for everybody (OWASP API4:2023, CWE-770). Compare `file.size` with a limit first, or read in
pieces and stop when there are too many.

Reported where a request reaches a `read()` without a size of an `UploadFile` (or of its `.file`), and for
`bytes` parameters of the kind file. Left alone is everything where a limit is in sight: a function on the
way, a dependency or a middleware that looks at a size, at `Content-Length` or at the length of what was
read; and routes for administrators. A limit in a proxy in front cannot be seen: where there is one for
all routes, switch the rule off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite, Step
from fastwright.app.model import App
from fastwright.app.request_data import RequestData
from fastwright.app.routes import Route
from fastwright.app.symbols import Function
from fastwright.app.types import Instance, Sequence, Type, alternatives
from fastwright.edit import source as at
from fastwright.edit.builders import add_argument, behind_imports, block_of, insert_after
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring, is_taken
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_route, of_step, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.security._staff import is_for_staff

_READS = frozenset({"fastapi.UploadFile.read", "tempfile.SpooledTemporaryFile.read"})
_FILES = frozenset({"io.TextIOWrapper.read", "pathlib.Path.read"})
_LIMIT = re.compile(
    rb"content[-_]length|(max|limit|allowed|exceed)\w*(size|bytes|length|mb)|size_?limit|too_?(large|big)"
    rb"|quota|_413|getbuffer|(?<!chunk_)(?<!batch_)(?<!page_)(?<![a-z])(file_?|upload_?|total_?)?size(?![a-z])",
    re.IGNORECASE,
)
_REFUSING = re.compile(rb"413|too_?(large|big)|exceed", re.IGNORECASE)
_LIMITING = re.compile(r"size|content.?length|upload|body.?limit|limit.?body", re.IGNORECASE)

_NAME = "MAX_UPLOAD_BYTES"


def check(app: App) -> Iterator[Hit]:
    """Report uploads that are read whole, with no limit in sight."""
    if _middleware_limits(app):
        return
    data = RequestData(app)
    for step in data.running.reached:
        if "read" in step.function.node.called:
            yield from _reads(app, data, step)
    yield from _bytes(app)


def _reads(app: App, data: RequestData, step: Step) -> Iterator[Hit]:
    for site in app.calls.sites(step.function):
        if site.method != "read" or not _reads_all(site):
            continue
        route = _route(data, step, site)
        if route is None or is_for_staff(route) or _is_limited(app, route, step, site):
            continue
        name = s.dotted(site.node.func) or "read"
        late = _is_limited(app, route, step, None)
        size = "; its size is looked at only then" if late else ", whatever its size"
        message = f"{name}() brings a whole upload into memory{size}"
        chain = (*of_route(route), *of_step(step), evidence(site.module, site.node, "read whole"))
        yield Hit(place(site.module, site.node), message, chain, _fix(step.function, site))


def _route(data: RequestData, step: Step, site: CallSite) -> Route | None:
    """Return the route whose upload a call reads: known by its type, or followed from the request."""
    if site.external in _READS:
        return data.running.entry(step.root).route
    read = site.node.func.value if isinstance(site.node.func, s.Attribute) else None
    parameters = {each.name for each in step.function.parameters}
    if not isinstance(read, s.Name) or read.id not in parameters or site.external in _FILES:
        return None
    source = next(iter(data.sources(read, step.function)), None)
    is_file = source is not None and source.kind == "file" and not source.name.endswith("name")
    return source.route if source is not None and is_file else None


def _fix(function: Function, site: CallSite) -> Fix | None:
    """Return the fix that reads up to a limit and answers 413 beyond it."""
    module = site.module
    found = block_of(function.node.body, site.node)
    statement = found[1] if found is not None else None
    target = statement.targets[0] if isinstance(statement, s.Assign) else None
    value = statement.value if isinstance(statement, s.Assign) else None
    value = value.value if isinstance(value, s.Await) else value
    if statement is None or value is not site.node or not isinstance(target, s.Name):
        return None
    error = bring(module, "fastapi", "HTTPException")
    if error is None or is_taken(module, _NAME) or site.node.args or site.node.keywords:
        return None
    constant = behind_imports(module, f"{_NAME} = 10 * 1024 * 1024")
    if constant is None:
        return None
    quote = at.quote(module.source)
    check = (
        f"if len({target.id}) > {_NAME}:\n"
        f"{at.step(module)}raise {error.name}(413, {quote}too large{quote})"
    )
    edits = (
        constant,
        add_argument(module, site.node, f"{_NAME} + 1"),
        insert_after(module, statement, check),
    )
    return Fix("suggest", edits, error.imports)


def _reads_all(site: CallSite) -> bool:
    """Whether a call of ``read`` has no limit: none given, or -1."""
    given = site.node.argument(0, "size")
    return given is None or (
        isinstance(given, s.UnaryOp) and given.op == "-" and isinstance(given.operand, s.Constant)
    )


def _bytes(app: App) -> Iterator[Hit]:
    """Report file parameters that FastAPI itself reads whole."""
    seen: set[int] = set()
    for route in app.routes:
        for parameter in route.parameters:
            if parameter.kind != "file" or id(parameter.node) in seen:
                continue
            limited = is_for_staff(route) or _is_limited_somewhere(app, route)
            if _is_bytes(parameter.type) and not limited:
                seen.add(id(parameter.node))
                message = (
                    f"{parameter.name}: bytes holds a whole upload in memory, whatever its size"
                )
                chain = (
                    *of_route(route),
                    evidence(parameter.function.module, parameter.node, "bytes"),
                )
                yield Hit(place(parameter.function.module, parameter.node), message, chain)


def _is_bytes(found: Type) -> bool:
    return any(
        _is_bytes(option.element)
        if isinstance(option, Sequence)
        else isinstance(option, Instance) and option.cls == "builtins.bytes"
        for option in alternatives(found)
    )


# ---------------------------------------------------------------------- limits


def _is_limited(app: App, route: Route, step: Step | None, read: CallSite | None) -> bool:
    """Whether anything on the way of a request looks at a size before ``read``, or at all (None)."""
    dependencies = [d.function for d in route.all_dependencies() if d.function is not None]
    if any(_limits(app, function, None) for function in _with_near(app, dependencies)):
        return True
    at_call = read
    while step is not None:
        if _limits(app, step.function, at_call):
            return True
        near = (
            target
            for site in app.calls.sites(step.function)
            if at_call is None or _looks_first(site, at_call)
            for target in site.targets
            if target.module.kind == "source"
        )
        if any(_limits(app, target, None) for target in near):
            return True
        at_call, step = step.site if read is not None else None, step.before
    return False


def _looks_first(site: CallSite, read: CallSite) -> bool:
    """Whether a call that gets the upload, or the request, stands before the one that reads it."""
    about = {node.id for node in s.walk(read.node) if isinstance(node, s.Name)} - {"self"}
    given = {node.id for node in s.walk(site.node) if isinstance(node, s.Name)}
    return site.node.start < read.node.start and not given.isdisjoint(about | {"request"})


def _is_limited_somewhere(app: App, route: Route) -> bool:
    endpoint = [route.endpoint] if route.endpoint is not None else []
    dependencies = [d.function for d in route.all_dependencies() if d.function is not None]
    return any(_limits(app, f, None) for f in _with_near(app, [*dependencies, *endpoint]))


def _with_near(app: App, functions: list[Function]) -> list[Function]:
    """Return functions and those of the project that they call."""
    called = (target for f in functions for site in app.calls.sites(f) for target in site.targets)
    return [*functions, *(target for target in called if target.module.kind == "source")]


def _limits(app: App, function: Function, before: CallSite | None) -> bool:
    """Whether a function looks at a size, before a call that it makes where one is given."""
    node, source = function.node, function.module.source
    if before is not None:
        # a constant that is only set limits nothing, and what is measured with len() has been read
        return any(
            _LIMIT.search(source, looking.start, looking.end)
            for looking, _ in app.calls.nodes(function)
            if isinstance(looking, (s.Compare, s.Call)) and looking.end <= before.node.start
        )
    if _LIMIT.search(source, node.start, node.end):
        return True
    return any(
        _is_length(side)
        for compare, _ in app.calls.of_kind(function, s.Compare)
        if compare.ops[0] in {">", ">=", "<", "<="}
        for side in (compare.left, *compare.comparators)
    )


def _is_length(node: s.Expr) -> bool:
    return isinstance(node, s.Call) and s.last_name(node.func) == "len"


def _middleware_limits(app: App) -> bool:
    """Whether some middleware refuses requests that hold too much."""
    for application in app.applications:
        for middleware in application.middleware:
            if _LIMITING.search(middleware.name):
                return True
            functions = [middleware.function] if middleware.function is not None else []
            if middleware.cls is not None:
                functions += list(middleware.cls.own_methods.values())
            text = b"".join(f.module.source[f.node.start : f.node.end] for f in functions)
            if _LIMIT.search(text) and _REFUSING.search(text):
                return True
    return False


RULE = Rule(
    summary="an upload is read into memory whole, without a limit",
    severity="warning",
    confidence="medium",
    mend="Refuse what is larger than a limit before it is read (`if file.size is None or file.size > LIMIT:"
    " raise HTTPException(413)`), or read pieces (`await file.read(65536)`) and count them.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/tutorial/request-files/",
        "https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/",
        "CWE-770",
    ),
)

CASES = (
    case(
        "in the endpoint, in a helper, through .file, several files, as bytes",
        """
        from typing import Annotated
        from fastapi import FastAPI, File, UploadFile

        app = FastAPI()

        async def text_of(upload: UploadFile) -> str:
            return (await upload.read()).decode()  # <-

        @app.post("/a")
        async def a(file: UploadFile) -> str:
            return await text_of(file)

        @app.post("/b")
        def b(file: Annotated[UploadFile, File()]) -> int:
            data = file.file.read()  # <-
            return len(data)

        @app.post("/c")
        async def c(files: list[UploadFile]) -> list[bytes]:
            return [await file.read() for file in files]  # <-

        @app.post("/d")
        async def d(file: bytes = File()) -> int:  # <-
            return len(file)
        """,
        after="""
        from typing import Annotated
        from fastapi import FastAPI, File, HTTPException, UploadFile

        MAX_UPLOAD_BYTES = 10 * 1024 * 1024

        app = FastAPI()

        async def text_of(upload: UploadFile) -> str:
            return (await upload.read()).decode()

        @app.post("/a")
        async def a(file: UploadFile) -> str:
            return await text_of(file)

        @app.post("/b")
        def b(file: Annotated[UploadFile, File()]) -> int:
            data = file.file.read(MAX_UPLOAD_BYTES + 1)
            if len(data) > MAX_UPLOAD_BYTES:
                raise HTTPException(413, "too large")
            return len(data)

        @app.post("/c")
        async def c(files: list[UploadFile]) -> list[bytes]:
            return [await file.read() for file in files]

        @app.post("/d")
        async def d(file: bytes = File()) -> int:
            return len(file)
        """,
    ),
    case(
        "a limit that is set and looked at when everything is in memory",
        """
        from fastapi import FastAPI, UploadFile

        app = FastAPI()

        @app.post("/texts")
        async def texts(files: list[UploadFile]) -> list[str]:
            max_file_size = 10 * 1024 * 1024
            found = []
            for file in files:
                content = await file.read()  # <-
                if len(content) <= max_file_size:
                    found.append(content.decode())
            return found
        """,
    ),
    case(
        "a size that is checked when everything is in memory; a plain file of an upload",
        """
        import asyncio
        from typing import BinaryIO
        from fastapi import FastAPI, HTTPException, UploadFile

        LIMIT = 1_000_000
        app = FastAPI()

        @app.post("/a")
        async def a(file: UploadFile) -> bytes:
            data = await file.read()  # <-
            if len(data) > LIMIT:
                raise HTTPException(413)
            return data

        class Storage:
            @staticmethod
            def keep(file: BinaryIO, name: str) -> bytes:
                return file.read()  # <-

        storage = Storage()

        @app.post("/b")
        async def b(file: UploadFile) -> None:
            await asyncio.to_thread(storage.keep, file.file, "b")

        async def text(file) -> bytes:
            return await file.read()  # <-

        @app.post("/c")
        async def c(file: UploadFile) -> bytes:
            return await text(file)

        def count(file) -> int:
            return len(file.read())

        @app.get("/d")
        def d() -> int:
            with open("x") as file:
                return count(file)
        """,
    ),
    case(
        "a size that is checked before, pieces, an upload that is not read, an administrator's",
        """
        import shutil
        from fastapi import Depends, FastAPI, Header, HTTPException, UploadFile

        LIMIT = 1_000_000
        app = FastAPI()

        def small(content_length: int = Header()) -> None:
            if content_length > LIMIT:
                raise HTTPException(413)

        def get_current_admin(authorization: str = Header()) -> str:
            return authorization

        @app.post("/a")
        async def a(file: UploadFile) -> bytes:
            if file.size is None or file.size > LIMIT:
                raise HTTPException(413)
            return await file.read()

        @app.post("/b", dependencies=[Depends(small)])
        async def b(file: UploadFile) -> bytes:
            return await file.read()

        @app.post("/c")
        async def c(file: UploadFile) -> None:
            while piece := await file.read(65536):
                print(len(piece))

        @app.post("/d")
        def d(file: UploadFile) -> None:
            with open("copy", "wb") as target:
                shutil.copyfileobj(file.file, target)

        @app.post("/f")
        async def f(file: UploadFile, admin: str = Depends(get_current_admin)) -> bytes:
            return await file.read()
        """,
    ),
    Case(
        "a middleware limits every request",
        {
            "limits.py": """
            class Limited:
                def __init__(self, app) -> None:
                    self.app = app

                async def __call__(self, scope, receive, send) -> None:
                    length = dict(scope["headers"]).get(b"content-length")
                    if int(length or 0) > 1_000_000:
                        await send({"type": "http.response.start", "status": 413})
                        return
                    await self.app(scope, receive, send)
            """,
            "main.py": """
            from fastapi import FastAPI, UploadFile
            from limits import Limited

            app = FastAPI()
            app.add_middleware(Limited)

            @app.post("/a")
            async def a(file: UploadFile) -> bytes:
                return await file.read()
            """,
        },
    ),
)
