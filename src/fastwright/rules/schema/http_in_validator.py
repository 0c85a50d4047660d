"""A validator says what is wrong with a value: it raises `ValueError`.

Pydantic collects `ValueError` and `AssertionError` of all fields, and FastAPI answers them in one 422
that names each field. An `HTTPException` flies through Pydantic: the client learns of one error, without
the field it belongs to, and in another form than all others. Where the model is made elsewhere, in a job,
a test, or for the answer, an HTTP error comes out of code that serves no request, and a mistake of the
server is answered as one of the client.

Reported is an `HTTPException`, a subclass of it, or an exception of the house that carries an HTTP status,
which a validator or `model_post_init` raises itself, or which comes out of a function that it calls, at most three calls away. What
is caught on the way is left alone, and so are exceptions without a status and those that are a
`ValueError` as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import Step
from fastwright.app.model import App
from fastwright.app.raises import Raised
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class
from fastwright.rules.evidence import evidence, name_place, of_step, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._validators import Validator, near, validators

_NEAR = 3
_COLLECTED = ("builtins.ValueError", "builtins.AssertionError")


def check(app: App) -> Iterator[Hit]:
    """Report each validator that an HTTP error comes out of."""
    known = validators(app)
    reached = app.calls.reach([validator.function for validator in known.values()], near(_NEAR))
    raising = {
        id(step.function.node)
        for step in reached
        if any(_is_http(app, raised) for raised in app.raises.of(step.function))
    }
    if not raising:
        return
    for validator in known.values():
        for step in app.calls.reach([validator.function], near(_NEAR)):
            raised = _escaping(app, step) if id(step.function.node) in raising else None
            if raised is not None:
                yield _hit(validator, step, raised)
                break


def _hit(validator: Validator, step: Step, raised: Raised) -> Hit:
    function, cls = validator.function, validator.cls
    chain = (
        Evidence(name_place(function), f"validates {cls.name}"),
        *of_step(step),
        evidence(step.function.module, raised.node, f"raises {raised.name}"),
    )
    message = (
        f"the validator {function.name} of {cls.name} raises {raised.name}:"
        " Pydantic does not collect it, raise ValueError"
    )
    first = step.chain[0].node if step.chain else raised.node
    return Hit(place(function.module, first), message, chain)


def _escaping(app: App, step: Step) -> Raised | None:
    """Return the first HTTP error of a function that nothing catches on the way to the validator."""
    for raised in app.raises.of(step.function):
        if _is_http(app, raised) and not _is_caught(app, raised, step):
            return raised
    return None


def _is_http(app: App, raised: Raised) -> bool:
    """Whether an exception is an HTTPException, or one of the house that carries a status."""
    if app.raises.is_http(raised.cls):
        return True
    return (
        raised.status is not None
        and isinstance(raised.cls, Class)
        and not any(app.raises.is_a(raised.cls, name) for name in _COLLECTED)
    )


def _is_caught(app: App, raised: Raised, step: Step) -> bool:
    """Whether the exception is caught where it is raised, or on the way back to the validator."""
    if app.raises.caught(
        raised.cls, raised.around.tries, Where(raised.function.module, raised.function)
    ):
        return True
    return any(
        app.raises.caught(raised.cls, site.around.tries, Where(site.module, site.caller))
        for site in step.chain
    )


RULE = Rule(
    summary="a validator that raises HTTPException",
    severity="warning",
    mend="Raise `ValueError` with the message; what needs another status than 422 belongs into the"
    " endpoint or a dependency.",
    profiles=("architecture",),
    app=check,
    references=(
        "https://docs.pydantic.dev/latest/concepts/validators/#raising-validation-errors",
        "https://fastapi.tiangolo.com/tutorial/handling-errors/",
    ),
)

CASES = (
    case(
        "in a field validator, a model validator, and given in an annotation",
        """
        from typing import Annotated
        from fastapi import FastAPI, HTTPException, status
        from pydantic import AfterValidator, BaseModel, field_validator, model_validator

        app = FastAPI()

        class Conflict(HTTPException):
            def __init__(self) -> None:
                super().__init__(status_code=409)

        def short(value: str) -> str:
            if len(value) > 10:
                raise HTTPException(400, "too long")  # <-
            return value

        class UserIn(BaseModel):
            name: Annotated[str, AfterValidator(short)]
            password: str
            again: str

            @field_validator("password")
            @classmethod
            def strong(cls, value: str) -> str:
                if len(value) < 8:
                    raise HTTPException(status_code=status.HTTP_400_BAD_REQUEST)  # <-
                return value

            @model_validator(mode="after")
            def same(self):
                if self.password != self.again:
                    raise Conflict()  # <-
                return self

        @app.post("/users")
        def create(user: UserIn) -> None: ...
        """,
    ),
    Case(
        "in a function that a validator calls",
        {
            "app/checks.py": """
                from fastapi import HTTPException

                def check_phone(value: str) -> str:
                    if not value.startswith("+"):
                        raise HTTPException(422, "no country")
                    return value
                """,
            "app/main.py": """
                from fastapi import FastAPI
                from pydantic import BaseModel, field_validator, validator
                from app.checks import check_phone

                app = FastAPI()

                class Contact(BaseModel):
                    phone: str
                    mobile: str

                    @field_validator("phone")
                    def phone_number(cls, value):
                        return check_phone(value)  # <-

                    @validator("mobile")
                    def lenient(cls, value):
                        try:
                            return check_phone(value)
                        except Exception:
                            return ""

                @app.post("/contacts")
                def create(contact: Contact) -> None: ...
                """,
        },
    ),
    case(
        "ValueError; HTTPException in a method that validates nothing, in an endpoint",
        """
        from fastapi import FastAPI, HTTPException
        from pydantic import BaseModel, field_validator

        app = FastAPI()

        class Order(BaseModel):
            number: int

            @field_validator("number")
            @classmethod
            def positive(cls, value: int) -> int:
                if value < 1:
                    raise ValueError("must be positive")
                return value

            def check_owner(self, user: str) -> None:
                if not user:
                    raise HTTPException(403)

        @app.post("/orders")
        def create(order: Order) -> None:
            order.check_owner("")
            raise HTTPException(409)
        """,
    ),
    case(
        "exceptions of the house: with a status, without one, a ValueError with one",
        """
        from fastapi import FastAPI
        from pydantic import BaseModel, field_validator

        app = FastAPI()

        class ApiError(Exception):
            status_code = 500

        class Refused(ApiError):
            status_code = 403

        class NotAllowed(ValueError):
            status_code = 422

        class Broken(RuntimeError): ...

        class Order(BaseModel):
            number: int

            @field_validator("number")
            @classmethod
            def positive(cls, value: int) -> int:
                if value < 1:
                    raise NotAllowed
                if value > 99:
                    raise Broken
                if value > 9:
                    raise Refused()  # <-
                return value
        """,
    ),
)
