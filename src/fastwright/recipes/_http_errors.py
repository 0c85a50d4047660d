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
    423: ("LockedError", "Somebody else is at it."),
    424: ("DependencyFailedError", "What it depends on failed."),
    429: ("TooManyRequestsError", "It was asked for too often."),
    500: ("InternalError", "Something went wrong inside."),
    501: ("NotImplementedYetError", "This is not there yet."),
    502: ("UpstreamError", "A service behind this one gave a wrong answer."),
    503: ("UnavailableError", "It cannot be done at the moment."),
    504: ("UpstreamTimeoutError", "A service behind this one did not answer."),
}
"""Status -> the class that stands for it, and its docstring."""


class Change(msgspec.Struct, frozen=True, eq=False):
    """A raise that becomes one of a class of the application."""

    raised: Raised
    status: int
    detail: str
    """The argument, as it is written."""


def change_of(raised: Raised) -> Change | str:
    """Return what a raise becomes, or why it stays."""
    call = raised.node.exc
    if raised.cls != HTTP_EXCEPTION or not isinstance(call, s.Call):
        return "raises a subclass of HTTPException, or one that was made before"
    if raised.status is None or raised.status not in CLASSES:
        return "the status is not written out, or has no name in the application's words"
    named = {keyword.arg for keyword in call.keywords}
    if len(call.args) > len(("status", "detail")) or not named <= {"status_code", "detail"}:
        return "has headers, or arguments that are not read"
    detail = call.argument(1, "detail")
    if detail is not None:
        return Change(raised, raised.status, text(raised.function.module, detail))
    return Change(raised, raised.status, f'"{HTTPStatus(raised.status).phrase}"')
