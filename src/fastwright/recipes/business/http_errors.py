"""Which `HTTPException` can become an error of the application, and which error that is."""

from __future__ import annotations

import re
from http import HTTPStatus

import msgspec

from fastwright.app.model import App
from fastwright.app.raises import HTTP_EXCEPTION, Raised
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.edit.source import text
from fastwright.read import syntax as s

CLASSES = {
    400: ("InvalidRequestError", "What was asked for makes no sense."),
    401: ("NotAuthenticatedError", "It is not known who asks."),
    402: ("PaymentRequiredError", "It has to be paid for first."),
    403: ("PermissionDeniedError", "Whoever asks may not do this."),
    404: ("NotFoundError", "There is no such thing."),
    405: ("NotAllowedError", "This cannot be done here."),
    409: ("ConflictError", "It contradicts what is there."),
    410: ("GoneError", "It is not there any more."),
    412: ("PreconditionFailedError", "It is not as it was expected to be."),
    413: ("TooLargeError", "It is larger than what is taken."),
    414: ("AddressTooLongError", "The address is longer than what is taken."),
    415: ("UnsupportedTypeError", "It is of a kind that is not taken."),
    416: ("OutOfRangeError", "There is no such part of it."),
    422: ("InvalidValueError", "A value is not what it has to be."),
    423: ("LockedError", "It is locked."),
    424: ("DependencyFailedError", "What it depends on failed."),
    429: ("TooManyRequestsError", "It was asked for too often."),
    500: ("InternalError", "Something went wrong inside."),
    501: ("NotImplementedYetError", "This is not there yet."),
    502: ("UpstreamError", "A service behind this one gave a wrong answer."),
    503: ("UnavailableError", "It cannot be done at the moment."),
    504: ("UpstreamTimeoutError", "A service behind this one did not answer."),
}
"""Status -> the class that stands for it, and its docstring."""
_STATUSES = frozenset(status.value for status in HTTPStatus if status.value >= 400)
_RENAMED = frozenset({413, 414, 416, 422})
"""Those whose phrase is another one since Python 3.13."""
_ARGUMENTS = ("status_code", "detail", "headers")


def class_of(status: int) -> tuple[str, str]:
    """Return the class that stands for a status, and its docstring."""
    phrase = HTTPStatus(status).phrase
    named = "".join(word.capitalize() for word in re.findall(r"[A-Za-z]+", phrase))
    return CLASSES.get(status) or (f"{named}Error", f"{phrase}.")


class Answer(msgspec.Struct, frozen=True):
    """What an `HTTPException` answers."""

    status: int
    detail: str
    """The argument, as it is written."""
    headers: str | None = None
    """The headers, as they are written: constants."""


class Change(msgspec.Struct, frozen=True, eq=False):
    """A raise that becomes one of a class of the application."""

    raised: Raised
    call: s.Call
    """``HTTPException(...)``: what is raised, or what it was bound to."""
    answer: Answer

    @property
    def name(self) -> str:
        """The class."""
        return class_of(self.answer.status)[0]


def change_of(app: App, raised: Raised) -> Change | str:
    """Return what a raise becomes, or why it stays."""
    call = _made(app, raised)
    if raised.cls != HTTP_EXCEPTION or call is None:
        return "raises an HTTPException that was made elsewhere"
    answer = answer_of(app, call, raised.status, Where(raised.function.module, raised.function))
    return answer if isinstance(answer, str) else Change(raised, call, answer)


def answer_of(app: App, call: s.Call, status: int | None, where: Where) -> Answer | str:
    """Return what the arguments of `HTTPException` answer, or why they are not read."""
    if status is None or status not in _STATUSES:
        return "the status is not written out"
    named = {keyword.arg for keyword in call.keywords}
    starred = any(isinstance(argument, s.Starred) for argument in call.args)
    if starred or len(call.args) > len(_ARGUMENTS) or not named <= set(_ARGUMENTS):
        return "has arguments that are not read"
    headers, detail = call.argument(2, "headers"), call.argument(1, "detail")
    written = None if _is_none(headers) else _constant(headers)
    if not _is_none(headers) and written is None:
        return "has headers that are not written out"
    if detail is None or _is_none(detail):
        if status in _RENAMED:
            return "what it says without a detail depends on the version of Python"
        return Answer(status, f'"{HTTPStatus(status).phrase}"', written)
    if _may_be_none(app, detail, where.function):
        return "the detail may be None, which HTTPException replaces"
    return Answer(status, text(where.module, detail), written)


def _may_be_none(app: App, detail: s.Expr, function: Function | None) -> bool:
    """Whether what is written near a detail says that there may be none."""
    if isinstance(detail, s.IfExp):
        return _is_none(detail.body) or _is_none(detail.orelse)
    if not isinstance(detail, s.Name) or function is None:
        return False
    for bound in app.types.locals.of(function).get(detail.id, []):
        given = bound.parameter
        note = given.annotation if given is not None else bound.annotation
        value = given.default if given is not None else bound.value
        noted = list(s.walk(note)) if note is not None else []
        if any(_is_none(each) or s.last_name(each) == "Optional" for each in noted):
            return True
        if value is not None and _is_none(value):
            return True
    return False


def _is_none(node: s.Node | None) -> bool:
    return node is None or (isinstance(node, s.Constant) and node.kind == "none")


def _made(app: App, raised: Raised) -> s.Call | None:
    """Return the call that makes what is raised, where its function makes it, for nothing but raising."""
    given, function = raised.node.exc, raised.function
    if not isinstance(given, s.Name):
        return given if isinstance(given, s.Call) else None
    bound = app.types.locals.of(function).get(given.id, [])
    named = [n for n in s.walk(*function.node.body) if isinstance(n, s.Name) and n.id == given.id]
    if len(bound) != 1 or len(named) != len(thrown(function, given.id)) + 1:
        return None
    made = bound[0].value
    return made if bound[0].how == "assign" and isinstance(made, s.Call) else None


def thrown(function: Function, name: str) -> list[s.Raise]:
    """Return the statements of a function that raise what a name stands for."""
    return [
        node
        for node in s.walk(*function.node.body)
        if isinstance(node, s.Raise) and isinstance(node.exc, s.Name) and node.exc.id == name
    ]


def _constant(headers: s.Expr | None) -> str | None:
    """Return headers as they are written, where they are the same whenever they are made."""
    if not isinstance(headers, s.Dict):
        return None
    parts = [*headers.keys, *headers.values]
    if any(s.string(part) is None for part in parts):
        return None
    pairs = zip(headers.keys, headers.values, strict=True)
    return ", ".join(
        f"{_quoted(s.string(key))}: {_quoted(s.string(value))}" for key, value in pairs
    )


def _quoted(value: str | None) -> str:
    return f'"{value}"' if value is not None and '"' not in value else repr(value)
