"""A request has one body: JSON, or a form with files.

Files come as `multipart/form-data`, and so does everything else in that request. A Pydantic model beside
`UploadFile`, `File()` or `Form()` is then looked for as one field of the form, and a form's field is text:
whatever the client sends, the answer is 422 ("Input should be a valid dictionary or object"). Sent as JSON,
the file is missing. FastAPI's documentation says so: one cannot declare `Body` fields to be received as
JSON together with `File` and `Form`, "this is part of the HTTP protocol".

Take the fields with `Form()` (a whole model with `Annotated[Model, Form()]`), or JSON text with
`Annotated[Json[Model], Form()]`. Models with a validator that runs before the others (`mode="before"`, which
may parse text) and classes that are no Pydantic models for sure are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.dependencies import RequestParameter
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.symbols import Class
from fastwright.app.types import Instance, Sequence, Type, alternatives
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_UPLOAD = "fastapi.UploadFile"
_OWN = frozenset(
    {"__get_validators__", "__get_pydantic_core_schema__", "validate", "__modify_schema__"}
)


def check(app: App) -> Iterator[Hit]:
    """Report JSON bodies of routes that take a form."""
    seen: set[int] = set()
    for route in app.routes:
        if route.kind != "http" or route.record.starlette:
            continue
        form = next((p for p in route.parameters if _in_form(p)), None)
        if form is None:
            continue
        for parameter in route.parameters:
            if id(parameter.node) in seen:
                continue
            model = _json_model(app, parameter)
            if model is not None:
                seen.add(id(parameter.node))
                yield _hit(route, parameter, model, form)


def _in_form(parameter: RequestParameter) -> bool:
    return parameter.kind in {"file", "form"} or _is_upload(parameter.type)


def _is_upload(found: Type) -> bool:
    if isinstance(found, Sequence):
        return _is_upload(found.element)
    return any(isinstance(each, Instance) and each.cls == _UPLOAD for each in alternatives(found))


def _json_model(app: App, parameter: RequestParameter) -> Class | None:
    """Return the Pydantic model that FastAPI takes from a JSON body."""
    marker = parameter.marker
    if parameter.kind != "body" or (marker is not None and s.last_name(marker) != "Body"):
        return None
    found = alternatives(parameter.type)
    if len(found) != 1 or not isinstance(found[0], Instance):
        return None
    cls = found[0].cls
    if not isinstance(cls, Class) or app.models.schema(cls) is None:
        return None
    ancestors = [each for each in app.linker.mro(cls) if isinstance(each, Class)]
    if any(_may_parse(ancestor) for ancestor in ancestors):
        return None
    return cls


def _may_parse(cls: Class) -> bool:
    """Whether a class may take text: through a validator that runs first, or its own machinery."""
    if not _OWN.isdisjoint(cls.own_methods):
        return True
    for method in cls.own_methods.values():
        for decorator in method.node.decorators:
            if s.last_name(decorator) not in {"model_validator", "root_validator"}:
                continue
            mode = decorator.keyword("mode") if isinstance(decorator, s.Call) else None
            if s.string(mode) != "after":
                return True
    return False


def _hit(route: Route, parameter: RequestParameter, model: Class, form: RequestParameter) -> Hit:
    function = parameter.function
    what = "a file" if form.kind == "file" or _is_upload(form.type) else "a form"
    message = (
        f"{route.label} takes {parameter.name} as JSON ({model.name}) beside {form.name}, {what}:"
        " every request is refused with 422"
    )
    chain = (
        *of_route(route),
        evidence(form.function.module, form.node, f"{form.name}: {what}"),
        evidence(function.module, parameter.node, f"{parameter.name}: JSON"),
    )
    return Hit(place(function.module, parameter.node), message, chain, _fix(parameter))


def _fix(parameter: RequestParameter) -> Fix | None:
    """Return the fix that takes the model as JSON text of a form field."""
    module, annotation = parameter.function.module, parameter.node.annotation
    if not isinstance(annotation, s.Name) or parameter.node.default is not None:
        return None
    names = [
        bring(module, "typing", "Annotated"),
        bring(module, "pydantic", "Json"),
        bring(module, "fastapi", "Form"),
    ]
    annotated, json, form = (each.name if each is not None else "" for each in names)
    if not (annotated and json and form):
        return None
    edit = replace(module, annotation, f"{annotated}[{json}[{annotation.id}], {form}()]")
    imports = tuple(new for each in names if each is not None for new in each.imports)
    return Fix("suggest", (edit,), imports)


RULE = Rule(
    summary="a JSON body beside files or a form",
    severity="error",
    mend="Take the model from the form: `Annotated[Model, Form()]` for its fields,"
    " `Annotated[Json[Model], Form()]` for JSON text; or upload the file in a request of its own.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/request-forms-and-files/",),
)

_HEAD = """
from typing import Annotated
from fastapi import Body, Depends, FastAPI, File, Form, UploadFile
from pydantic import BaseModel, Json, model_validator

app = FastAPI()

class Item(BaseModel):
    name: str

class Parsed(BaseModel):
    name: str

    @model_validator(mode="before")
    @classmethod
    def parse(cls, value):
        return value
"""

CASES = (
    case(
        "beside a file, several files, bytes, a form's field",
        _HEAD
        + """
@app.post("/a")
def a(
    file: UploadFile,
    item: Item,  # <-
) -> None: ...

@app.post("/b")
def b(
    files: list[UploadFile],
    item: Annotated[Item, Body()],  # <-
) -> None: ...

@app.post("/c")
def c(
    item: Item | None = None,  # <-
    file: bytes | None = File(None),
) -> None: ...

@app.post("/d")
def d(
    item: Item,  # <-
    name: Annotated[str, Form()],
) -> None: ...
""",
        after="""
from typing import Annotated
from fastapi import Body, Depends, FastAPI, File, Form, UploadFile
from pydantic import BaseModel, Json, model_validator

app = FastAPI()

class Item(BaseModel):
    name: str

class Parsed(BaseModel):
    name: str

    @model_validator(mode="before")
    @classmethod
    def parse(cls, value):
        return value

@app.post("/a")
def a(
    file: UploadFile,
    item: Annotated[Json[Item], Form()],
) -> None: ...

@app.post("/b")
def b(
    files: list[UploadFile],
    item: Annotated[Item, Body()],
) -> None: ...

@app.post("/c")
def c(
    item: Item | None = None,
    file: bytes | None = File(None),
) -> None: ...

@app.post("/d")
def d(
    item: Annotated[Json[Item], Form()],
    name: Annotated[str, Form()],
) -> None: ...
""",
    ),
    case(
        "in the form, as JSON text, parsed by the model, made by a dependency, no file",
        _HEAD
        + """
def as_form(name: Annotated[str, Form()]) -> Item:
    return Item(name=name)

@app.post("/a")
def a(file: UploadFile, item: Annotated[Item, Form()]) -> None: ...

@app.post("/b")
def b(file: UploadFile, item: Annotated[Json[Item], Form()]) -> None: ...

@app.post("/c")
def c(file: UploadFile, item: Parsed) -> None: ...

@app.post("/d")
def d(file: UploadFile, item: Annotated[Item, Depends(as_form)]) -> None: ...

@app.post("/e")
def e(item: Item) -> None: ...
""",
    ),
)
