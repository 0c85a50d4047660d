"""Which `HTTPException` can become an error of the application, and which error that is."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from fastwright.app.raises import HTTP_EXCEPTION, Raised
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
    415: ("UnsupportedTypeError", "It is of a kind that is not taken."),
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
_ARGUMENTS = ("status_code", "detail", "headers")


class Change(msgspec.Struct, frozen=True, eq=False):
    """A raise that becomes one of a class of the application."""

    raised: Raised
    status: int
    detail: str
    """The argument, as it is written."""
    headers: str | None = None
    """The headers of the answer, as they are written: constants."""

    @property
    def name(self) -> str:
        """The class."""
        return CLASSES[self.status][0]


def change_of(raised: Raised) -> Change | str:
    """Return what a raise becomes, or why it stays."""
    call = raised.node.exc
    if raised.cls != HTTP_EXCEPTION or not isinstance(call, s.Call):
        return "raises a subclass of HTTPException, or one that was made before"
    if raised.status is None or raised.status not in CLASSES:
        return "the status is not written out, or has no name in the application's words"
    named = {keyword.arg for keyword in call.keywords}
    if len(call.args) > len(_ARGUMENTS) or not named <= {"status_code", *_ARGUMENTS[1:]}:
        return "has arguments that are not read"
    module, headers = raised.function.module, call.argument(2, "headers")
    written = _constant(headers) if headers is not None else None
    if headers is not None and written is None:
        return "has headers that are not written out"
    detail = call.argument(1, "detail")
    told = text(module, detail) if detail is not None else f'"{HTTPStatus(raised.status).phrase}"'
    return Change(raised, raised.status, told, written)


def _constant(headers: s.Expr) -> str | None:
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
