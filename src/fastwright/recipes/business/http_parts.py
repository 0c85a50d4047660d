"""The parts of an endpoint's body: what speaks HTTP and stays, and the business between."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import msgspec

from fastwright.app.model import App
from fastwright.app.raises import Raised
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, FunctionValue, Instance, alternatives
from fastwright.edit.reads import binds
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.business.business import working
from fastwright.recipes.business.http_errors import change_of

_PARAMETERS = ("fastapi.Request", "fastapi.responses.", "fastapi.BackgroundTasks", "fastapi.UploadFile",
               "fastapi.websockets.", "fastapi.security.")  # fmt: skip
_SPEAKING = ("fastapi.", "starlette.")
_SILENT = ("fastapi.concurrency.", "starlette.concurrency.")
_HTTP_EXCEPTION = frozenset(
    {"fastapi.HTTPException", "fastapi.exceptions.HTTPException", "starlette.exceptions.HTTPException"}
)  # fmt: skip
_LOOKED_UP = frozenset({"headers", "cookies", "query_params"})
_CALLABLE = ("collections.abc", "Callable")
_READ = ("collections.abc", "Awaitable")
_OF_UPLOAD = {"filename": "str | None", "content_type": "str | None", "size": "int | None"}
_OF_CREDENTIALS = {
    "fastapi.security.OAuth2PasswordRequestForm": {
        "username": "str", "password": "str", "scopes": "list[str]", "client_id": "str | None",
        "client_secret": "str | None",
    },
    "fastapi.security.HTTPAuthorizationCredentials": {"scheme": "str", "credentials": "str"},
    "fastapi.security.HTTPBasicCredentials": {"username": "str", "password": "str"},
    "fastapi.security.SecurityScopes": {"scopes": "list[str]", "scope_str": "str"},
}  # fmt: skip
_OF_CREDENTIALS["fastapi.security.OAuth2PasswordRequestFormStrict"] = _OF_CREDENTIALS[
    "fastapi.security.OAuth2PasswordRequestForm"
]
_PLAIN_CALLS = frozenset({"str", "int", "float", "bool"})


class Handed(msgspec.Struct, frozen=True):
    """What the business reads of the request: the endpoint evaluates it, and hands it over."""

    node: s.Expr
    name: str
    written: str
    type: str
    imports: tuple[tuple[str, str], ...] = ()
    """What the type needs: module and name."""


class Parts(msgspec.Struct, frozen=True):
    """A body, divided."""

    head: list[s.Stmt]
    """What stays before the call of the service."""
    early: list[s.Stmt]
    """What stands between the business, and is done before it: nothing of the business changes it."""
    moved: list[s.Stmt]
    tail: list[s.Stmt]
    """What stays behind the call."""
    handed: list[Handed]


class InTheWay(Exception):  # noqa: N818 - what stops it is no error
    """What keeps an endpoint as it is."""

    def __init__(self, node: s.Node, reason: str) -> None:
        super().__init__(reason)
        self.node = node
        self.reason = reason


def divide(app: App, endpoint: Function, statements: list[s.Stmt]) -> Parts:
    """Return the parts of a body. Raises InTheWay with what cannot be parted."""
    return _Divided(app, endpoint, statements).parts()


def value_of(app: App, endpoint: Function, node: s.Expr) -> Handed | None:
    """Return what an expression reads of the request, where that is all that it does."""
    return _Divided(app, endpoint, []).value(node)


def speaks_http(module: Module, statement: s.Stmt) -> bool:
    """Whether a statement of a file names something of FastAPI: not an exception or a thread pool."""
    return any(_is_of_http(module, node) for node in s.walk(statement))


def _is_of_http(module: Module, node: s.Node) -> bool:
    origin = module.qualify(node) if isinstance(node, s.Name) else None
    if origin is None or origin in _HTTP_EXCEPTION or origin.startswith(_SILENT):
        return False
    return origin.startswith(_SPEAKING) and origin != "fastapi.status"


class _Divided:
    def __init__(self, app: App, endpoint: Function, statements: list[s.Stmt]) -> None:
        self._app = app
        self._endpoint = endpoint
        self._module = endpoint.module
        self._where = Where(endpoint.module, endpoint)
        self._statements = statements
        self._speaking = self._http_parameters()
        self._raised = {id(raised.node): raised for raised in app.raises.of(endpoint)}
        self._taken = {n.id for n in s.walk(*statements) if isinstance(n, s.Name)}
        self._taken |= {p.name for p in endpoint.parameters if p.name not in self._speaking}

    def parts(self) -> Parts:
        works = working(self._app, self._endpoint, self._statements)
        speaking = [self._speaks(each) for each in self._statements]
        count = len(self._statements)
        business = [n for n in range(count) if works[n] or _refuses(self._statements[n])]
        last = max(business, default=-1)
        behind = next((n for n in range(last + 1, count) if speaking[n]), count)
        before = self._before(behind, works)
        middle = self._statements[before:behind]
        if not middle:
            raise InTheWay(
                self._statements[0], "uses the request or the response from the beginning"
            )
        early = [each for each in middle if self._is_early(each, middle)]
        moved = [each for each in middle if not any(each is other for other in early)]
        if not moved:
            raise InTheWay(self._statements[0], "does nothing but HTTP")
        tail = self._statements[behind:]
        if not tail and self._shapes(moved):
            moved, tail = moved[:-1], moved[-1:]
        handed: dict[str, Handed] = {}
        found = [self._named(each, handed) for each in self._handed(moved)]
        for statement in moved if tail else []:
            for node in s.walk_scope(statement):
                if isinstance(node, s.Return):
                    raise InTheWay(node, "returns early, before statements that have to stay")
        return Parts(self._statements[:before], early, moved, tail, found)

    def _before(self, behind: int, works: list[bool]) -> int:
        """Return where the business begins: behind what needs the request itself."""
        hard = {n: stop for n in range(behind) if (stop := self._hard(self._statements[n]))}
        first = max(hard, default=-1) + 1
        for number in range(first):
            if works[number]:
                raise next(stop for n, stop in hard.items() if n >= number)
        while first < behind and not works[first]:
            if not self._is_taken_first(self._statements[first]):
                break
            first += 1
        return first

    def _hard(self, statement: s.Stmt) -> InTheWay | None:
        """Return what a statement does with HTTP that can be neither handed over nor done before."""
        if self._sets_response(statement):
            return None
        try:
            for _ in self._handed([statement]):
                pass
        except InTheWay as stop:
            return stop
        return None

    def _is_taken_first(self, statement: s.Stmt) -> bool:
        """``agent = request.headers.get("User-Agent")``: at the head it stays as it is."""
        if self._sets_response(statement):
            return True
        return isinstance(statement, (s.Assign, s.AnnAssign)) and bool(self._values([statement]))

    def _values(self, statements: list[s.Stmt]) -> list[Handed]:
        try:
            return list(self._handed(statements))
        except InTheWay:
            return []

    # ------------------------------------------------------------ what speaks HTTP

    def _http_parameters(self) -> set[str]:
        found = set()
        for parameter in self._endpoint.parameters:
            kind = self._app.types.parameter(parameter, self._endpoint)
            if (
                isinstance(kind, Instance)
                and isinstance(kind.cls, str)
                and kind.cls.startswith(_PARAMETERS)
            ):
                found.add(parameter.name)
        return found

    def _speaks(self, statement: s.Stmt) -> bool:
        return any(self._is_http(node) for node in s.walk(statement))

    def _is_http(self, node: s.Node) -> bool:
        """Whether a name is the request, the response, or something of FastAPI: not an exception or a thread pool."""
        if not isinstance(node, s.Name):
            return False
        return node.id in self._speaking or _is_of_http(self._module, node)

    # ---------------------------------------------------------- what is handed over

    def _handed(self, nodes: list[s.Stmt]) -> Iterator[Handed]:
        """Yield what of the request can be handed over. Raises InTheWay for all else that is HTTP."""
        for node in nodes:
            yield from self._handed_in(node)

    def _handed_in(self, node: s.Node) -> Iterator[Handed]:
        value = self.value(node)
        if value is not None:
            yield value
            return
        if isinstance(node, s.Raise):
            yield from self._in_refusal(node)
            return
        if isinstance(node, (s.Name, s.Attribute)):
            origin = self._module.qualify(node) or ""
            if (
                self._is_http(node)
                or origin in _HTTP_EXCEPTION
                or origin.startswith("fastapi.status")
            ):
                used = text(self._module, node)
                raise InTheWay(node, f"uses {used} in the middle of the business")
        children = s.children(node)
        if isinstance(node, s.ExceptHandler) and _passes_on(node):
            children = list(node.body)
        for child in children:
            yield from self._handed_in(child)

    def _in_refusal(self, node: s.Raise) -> Iterator[Handed]:
        """Yield what a ``raise`` reads. An HTTPException goes along where it can become an error of the application."""
        raised = self._raised.get(id(node))
        if raised is None or not self._app.raises.is_http(raised.cls):
            for child in s.children(node):
                yield from self._handed_in(child)
            return
        if not isinstance(raised.cls, Class):
            stop = change_of(self._app, raised)
            if not isinstance(node.exc, s.Call):
                stop = "it was made before"
            if isinstance(stop, str):
                raise InTheWay(node, f"raises an HTTPException that has to stay: {stop}")
        for part in _told(raised):
            yield from self._handed_in(part)

    def value(self, node: s.Node) -> Handed | None:
        """Return a value of the request, the file or the background tasks, as it is handed over."""
        if isinstance(node, s.Call):
            return self._called(node)
        if isinstance(node, s.IfExp):
            return self._client(node)
        if not isinstance(node, s.Attribute):
            return None
        return self._attribute(node)

    def _attribute(self, node: s.Attribute) -> Handed | None:
        written = text(self._module, node)
        kind = self._kind(node.value)
        if kind == "fastapi.Request" and node.attr == "method":
            return Handed(node, "method", written, "str")
        if kind is not None and node.attr in _OF_CREDENTIALS.get(kind, {}):
            return Handed(node, node.attr, written, _OF_CREDENTIALS[kind][node.attr])
        if kind == "fastapi.UploadFile" and node.attr in _OF_UPLOAD:
            return Handed(node, node.attr, written, _OF_UPLOAD[node.attr])
        if kind == "fastapi.UploadFile" and node.attr == "file":
            return Handed(
                node,
                s.last_name(node.value) or "file",
                written,
                "BinaryIO",
                (("typing", "BinaryIO"),),
            )
        if kind == "fastapi.UploadFile" and node.attr == "read":
            needed = (_READ, _CALLABLE)
            name = f"read_{s.last_name(node.value)}"
            return Handed(node, name, written, "Callable[..., Awaitable[bytes]]", needed)
        if kind == "fastapi.BackgroundTasks" and node.attr == "add_task":
            return Handed(node, "add_task", written, "Callable[..., None]", (_CALLABLE,))
        is_path = node.attr == "path" and isinstance(node.value, s.Attribute)
        if is_path and isinstance(node.value, s.Attribute) and node.value.attr == "url":
            if self._kind(node.value.value) == "fastapi.Request":
                return Handed(node, "path", written, "str")
        return None

    def _called(self, node: s.Call) -> Handed | None:
        """``request.headers.get("User-Agent", "")`` and ``str(request.url)``."""
        written, func = text(self._module, node), node.func
        if isinstance(func, s.Name) and func.id == "str" and len(node.args) == 1:
            inner = node.args[0]
            is_url = isinstance(inner, s.Attribute) and inner.attr == "url"
            if is_url and isinstance(inner, s.Attribute):
                if self._kind(inner.value) == "fastapi.Request":
                    return Handed(node, "url", written, "str")
        if not isinstance(func, s.Attribute) or func.attr != "get" or node.keywords:
            return None
        held = func.value
        if not isinstance(held, s.Attribute) or held.attr not in _LOOKED_UP:
            return None
        key = s.string(node.args[0]) if node.args else None
        if self._kind(held.value) != "fastapi.Request" or key is None:
            return None
        default = node.args[1] if len(node.args) > 1 else None
        if default is not None and not isinstance(default, s.Constant):
            return None
        is_text = default is not None and s.string(default) is not None
        return Handed(node, _identifier(key), written, "str" if is_text else "str | None")

    def _client(self, node: s.IfExp) -> Handed | None:
        """``request.client.host if request.client else None``."""
        if not isinstance(node.test, s.Attribute) or node.test.attr != "client":
            return None
        if self._kind(node.test.value) != "fastapi.Request" or not isinstance(
            node.orelse, s.Constant
        ):
            return None
        client = text(self._module, node.test)
        if text(self._module, node.body) != f"{client}.host":
            return None
        kind = "str" if s.string(node.orelse) is not None else "str | None"
        return Handed(node, "client_host", text(self._module, node), kind)

    def _kind(self, node: s.Node) -> str | None:
        """Return the class of an HTTP parameter."""
        if not isinstance(node, s.Name) or node.id not in self._speaking:
            return None
        kind = self._app.types.of(node, self._where)
        return kind.cls if isinstance(kind, Instance) and isinstance(kind.cls, str) else None

    def _named(self, handed: Handed, names: dict[str, Handed]) -> Handed:
        """Return it under a name that means nothing else here; the same value has one name."""
        same = next((each for each in names.values() if each.written == handed.written), None)
        if same is not None:
            return msgspec.structs.replace(handed, name=same.name)
        name = handed.name
        while name in self._taken or name in names:
            name = f"{name}_sent" if name != handed.name else f"sent_{name}"
        named = msgspec.structs.replace(handed, name=name)
        names[name] = named
        return named

    # ------------------------------------------------------------ what is done before

    def _sets_response(self, statement: s.Stmt) -> bool:
        """``response.status_code = 201``: with what is the same at any time."""
        if isinstance(statement, s.Assign):
            target, values = statement.targets[0], [statement.value]
            while isinstance(target, (s.Attribute, s.Subscript)):
                target = target.value
        elif isinstance(statement, s.ExprStmt) and isinstance(statement.value, s.Call):
            target = statement.value.func
            while isinstance(target, s.Attribute):
                target = target.value
            values = [*statement.value.args, *(k.value for k in statement.value.keywords)]
        else:
            return False
        if self._kind(target) is None or not (self._kind(target) or "").startswith(
            "fastapi.responses."
        ):
            return False
        return all(self._is_constant(value) for value in values)

    def _is_constant(self, value: s.Expr) -> bool:
        """Whether an expression is made of constants and of parameters that stay what they are."""
        allowed = (s.Constant, s.JoinedStr, s.Name, s.Attribute, s.UnaryOp, s.Dict)
        parameters = {p.name for p in self._endpoint.parameters} - self._speaking
        kept = parameters - {name for each in self._statements for name in binds(each)}
        if any(isinstance(node, s.Attribute) for node in s.walk(value)):
            kept -= self._handed_on()
        return all(
            isinstance(node, allowed) and (not isinstance(node, s.Name) or node.id in kept)
            for node in s.walk(value)
        )

    def _handed_on(self) -> set[str]:
        """The names that are more than read from (``data.note``): what they stand for may change."""
        nodes = list(s.walk(*self._statements))
        set_ = {id(t) for n in nodes if isinstance(n, s.Assign) for t in n.targets}
        set_ |= {id(n.target) for n in nodes if isinstance(n, (s.AugAssign, s.AnnAssign))}
        read = {id(n.value) for n in nodes if isinstance(n, s.Attribute) and id(n) not in set_} - {
            id(n.func.value)
            for n in nodes
            if isinstance(n, s.Call) and isinstance(n.func, s.Attribute)
        }
        return {n.id for n in nodes if isinstance(n, s.Name) and id(n) not in read}

    def _is_early(self, statement: s.Stmt, middle: list[s.Stmt]) -> bool:
        before = middle[: next(n for n, each in enumerate(middle) if each is statement)]
        if self._sets_response(statement):
            return not any(isinstance(node, s.Return) for node in s.walk_scope(*before))
        if not isinstance(statement, s.Assign) or not self._is_there_before(
            statement.value, middle
        ):
            return False
        target = statement.targets[0]
        if len(statement.targets) != 1 or not isinstance(target, s.Name):
            return False
        others = [each for each in self._statements if each is not statement]
        parameters = {parameter.name for parameter in self._endpoint.parameters}
        return target.id not in parameters and not any(target.id in binds(each) for each in others)

    def _is_there_before(self, value: s.Expr, middle: list[s.Stmt]) -> bool:
        """Whether a value is the same before the business: of the request, or all of a file.

        A file is here when the endpoint is called, and reading it does nothing else; but where the business looks at
        its size before, that is to keep it out of the memory.
        """
        if not isinstance(value, s.Await):
            handed = self.value(value)
            return handed is not None and not handed.type.startswith(("Callable", "BinaryIO"))
        call = value.value
        if not isinstance(call, s.Call) or call.args or call.keywords:
            return False
        read = self.value(call.func)
        found = self._values([each for each in middle if self._hard(each) is None])
        return read is not None and not any(
            each.type in {"int | None", "BinaryIO"}
            or ("headers" in each.written and each.name == "content_length")
            or (each.written == read.written and each.node is not call.func)
            for each in found
        )

    # ------------------------------------------------------------ what shapes the answer

    def _shapes(self, moved: list[s.Stmt]) -> bool:
        """Whether the last statement only makes an answer of one thing that the business found or made."""
        last = moved[-1]
        if len(moved) == 1 or not isinstance(last, s.Return) or last.value is None:
            return False
        if any(isinstance(n, s.Return) for n in s.walk_scope(*moved[:-1])):
            return False
        if not self._is_shape(last.value) or isinstance(last.value, s.Name):
            return False
        made = {name for each in moved[:-1] for name in binds(each)}
        read = {n.id: n for n in s.walk(last.value) if isinstance(n, s.Name) and n.id in made}
        if len(read) > 1:
            return False
        return self._is_mapped(last.value) or all(self._is_row(node) for node in read.values())

    def _is_mapped(self, value: s.Expr) -> bool:
        """``order_out(order)``, ``[order_out(order) for order in orders]``: into a schema, by a function."""
        inner = value.elt if isinstance(value, s.Comp) else value
        return (
            isinstance(inner, s.Call)
            and isinstance(inner.func, s.Name)
            and inner.func.id not in _PLAIN_CALLS
            and len(inner.args) == 1
            and not inner.keywords
            and isinstance(inner.args[0], s.Name)
        )

    def _is_row(self, node: s.Name) -> bool:
        """Whether a name is a row, or a list of rows."""
        kinds = [self._app.types.of(node, self._where)]
        if isinstance(kinds[0], Instance) and kinds[0].args:
            kinds = list(kinds[0].args)
        return all(
            isinstance(each, Instance)
            and isinstance(each.cls, Class)
            and self._app.types.is_table(each.cls)
            for kind in kinds
            for each in alternatives(kind)
        )

    def _is_shape(self, value: s.Expr) -> bool:
        """Whether an expression only reads and puts together."""
        for node in s.walk(value):
            if isinstance(node, (s.Await, s.NamedExpr, s.Lambda, s.Yield)):
                return False
            if isinstance(node, s.Comp) and (node.kind != "list" or len(node.generators) > 1):
                return False
            if isinstance(node, s.Generator) and (node.ifs or not isinstance(node.iter, s.Name)):
                return False
            if isinstance(node, s.Call) and not self._makes_answer(node):
                return False
        return True

    def _makes_answer(self, call: s.Call) -> bool:
        """Whether a call makes a schema, by its class or by a function that asks for nothing."""
        if isinstance(call.func, s.Name) and call.func.id in _PLAIN_CALLS:
            return True
        if isinstance(call.func, s.Attribute) and call.func.attr in {"model_validate", "from_orm"}:
            return True
        called = self._app.types.of(call.func, self._where)
        if isinstance(called, ClassObject) and isinstance(called.cls, Class):
            return self._app.models.schema(called.cls) is not None
        if not isinstance(called, FunctionValue) or called.function.is_async:
            return False
        returned = self._app.types.returned(called.function)
        return (
            not self._app.calls.asks_database(called.function)
            and isinstance(returned, Instance)
            and isinstance(returned.cls, Class)
            and self._app.models.schema(returned.cls) is not None
        )


def _refuses(statement: s.Stmt) -> bool:
    return any(isinstance(node, s.Raise) for node in s.walk_scope(statement))


def _passes_on(handler: s.ExceptHandler) -> bool:
    """``except HTTPException: raise``."""
    last = handler.body[-1]
    return handler.name is None and isinstance(last, s.Raise) and last.exc is None


def _told(raised: Raised) -> Iterator[s.Node]:
    """Yield what an HTTPException is made of, but for its class and status."""
    call = raised.node.exc
    if isinstance(call, s.Call):
        detail = call.argument(1, "detail")
        if isinstance(raised.cls, Class):
            yield from (*call.args, *call.keywords)
        elif detail is not None:
            yield detail
    if raised.node.cause is not None:
        yield raised.node.cause


def _identifier(header: str) -> str:
    words = re.sub(r"\W+", "_", header).strip("_").lower().removeprefix("x_")
    return words if words.isidentifier() else f"sent_{words}"


def always_bound(statements: Collection[s.Stmt]) -> set[str]:
    """Return the names that are bound after statements, whichever way they went through."""
    found: set[str] = set()
    for statement in statements:
        if isinstance(statement, s.If):
            ways = [branch.body for branch in statement.branches] + [statement.orelse]
            through = [always_bound(way) for way in ways if not _ends(way)]
            found |= set.intersection(*through) if through else set()
        elif isinstance(statement, s.With):
            found |= binds(
                s.With(statement.start, statement.end, statement.items, [], statement.is_async)
            )
            found |= always_bound(statement.body)
        elif isinstance(statement, s.Try):
            ways = [[*statement.body, *statement.orelse], *(h.body for h in statement.handlers)]
            through = [always_bound(way) for way in ways if not _ends(way)]
            found |= set.intersection(*through) if through else set()
            found |= always_bound(statement.finalbody)
        elif not isinstance(statement, (s.For, s.While, s.Match)):
            found |= binds(statement)
    return found


def _ends(way: list[s.Stmt]) -> bool:
    return bool(way) and (
        isinstance(way[-1], (s.Raise, s.Return))
        or (isinstance(way[-1], s.Flow) and way[-1].keyword in {"continue", "break"})
    )
