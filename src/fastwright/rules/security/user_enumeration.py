"""A login answers the same for an unknown account and a wrong password.

"No such user" beside "wrong password" tells anybody who asks which addresses have an account: the first
half of every attack with stolen passwords, and for some applications a secret by itself (OWASP API2:2023,
CWE-204). Answer both with the same status and text. A request for a new password answers "if there is such
an account, we have sent a mail", whether there is one or not.

Reported: a route for logging in where an account that is not found and a password that is wrong are
answered with another status or text; and a request for a new password that refuses unknown addresses.
Left alone are routes for people who are logged in already or for administrators, and registration, which
must say that a name is taken. How long an answer takes is another matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fastwright.app.calls import Step
from fastwright.app.model import App
from fastwright.app.raises import Raised
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, alternatives
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_calls, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.security._accounts import LOGIN, class_of
from fastwright.rules.security._staff import is_for_staff

_LOGIN_ROUTE = re.compile(
    r"log_?-?in|sign_?-?in|/token$|authenticate|access-?_?token|/auth$", re.IGNORECASE
)
_NEW_PASSWORD = re.compile(
    r"forgot|recover|lost[-_]?password|(request|send|start)[-_]?(password[-_]?)?reset"
    r"|reset[-_]?password[-_]?(request|mail)|password[-_]?reset[-_]?request",
    re.IGNORECASE,
)
_USER = re.compile(
    r"(db_|existing_|found_|current_)?(user|account|member|customer|person|employee|student|owner)"
    r"(_db|_in_db|_obj|_row|_record|_data|_info)?",
    re.IGNORECASE,
)
_USER_CLASS = re.compile(r"user|account|member|customer|person|employee|student", re.IGNORECASE)
_VERIFIES = re.compile(
    r"(verify|check|compare|validate|match|authenticate|test|is_valid|is_correct)\w*"
    r"(password|passwd|pwd|hash|credential)|password\w*(matches|valid|correct)|checkpw|check_password"
    r"|^verify$|^verify_and_update$|compare_digest",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"passw|pwd|passphrase", re.IGNORECASE)
_SECRET = re.compile(r"token|code|otp|key|signature", re.IGNORECASE)
_FINDS = re.compile(
    r"(get|find|fetch|load|read)_?(user|account|member|customer)|by_(email|user_?name)"
)
_DEEP = 4


class Answer(msgspec.Struct, frozen=True, eq=False):
    """What a branch answers: where, how it was reached, and what a client sees of it."""

    step: Step
    node: s.Node
    seen: tuple[object, ...]
    text: str


def check(app: App) -> Iterator[Hit]:
    """Report logins and requests for a new password that say whether an account exists."""
    seen: set[int] = set()
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or route.kind != "http" or id(endpoint.node) in seen:
            continue
        labels = (route.path, endpoint.name)
        new_password = any(_NEW_PASSWORD.search(label) for label in labels)
        if not new_password and not any(_LOGIN_ROUTE.search(label) for label in labels):
            continue
        if route.authentication is not None or is_for_staff(route):
            continue
        seen.add(id(endpoint.node))
        if new_password:
            yield from _of_request(app, route, endpoint)
        elif "POST" in route.methods:
            yield from _of_login(app, route, endpoint)


def _of_login(app: App, route: Route, endpoint: Function) -> Iterator[Hit]:
    unknown, wrong = _answers(app, endpoint)
    for first in unknown:
        for second in wrong:
            if first.seen != second.seen and first.node is not second.node:
                message = (
                    f"{route.label} answers {first.text} for an unknown account and {second.text}"
                    " for a wrong password: it tells who has one"
                )
                yield _hit(route, first, message, second)
                return


def _of_request(app: App, route: Route, endpoint: Function) -> Iterator[Hit]:
    names = list(_fields(app, route))
    if not any(LOGIN.fullmatch(name) for name in names):
        return
    if any(_SECRET.search(name) or _PASSWORD.search(name) for name in names):
        return  # the second step: a token says who it is
    unknown, _ = _answers(app, endpoint)
    for answer in unknown:
        if isinstance(answer.node, s.Raise):
            message = (
                f"{route.label} answers {answer.text} for an unknown account: it tells who has one"
            )
            yield _hit(route, answer, message, None)
            return


def _fields(app: App, route: Route) -> Iterator[str]:
    """Yield what a client sends: parameters, and the fields of bodies."""
    for parameter in route.parameters:
        cls = class_of(parameter.type)
        schema = app.models.schema(cls) if cls is not None else None
        if schema is not None:
            yield from schema.fields
        elif parameter.kind in {"path", "query", "form", "body"}:
            yield parameter.name


def _hit(route: Route, answer: Answer, message: str, other: Answer | None) -> Hit:
    module = answer.step.function.module
    chain = [
        *of_route(route),
        *of_calls(answer.step.chain),
        evidence(module, answer.node, "no such account"),
    ]
    if other is not None:
        chain.append(evidence(other.step.function.module, other.node, "wrong password"))
    return Hit(place(module, answer.node), message, tuple(chain))


# --------------------------------------------------------------------- answers


def _answers(app: App, endpoint: Function) -> tuple[list[Answer], list[Answer]]:
    """Return what is answered for an unknown account, and for a wrong password."""
    unknown: list[Answer] = []
    wrong: list[Answer] = []
    for step in app.calls.reach([endpoint]):
        chain = step.chain
        if len(chain) > _DEEP or any(site.around.tries or site.around.handled for site in chain):
            continue
        for node, around in app.calls.of_kind(step.function, s.If):
            if around.handled or _is_caught(around.tries):
                continue
            for branch in node.branches:
                checks = _is_wrong(app, step.function, branch.test)
                misses = _is_missing(app, step.function, branch.test)
                answer = _answer(app, step, branch) if checks != misses else None
                if answer is not None:
                    (wrong if checks else unknown).append(answer)
    return unknown, wrong


def _is_caught(tries: tuple[s.Try, ...]) -> bool:
    """Whether a handler may give another answer: it catches HTTPException or everything, and answers."""
    return any(
        handler.type is None or s.last_name(handler.type) in {"HTTPException", "Exception"}
        for tried in tries
        for handler in tried.handlers
        if not _raises_first(tried, handler)
    )


def _raises_first(tried: s.Try, handler: s.ExceptHandler) -> bool:
    """``except HTTPException: raise`` before ``except Exception``."""
    for earlier in tried.handlers:
        bare = len(earlier.body) == 1 and isinstance(earlier.body[0], s.Raise)
        if bare and getattr(earlier.body[0], "exc", None) is None:
            return True
        if earlier is handler:
            return False
    return False


def _is_missing(app: App, function: Function, test: s.Expr) -> bool:
    """``if not user``, ``if user is None``."""
    if isinstance(test, s.UnaryOp) and test.op == "not":
        return _is_user(app, function, test.operand)
    if isinstance(test, s.Compare) and test.ops[0] in {"is", "=="}:
        right = test.comparators[0]
        return (
            isinstance(right, s.Constant)
            and right.kind == "none"
            and _is_user(app, function, test.left)
        )
    return False


def _is_user(app: App, function: Function, node: s.Expr) -> bool:
    if isinstance(node, s.NamedExpr):
        node = node.target
    if not isinstance(node, s.Name) or _is_checked(app, function, node):
        return False
    if _FINDS.search(function.name):
        return True
    for option in alternatives(app.types.of(node, Where(function.module, function))):
        if isinstance(option, Instance) and not isinstance(option.cls, str):
            return bool(_USER_CLASS.search(option.cls.name))
    return bool(_USER.fullmatch(node.id))


def _is_checked(app: App, function: Function, node: s.Name) -> bool:
    """``user = authenticate(name, password)``: nothing is there for a wrong password as well."""
    bound = app.types.locals.lookup(node.id, node.start, function)
    if bound is None or bound.value is None or bound.how == "parameter":
        return True
    return any(
        isinstance(inner, (s.Name, s.Attribute))
        and bool(_PASSWORD.search(s.last_name(inner) or ""))
        for inner in s.walk(bound.value)
    ) or any(
        isinstance(inner, s.Call)
        and bool(re.search(r"authenticat|log_?in|token|decode|code", s.last_name(inner) or ""))
        for inner in s.walk(bound.value)
    )


def _is_wrong(app: App, function: Function, test: s.Expr) -> bool:
    """Whether a condition says that the password is wrong, and nothing else."""
    if isinstance(test, s.Compare) and test.ops[0] in {"!=", "is not"}:
        return any(
            isinstance(side, s.Attribute) and bool(_PASSWORD.search(side.attr))
            for side in (test.left, *test.comparators)
        )
    if not isinstance(test, s.UnaryOp) or test.op != "not":
        return False
    tested: s.Expr | None = test.operand
    if isinstance(tested, s.Name):
        bound = app.types.locals.lookup(tested.id, tested.start, function)
        tested = bound.value if bound is not None and not bound.path else None
    if isinstance(tested, s.Await):
        tested = tested.value
    return (
        isinstance(tested, s.Call)
        and bool(_VERIFIES.search(s.last_name(tested.func) or ""))
        and any(
            isinstance(node, (s.Name, s.Attribute))
            and bool(_PASSWORD.search(s.last_name(node) or ""))
            for node in s.walk(tested)
        )
    )


def _answer(app: App, step: Step, branch: s.Branch) -> Answer | None:
    """Return what a branch answers, if that is an answer over HTTP that can be read."""
    for node in branch.body:
        if isinstance(node, s.Raise):
            for raised in app.raises.of(step.function):
                if raised.node is node and node.exc is not None and _is_answered(app, raised):
                    return _read(step, node, node.exc, raised.status)
            return None
        if isinstance(node, s.Return):
            if step.site is not None or node.value is None:
                return None
            return _read(step, node, node.value, None)
    return None


def _is_answered(app: App, raised: Raised) -> bool:
    """Whether a client sees the status and text of an exception: HTTPException, or one with a handler."""
    if app.raises.is_http(raised.cls):
        return True
    if raised.status is None or not isinstance(raised.cls, Class):
        return False
    return any(
        class_of(app.types.of(_expr(handler.exception.node), where)) is raised.cls
        for application in app.applications
        for handler in application.exception_handlers
        for where in (Where(handler.exception.module, handler.exception.function),)
    )


def _expr(node: s.Node) -> s.Expr:
    return node  # type: ignore[return-value]


def _read(step: Step, node: s.Node, given: s.Expr, status: int | None) -> Answer | None:
    if not isinstance(given, (s.Call, s.Dict)):
        return None
    inner = [*given.args, *given.keywords] if isinstance(given, s.Call) else [given]
    seen = tuple(
        leaf
        for part in inner
        if not (isinstance(part, s.Keyword) and part.arg == "headers")
        for leaf in _leaves(part)
    )
    if not seen:
        return None
    texts = [text for text in seen if isinstance(text, str) and " " in text]
    words = [str(status)] if status is not None else []
    words += [f'"{text}"' for text in texts[:1]]
    if not words:
        words = [str(seen[-1])]
    return Answer(step, node, (status, *(leaf for leaf in seen if leaf != status)), " ".join(words))


def _leaves(node: s.Node) -> Iterator[object]:
    """Yield the constants and names of an answer; those of its status are read on their own."""
    if isinstance(node, s.Keyword):
        if node.arg != "status_code":
            yield from _leaves(node.value)
    elif isinstance(node, s.Constant):
        yield node.value
    elif isinstance(node, (s.Name, s.Attribute)):
        name = s.dotted(node)
        if name is not None and "HTTP_" not in name:
            yield name
    elif not isinstance(node, s.FunctionDef):
        for child in s.children(node):
            yield from _leaves(child)


RULE = Rule(
    summary="an answer tells whether an account exists",
    severity="warning",
    confidence="medium",
    mend="Answer both with `401 Incorrect username or password`, and requests for a new password with the"
    " same sentence whether the account exists or not.",
    app=check,
    references=(
        "https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html#authentication-and-error-messages",
        "https://owasp.org/API-Security/editions/2023/en/0xa2-broken-authentication/",
        "CWE-204",
    ),
)

_HEAD = """
from fastapi import Depends, FastAPI, HTTPException, Request, status
from fastapi.responses import JSONResponse
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel

class User(BaseModel):
    email: str
    hashed: str
    is_active: bool

class Credentials(BaseModel):
    email: str
    password: str

def find(email: str) -> User | None: ...
def verify_password(plain: str, hashed: str) -> bool: ...
def token_for(user: User) -> str: ...
def send_mail(user: User) -> None: ...

app = FastAPI()
"""

CASES = (
    case(
        "other texts, another status, in a service, dictionaries, a new password",
        _HEAD
        + """
@app.post("/login")
def login(data: Credentials) -> str:
    user = find(data.email)
    if not user:
        raise HTTPException(400, "There is no such user")  # <-
    if not verify_password(data.password, user.hashed):
        raise HTTPException(400, "The password is wrong")
    return token_for(user)

class Accounts:
    def authenticate(self, email: str, password: str) -> User:
        user = find(email)
        if user is None:
            raise HTTPException(status_code=404, detail="Invalid login")  # <-
        matches = verify_password(password, user.hashed)
        if not matches:
            raise HTTPException(status_code=401, detail="Invalid login")
        return user

@app.post("/token")
def token(form: OAuth2PasswordRequestForm = Depends()) -> str:
    return token_for(Accounts().authenticate(form.username, form.password))

class Refused(Exception):
    def __init__(self, message: str, status_code: int) -> None:
        self.message = message
        self.status_code = status_code

@app.exception_handler(Refused)
def answer(request: Request, refused: Refused) -> JSONResponse:
    return JSONResponse({"detail": refused.message}, status_code=refused.status_code)

class Users:
    def get_by_email(self, email: str) -> User:
        row = find(email)
        if not row:
            raise Refused("User not found", status_code=404)  # <-
        return row

@app.post("/v2/login")
def login2(data: Credentials) -> str:
    user = Users().get_by_email(data.email)
    if not verify_password(data.password, user.hashed):
        raise Refused("Incorrect email or password", status_code=401)
    return token_for(user)

@app.post("/signin")
def sign_in(data: Credentials) -> dict:
    account = find(data.email)
    if account is None:
        return {"error": "unknown e-mail"}  # <-
    if data.password != account.hashed_password:
        return {"error": "wrong password"}
    return {"token": token_for(account)}

@app.post("/forgot-password")
def forgot(email: str) -> str:
    user = find(email)
    if not user:
        raise HTTPException(404, "This e-mail is not registered")  # <-
    send_mail(user)
    return "sent"
""",
    ),
    case(
        "the same answer, one condition, an answer after the password was right",
        _HEAD
        + """
def refused() -> HTTPException:
    return HTTPException(401, "Incorrect e-mail or password")

@app.post("/login")
def login(data: Credentials) -> str:
    user = find(data.email)
    if not user:
        raise HTTPException(status_code=401, detail="Incorrect e-mail or password")
    if not verify_password(data.password, user.hashed):
        raise HTTPException(401, "Incorrect e-mail or password", headers={"WWW-Authenticate": "Bearer"})
    if not user.is_active:
        raise HTTPException(403, "This account is locked")
    return token_for(user)

@app.post("/token")
def token(data: Credentials) -> str:
    user = find(data.email)
    if not user or not verify_password(data.password, user.hashed):
        raise HTTPException(401, "Incorrect e-mail or password")
    return token_for(user)

@app.post("/forgot-password")
def forgot(email: str) -> str:
    user = find(email)
    if user:
        send_mail(user)
    return "if there is such an account, we have sent a mail"
""",
    ),
    Case(
        "who is logged in may know, registration must say it, and a token says who it is",
        {
            "main.py": _HEAD
            + """
from fastapi import Header

def current(authorization: str = Header()) -> User:
    if not authorization:
        raise HTTPException(401)
    return User(email=authorization, hashed="", is_active=True)

@app.post("/login/again")
def again(data: Credentials, user: User = Depends(current)) -> None:
    user = find(data.email)
    if not user:
        raise HTTPException(404, "no such user")
    if not verify_password(data.password, user.hashed):
        raise HTTPException(401, "wrong password")

@app.post("/register")
def register(data: Credentials) -> None:
    if find(data.email):
        raise HTTPException(409, "This e-mail has an account")

@app.post("/recover/finish")
def finish(token: str, email: str) -> None:
    user = find(email)
    if not user:
        raise HTTPException(404, "no such user")
""",
        },
    ),
)
