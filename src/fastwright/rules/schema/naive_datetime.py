"""A time that is stored or sent says in which zone it is.

`datetime.utcnow()` and `datetime.now()` give a time without one. Python reads such a time as
local, JSON carries it without an offset, and each client takes it for its own local time; in the
database, rows of two servers no longer sort, and what is compared with a time that has a zone
raises `TypeError`. `datetime.now(UTC)` has a zone. `utcnow` and `utcfromtimestamp` are deprecated
since Python 3.12 for this reason.

Reported in modules of models, schemas and routes, and in what requests run: `utcnow` and
`utcfromtimestamp` wherever they are used; `datetime.now()` and `fromtimestamp()` only where the
value goes into a field, a column, a row or the answer of an endpoint. Left alone: what is given
a zone at once (`.replace(tzinfo=UTC)`, `.astimezone()`), what becomes part of a text (`strftime`,
a file name, a `Z` behind it), and what only measures how long something took.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, Type, alternatives
from fastwright.edit.builders import add_argument, replace
from fastwright.edit.fix import Edit, Fix
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_CLOCKS = {
    "datetime.datetime.utcnow": "datetime.utcnow",
    "datetime.datetime.utcfromtimestamp": "datetime.utcfromtimestamp",
    "datetime.datetime.now": "datetime.now",
    "datetime.datetime.fromtimestamp": "datetime.fromtimestamp",
}
_NAMES = frozenset(name.rpartition(".")[2] for name in _CLOCKS)
_MARKS = frozenset({"utcnow", "fromtimestamp", ".now"})
_TZ_AT = {"now": 0, "fromtimestamp": 1}
"""Where the zone is given."""
_DEFAULTS = frozenset({"default", "default_factory", "insert_default", "onupdate"})
_FIELDS = frozenset({"Field", "Column", "mapped_column"})
_FAR = 2
"""Through how many variables a time is followed."""
_PASSING = frozenset({"isoformat", "replace", "str"})
"""Methods and functions whose result is the same time, still without a zone."""


class _Use(msgspec.Struct, frozen=True):
    """What becomes of a time. ``kind``: fine, stored (or sent), or other; ``into`` names where."""

    kind: str
    into: str = ""


_FINE = _Use("fine")
_OTHER = _Use("other")


class _Reader:
    """Follows a value upwards in one module."""

    def __init__(self, app: App, module: Module) -> None:
        self.app = app
        self.module = module
        self.parents: dict[int, s.Node] = {}
        for node in module.walk():
            for child in s.children(node):
                self.parents[id(child)] = node
        self.functions = {id(f.node): f for f in app.every_function(module)}
        self.endpoints = {id(f.node) for f in app.endpoints if f.module is module}

    def function(self, node: s.Node) -> Function | None:
        """Return the function whose body holds ``node``."""
        at: s.Node | None = node
        while at is not None:
            above = self.parents.get(id(at))
            if isinstance(above, s.FunctionDef) and any(at is part for part in above.body):
                return self.functions.get(id(above))
            at = above
        return None

    def use(self, value: s.Node, *, follow: int = _FAR) -> _Use:
        """Return what becomes of a value."""
        above = self.parents.get(id(value))
        match above:
            case s.Attribute():
                return self._attribute(above, follow=follow)
            case s.Call() if s.last_name(above.func) == "str" and value in above.args:
                return self.use(above, follow=follow)
            case s.BinOp():
                return self._operation(value, above, follow=follow)
            case s.IfExp() if value is not above.test:
                return self.use(above, follow=follow)
            case s.BoolOp() | s.Await():
                return self.use(above, follow=follow)
            case s.Lambda():
                return self.default(above)
            case s.JoinedStr():
                return _FINE  # part of a text: a file name, a line of a log
            case s.Keyword():
                return self._keyword(value, above)
            case s.Dict():
                return self._in_answer(above)
            case s.Assign() | s.AnnAssign():
                return self._assigned(above, follow=follow)
            case s.Compare():
                return _OTHER
            case _:
                return _OTHER

    def _attribute(self, above: s.Attribute, *, follow: int) -> _Use:
        call = self.parents.get(id(above))
        if not isinstance(call, s.Call) or call.func is not above:
            return _FINE  # .year: a number
        if above.attr == "replace" and call.keyword("tzinfo") is not None:
            return _FINE
        if above.attr == "timestamp":
            return _OTHER
        return self.use(call, follow=follow) if above.attr in _PASSING else _FINE

    def _operation(self, value: s.Node, above: s.BinOp, *, follow: int) -> _Use:
        other = above.right if value is above.left else above.left
        if above.op == "-" and not _is_delta(other):
            return _FINE  # how long it took
        if s.string(other) is not None:
            return _FINE if (s.string(other) or "").startswith(("Z", "+", "z")) else _OTHER
        return self.use(above, follow=follow)

    def default(self, node: s.Node) -> _Use:
        """A function that makes a default: ``default_factory=datetime.now``."""
        above = self.parents.get(id(node))
        call = self.parents.get(id(above)) if above is not None else None
        if isinstance(above, s.Keyword) and above.arg in _DEFAULTS and isinstance(call, s.Call):
            if s.last_name(call.func) in _FIELDS:
                return _Use("stored", f"the {above.arg} of {self._field_name(call)}")
        return _OTHER

    def field_of(self, node: s.Node) -> int:
        """Return what tells the statement in which ``node`` stands from others in a class body."""
        at: s.Node | None = node
        while at is not None:
            above = self.parents.get(id(at))
            if isinstance(above, s.ClassDef):
                return at.start
            if isinstance(above, s.FunctionDef):
                break
            at = above
        return node.start

    def _field_name(self, call: s.Call) -> str:
        at: s.Node | None = call
        while at is not None:
            at = self.parents.get(id(at))
            if isinstance(at, s.AnnAssign):
                return s.dotted(at.target) or "a field"
            if isinstance(at, s.Assign):
                return s.dotted(at.targets[0]) or "a field"
        return "a field"

    def _keyword(self, value: s.Node, above: s.Keyword) -> _Use:
        call = self.parents.get(id(above))
        if not isinstance(call, s.Call) or above.arg is None:
            return _OTHER
        if s.last_name(call.func) in _FIELDS and above.arg in _DEFAULTS:
            return _Use("stored", f"the default of {self._field_name(call)}")
        where = Where(self.module, self.function(value))
        found = self.app.types.of(call.func, where)
        cls = _data_class(self.app, found)
        if cls is not None:
            return _Use("stored", f"{above.arg} of {cls.name}")
        if s.last_name(call.func) == "values":
            return _Use("stored", above.arg)
        return _OTHER

    def _in_answer(self, node: s.Node) -> _Use:
        """A dict that an endpoint returns as it stands."""
        at: s.Node = node
        while isinstance(above := self.parents.get(id(at)), (s.Dict, s.List, s.Tuple)):
            at = above
        function = self.function(node)
        if isinstance(above, s.Return) and function and id(function.node) in self.endpoints:
            return _Use("stored", f"the answer of {function.name}")
        return _OTHER

    def _assigned(self, above: s.Assign | s.AnnAssign, *, follow: int) -> _Use:
        target = above.target if isinstance(above, s.AnnAssign) else above.targets[0]
        if isinstance(target, s.Attribute) and target.attr.startswith("_"):
            return _OTHER  # private: no field of a model
        if isinstance(target, s.Attribute):
            where = Where(self.module, self.function(above))
            for option in alternatives(self.app.types.of(target.value, where)):
                if isinstance(option, Instance) and isinstance(option.cls, Class):
                    if self.app.models.is_schema(option.cls) or self.app.types.is_table(option.cls):
                        return _Use("stored", f"{target.attr} of {option.cls.name}")
            return _OTHER
        if isinstance(target, s.Name):
            function = self.function(above)
            if function is None:
                return self._attribute_of_class(above, target)
            if follow:
                return self._local(function, target.id, follow - 1)
        return _OTHER

    def _attribute_of_class(self, above: s.Node, target: s.Name) -> _Use:
        """``at: datetime = datetime.now()`` in the body of a model."""
        owner = self.parents.get(id(above))
        if isinstance(owner, s.ClassDef) and isinstance(above, s.AnnAssign):
            for cls in self.app.classes([self.module]):
                if cls.node is owner and self.app.models.is_schema(cls):
                    return _Use("stored", f"the default of {target.id}")
        return _OTHER

    def _local(self, function: Function, name: str, follow: int) -> _Use:
        """What becomes of a local variable: stored anywhere, fine everywhere, or something else."""
        bounds = self.app.types.locals.of(function).get(name, [])
        if len(bounds) != 1:
            return _OTHER
        uses = [
            self.use(node, follow=follow)
            for node in s.walk(*function.node.body)
            if isinstance(node, s.Name) and node.id == name and not self._is_target(node)
        ]
        for use in uses:
            if use.kind == "stored":
                return use
        return _FINE if uses and all(use is _FINE for use in uses) else _OTHER

    def _is_target(self, node: s.Name) -> bool:
        above = self.parents.get(id(node))
        if isinstance(above, s.Assign):
            return any(node is target for target in above.targets)
        return isinstance(above, s.AnnAssign) and above.target is node


def _fix(reader: _Reader, module: Module, node: s.Attribute) -> Fix | None:
    """Return the fix that names the zone; a suggestion, as columns without one may refuse it."""
    zone = bring(module, "datetime", "timezone")
    if zone is None:
        return None
    made = f"{text(module, node.value)}.{node.attr.replace('utcn', 'n').replace('utcf', 'f')}"
    call, utc = reader.parents.get(id(node)), f"{zone.name}.utc"
    if not isinstance(call, s.Call) or call.func is not node:
        if node.attr not in {"now", "utcnow"}:
            return None
        return Fix("suggest", (replace(module, node, f"lambda: {made}({utc})"),), zone.imports)
    given = call.args[_TZ_AT[node.attr]] if len(call.args) > _TZ_AT.get(node.attr, 9) else None
    if given is None:
        edits: tuple[Edit, ...] = (replace(module, node, made), add_argument(module, call, utc))
    else:
        edits = (replace(module, given, utc),)
    return Fix("suggest", edits, zone.imports)


def check(app: App) -> Iterator[Hit]:
    """Report times without a zone that are stored, sent or deprecated."""
    paths = {m.path for m in app.model_modules}
    paths |= {step.function.module.path for step in app.reached}
    for module in app.sources:
        if module.path not in paths or _MARKS.isdisjoint(module.header.marks):
            continue
        reader: _Reader | None = None
        reported: set[str] = set()
        for node in module.walk():
            if not isinstance(node, s.Attribute) or node.attr not in _NAMES:
                continue
            name = module.qualify(node)
            if name not in _CLOCKS:
                continue
            reader = reader or _Reader(app, module)
            message = _message(reader, node, _CLOCKS[name])
            field = f"{node.attr} {reader.field_of(node)}"
            if message is not None and field not in reported:
                reported.add(field)
                yield Hit(place(module, node), message, fix=_fix(reader, module, node))


def _message(reader: _Reader, node: s.Attribute, name: str) -> str | None:
    call = reader.parents.get(id(node))
    called = isinstance(call, s.Call) and call.func is node
    if isinstance(call, s.Call) and called:
        if node.attr in _TZ_AT and _has_zone(call, _TZ_AT[node.attr]):
            return None
        use = reader.use(call)
    else:
        use = reader.default(node)
    written = f"{name}()" if called else name
    if use.kind == "stored":
        return f"{written} puts a time without a zone into {use.into}"
    if use.kind == "fine" or node.attr in _TZ_AT:
        return None
    return f"{written} gives a time without a zone (deprecated): Python takes it for local time"


def _has_zone(call: s.Call, position: int) -> bool:
    given = call.argument(position, "tz")
    if given is None:
        return any(k.arg is None for k in call.keywords) or any(
            isinstance(a, s.Starred) for a in call.args
        )
    return not (isinstance(given, s.Constant) and given.kind == "none")


def _is_delta(node: s.Expr) -> bool:
    """Whether what is added or taken away is a length of time rather than a time."""
    name = (s.last_name(node) or "").lower()
    return any(part in name for part in ("delta", "ttl", "days", "hours", "minutes", "seconds",
                                         "timeout", "period", "interval", "duration", "age",
                                         "lifetime", "expire", "window"))  # fmt: skip


def _data_class(app: App, found: Type) -> Class | None:
    """Return the schema or table that a call makes an instance of."""
    for option in alternatives(found):
        if isinstance(option, ClassObject) and isinstance(option.cls, Class):
            if app.models.is_schema(option.cls) or app.types.is_table(option.cls):
                return option.cls
    return None


RULE = Rule(
    summary="a time without a zone",
    severity="warning",
    mend="`datetime.now(UTC)` (`datetime.fromtimestamp(value, UTC)`), as default"
    " `default_factory=lambda: datetime.now(UTC)`; columns for it are `DateTime(timezone=True)`.",
    app=check,
    references=(
        "https://docs.python.org/3/library/datetime.html#datetime.datetime.utcnow",
        "https://docs.sqlalchemy.org/en/20/core/type_basics.html#sqlalchemy.types.DateTime",
    ),
)

CASES = (
    case(
        "in fields, columns, rows and answers",
        """
        import datetime as dt
        from datetime import datetime, timedelta
        from fastapi import FastAPI
        from pydantic import BaseModel, Field
        from sqlalchemy import Column, DateTime
        from sqlalchemy.orm import DeclarativeBase, Session

        app = FastAPI()

        class Base(DeclarativeBase): ...

        class Order(Base):
            __tablename__ = "orders"
            created_at = Column(DateTime, default=datetime.utcnow)  # <-
            updated_at = Column(DateTime, onupdate=dt.datetime.now)  # <-

        class Read(BaseModel):
            at: datetime = Field(default_factory=lambda: datetime.now())  # <-
            until: datetime | None = None

        @app.post("/")
        def add(db: Session) -> dict:
            now = datetime.now()  # <-
            order = Order(created_at=now)
            order.updated_at = datetime.now() + timedelta(days=1)  # <-
            db.add(order)
            payload = {"exp": datetime.utcnow() + timedelta(minutes=5)}  # <-
            read = Read(until=datetime.utcfromtimestamp(payload["exp"]))  # <-
            return {"at": datetime.now(None).isoformat(), "read": read}  # <-
        """,
        after="""
        import datetime as dt
        from datetime import datetime, timedelta
        from fastapi import FastAPI
        from pydantic import BaseModel, Field
        from sqlalchemy import Column, DateTime
        from sqlalchemy.orm import DeclarativeBase, Session

        app = FastAPI()

        class Base(DeclarativeBase): ...

        class Order(Base):
            __tablename__ = "orders"
            created_at = Column(DateTime, default=lambda: datetime.now(dt.timezone.utc))
            updated_at = Column(DateTime, onupdate=lambda: dt.datetime.now(dt.timezone.utc))

        class Read(BaseModel):
            at: datetime = Field(default_factory=lambda: datetime.now(dt.timezone.utc))
            until: datetime | None = None

        @app.post("/")
        def add(db: Session) -> dict:
            now = datetime.now(dt.timezone.utc)
            order = Order(created_at=now)
            order.updated_at = datetime.now(dt.timezone.utc) + timedelta(days=1)
            db.add(order)
            payload = {"exp": datetime.now(dt.timezone.utc) + timedelta(minutes=5)}
            read = Read(until=datetime.fromtimestamp(payload["exp"], dt.timezone.utc))
            return {"at": datetime.now(dt.timezone.utc).isoformat(), "read": read}
        """,
    ),
    case(
        "with a zone, formatted, measured, or not sent at all",
        """
        from datetime import UTC, datetime
        from fastapi import FastAPI
        from pydantic import BaseModel, Field

        app = FastAPI()

        class Read(BaseModel):
            at: datetime = Field(default_factory=lambda: datetime.now(UTC))
            year: int = 0

        def clean(before):
            if datetime.now() > before:
                print(datetime.now())

        @app.post("/")
        def add(zone=None) -> dict:
            started = datetime.utcnow()
            path = f"report-{datetime.now():%Y}-{datetime.utcnow().strftime('%m')}"
            aware = datetime.utcnow().replace(tzinfo=UTC)
            local = datetime.now().astimezone()
            text = datetime.utcnow().isoformat() + "Z"
            other = f"{datetime.utcnow().isoformat()}Z"
            read = Read(at=datetime.now(tz=zone), year=datetime.now().year)
            clean(local)
            took = (datetime.utcnow() - started).total_seconds()
            return {"path": path, "aware": aware, "text": text, "o": other, "read": read, "t": took}
        """,
    ),
    case(
        "an offset is put behind it further down, and a private attribute",
        """
        from datetime import datetime, timedelta
        from typing import Any
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Store(BaseModel):
            _renew_at: Any = None

            def login(self) -> None:
                self._renew_at = datetime.now() + timedelta(seconds=60)

        @app.get("/spend")
        def spend() -> dict[str, str]:
            end = datetime.utcnow()
            start = end - timedelta(days=30)
            first = start.isoformat() + "+00:00"
            return {"start": first, "end": end.isoformat() + "+00:00"}
        """,
    ),
    case(
        "somebody else's now",
        """
        from django.utils import timezone
        from fastapi import FastAPI
        from pydantic import BaseModel, Field
        from clock import datetime

        app = FastAPI()

        class Read(BaseModel):
            at: str = Field(default_factory=timezone.now)
            to: str = Field(default_factory=datetime.utcnow)
        """,
    ),
)
