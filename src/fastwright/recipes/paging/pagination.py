"""The module of pages that an application gets: what a request asks for, and the headers of the answer."""

from __future__ import annotations

from posixpath import dirname, join
from typing import Literal

import msgspec

from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.read.module import Module
from fastwright.recipes.recipe import Paging

_NAMES = ("pagination", "paging", "list_pages")
_MAKERS: dict[Paging, str] = {"offset": "offset", "page": "size", "cursor": "cursor"}
"""The parameter by which the style of a module of pages is known."""


class Pagination(msgspec.Struct, frozen=True):
    """The module of pages: where it is, which style it has, and its source where it is new."""

    path: str
    module: str
    paging: Paging
    new: str | None = None
    counts: bool = True
    """Whether it has ``count_of``."""


def pagination(
    app: App, endpoint: Function, paging: Paging | None, *, legacy: bool
) -> Pagination | None:
    """Return the module of pages that an endpoint shall use, a new one where there is none.

    ``paging``: the style that is asked for; None for that of the project, or offsets. None comes out
    where the project has one of another style, or other modules have the names.
    """
    there = _there(app, endpoint.module)
    if there is not None:
        return there if paging in {None, there.paging} else None
    folder, package = _home(endpoint.module)
    for name in _NAMES:
        path = join(folder, f"{name}.py")
        if path not in app.modules and not any(
            p.startswith(join(folder, name, "")) for p in app.modules
        ):
            style = paging or "offset"
            dotted = f"{package}.{name}" if package else name
            optional = any(b"| None" in each.source for each in app.sources)
            new = source(style, legacy=legacy, optional="| None" if optional else "Optional")
            return Pagination(path, dotted, style, new, not legacy)
    return None


def _there(app: App, user: Module) -> Pagination | None:
    """Return the module of pages that an application has."""
    folder, _ = _home(user)
    for module in app.sources:
        if b"class RequestedPage(Page)" not in module.source or _home(module)[0] != folder:
            continue
        names = app.linker.scope(module).names
        made = names.get("RequestedPage")
        if not isinstance(made, Class) or "PageDep" not in names:
            continue
        taken = {each.name for each in made.own_methods["__init__"].parameters}
        for paging, parameter in _MAKERS.items():
            if parameter in taken:
                return Pagination(module.path, module.name, paging, None, "count_of" in names)
    return None


def _home(module: Module) -> tuple[str, str]:
    """Return the folder and the name of the package that holds all of an application."""
    parts = module.name.split(".")
    is_package = module.path.endswith("__init__.py")
    folder = dirname(module.path)
    for _ in parts[1 if is_package else 2 :]:
        folder = dirname(folder)
    return folder, parts[0] if is_package or len(parts) > 1 else ""


def source(
    paging: Paging, *, legacy: bool = False, optional: Literal["| None", "Optional"] = "| None"
) -> str:
    """Return the source of a module of pages.

    ``legacy``: for ``session.query(...)``, which counts itself. ``optional``: how the project writes that
    something may be None.
    """
    if paging == "cursor":
        return _cursor_source(legacy=legacy, optional=optional)
    rest = _PAGE + (_OFFSET if paging == "offset" else _NUMBER) + _DEPENDENCY
    return _HEAD + rest if legacy else _HEAD_COUNTING + rest + COUNT_OF


def _cursor_source(*, legacy: bool, optional: str) -> str:
    text = _CURSOR
    if legacy:
        text = text.replace(
            "import ColumnElement, Select, and_, or_", "import ColumnElement, and_, or_"
        )
        text = text.replace(
            "from sqlalchemy.orm import QueryableAttribute",
            "from sqlalchemy.orm import Query as Statement\nfrom sqlalchemy.orm import QueryableAttribute",
        )
        text = text.replace("Select[Any]", "Statement[Any]")
        text = text.replace("statement.where(", "statement.filter(")
    if optional == "Optional":
        text = text.replace("Any, TypeVar", "Any, Optional, TypeVar")
        text = text.replace("str | None", "Optional[str]")
    return text


_HEAD = '''\
"""Lists in pages: which rows a request asks for, and where the others are."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Query, Request, Response
'''
_HEAD_COUNTING = '''\
"""Lists in pages: which rows a request asks for, and where the others are."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Query, Request, Response
from sqlalchemy import Select, func, select
'''
_PAGE = '''

class Page:
    """A part of a list. Who reads its rows says how many there are in all."""

    def __init__(self, offset: int, limit: int) -> None:
        self.offset = offset
        self.limit = limit
        self.total = 0

    def set_total(self, total: int) -> None:
        self.total = total


class RequestedPage(Page):
    """The page that a request asks for: headers of the answer lead to the others."""

    def __init__(
        self,
        request: Request,
        response: Response,
'''
_OFFSET = """\
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> None:
        super().__init__(offset, limit)
        self._url = request.url.replace(path=quote(request.url.path))
        self._headers = response.headers

    def set_total(self, total: int) -> None:
        super().set_total(total)
        last = max(total - 1, 0) // self.limit * self.limit
        offsets = {"first": 0}
        if self.offset > 0:
            offsets["prev"] = min(max(self.offset - self.limit, 0), last)
        if self.offset + self.limit < total:
            offsets["next"] = self.offset + self.limit
        offsets["last"] = last
        self._headers["X-Total-Count"] = str(total)
        self._headers["Link"] = ", ".join(
            f'<{self._url.include_query_params(offset=offset, limit=self.limit)}>; rel="{relation}"'
            for relation, offset in offsets.items()
        )
"""
_NUMBER = """\
        page: Annotated[int, Query(ge=1)] = 1,
        size: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> None:
        super().__init__(offset=(page - 1) * size, limit=size)
        self._number = page
        self._url = request.url.replace(path=quote(request.url.path))
        self._headers = response.headers

    def set_total(self, total: int) -> None:
        super().set_total(total)
        last = max(total - 1, 0) // self.limit + 1
        numbers = {"first": 1}
        if self._number > 1:
            numbers["prev"] = min(self._number - 1, last)
        if self._number < last:
            numbers["next"] = self._number + 1
        numbers["last"] = last
        self._headers["X-Total-Count"] = str(total)
        self._headers["Link"] = ", ".join(
            f'<{self._url.include_query_params(page=number, size=self.limit)}>; rel="{relation}"'
            for relation, number in numbers.items()
        )
"""
_DEPENDENCY = """

PageDep = Annotated[RequestedPage, Depends()]
"""
COUNT_OF = '''

def count_of(statement: Select[Any]) -> Select[Any]:
    """Return the statement that counts the rows of a statement."""
    return select(func.count()).select_from(statement.order_by(None).subquery())
'''


_CURSOR = '''\
"""Lists in pages: which rows a request asks for, and where the next ones are."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import Depends, HTTPException, Query, Request, Response
from pydantic import Field, TypeAdapter
from sqlalchemy import ColumnElement, Select, and_, or_
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.types import TypeDecorator

RowT = TypeVar("RowT")
StatementT = TypeVar("StatementT", bound="Select[Any]")
Keys = Sequence[QueryableAttribute[Any]]
WholeNumber = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class Page:
    """A part of a list: the rows behind the one that a cursor stands for."""

    def __init__(self, cursor: str | None, limit: int) -> None:
        self.cursor = cursor
        self.limit = limit
        self.next: str | None = None
        self._keys: Keys = ()

    def of(self, statement: StatementT, *keys: Any, descending: bool = False) -> StatementT:
        """Return the statement of this page, ordered by columns that are unique together."""
        self._keys = keys
        if self.cursor is not None:
            values = _values(self.cursor, keys)
            statement = statement.where(_behind(keys, values, descending=descending))
        order = [key.desc() if descending else key.asc() for key in keys]
        return statement.order_by(*order).limit(self.limit + 1)

    def take(self, rows: Iterable[RowT]) -> list[RowT]:
        """Return the rows of this page. One more was read: behind it is another page."""
        found = list(rows)
        if len(found) > self.limit:
            last = found[self.limit - 1]
            self.set_next(_cursor([getattr(last, key.key) for key in self._keys]))
        return found[: self.limit]

    def set_next(self, cursor: str) -> None:
        self.next = cursor


class RequestedPage(Page):
    """The page that a request asks for: a header of the answer says where the next one is."""

    def __init__(
        self,
        request: Request,
        response: Response,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> None:
        super().__init__(cursor, limit)
        self._url = request.url.replace(path=quote(request.url.path))
        self._headers = response.headers

    def set_next(self, cursor: str) -> None:
        super().set_next(cursor)
        url = self._url.include_query_params(cursor=cursor, limit=self.limit)
        self._headers["Link"] = f'<{url}>; rel="next"'


PageDep = Annotated[RequestedPage, Depends()]


def _cursor(values: Sequence[Any]) -> str:
    """Return what stands for a row: the values by which it is ordered."""
    return urlsafe_b64encode(TypeAdapter(list[Any]).dump_json(list(values))).decode()


def _values(cursor: str, keys: Keys) -> Sequence[Any]:
    """Return the values that a cursor stands for, each of the type of its column."""
    try:
        values = TypeAdapter(list[Any]).validate_json(urlsafe_b64decode(cursor))
        return [_kind(key).validate_python(value) for key, value in zip(keys, values, strict=True)]
    except ValueError as error:
        raise HTTPException(status_code=422, detail="This cursor is not valid") from error


def _kind(key: QueryableAttribute[Any]) -> TypeAdapter[Any]:
    """Return what reads a value of a column."""
    column: Any = key.type.impl if isinstance(key.type, TypeDecorator) else key.type
    return TypeAdapter(WholeNumber if column.python_type is int else column.python_type)


def _behind(keys: Keys, values: Sequence[Any], *, descending: bool) -> ColumnElement[bool]:
    """Return the condition for rows that come later: (a, b) > (1, 2), or < where they descend."""
    key, value = keys[0], values[0]
    behind: ColumnElement[bool] = key < value if descending else key > value
    if len(keys) == 1:
        return behind
    others = _behind(keys[1:], values[1:], descending=descending)
    return or_(behind, and_(key == value, others))
'''
