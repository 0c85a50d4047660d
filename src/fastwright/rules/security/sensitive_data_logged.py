"""Passwords, tokens and keys stay out of logs.

Logs are copied, kept for years and read by people and services that may read nothing else. A password or
token in them is given away (CWE-532, OWASP API8:2023), and taking it back means to rotate it and to search
every copy. Log who it was (`user.id`), not what proved it.

Reported, in what requests reach: text named like a credential (`password`, `access_token`, `api_key`,
`request.headers["authorization"]`) that is given to a logger or `print` as it is; all headers or cookies
of a request; and a body whose schema has a password, as its text shows the value.

Left alone are parts and facts of a secret (`token[:4]`, `len(token)`, `bool(token)`, `key is None`), what
goes through a function (it may mask it), `SecretStr`, fields with `repr=False`, schemas with a `__repr__`
of their own, and names that hold no secret (`token_count`, `api_key_id`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import UNKNOWN, Instance, NoneType, Type, alternatives
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_entry, of_step, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_LEVELS = frozenset(
    {"critical", "debug", "error", "exception", "fatal", "info", "log", "trace", "warn", "warning",
     "success"}
)  # fmt: skip
_LOGGER = re.compile(r"(^|_)(log|logger|logging|LOG|LOGGER)$")
_CREDENTIAL = re.compile(
    r"(.*_)?(password|passwd|passphrase|api_?key|client_secret|secret_key|private_key|secret_access_key"
    r"|(access|refresh|id|auth|bearer|reset|session|verification|jwt|csrf|invite|login)_?token"
    r"|authorization(_header)?|auth_header|jwt|otp|otp_code|totp_secret)",
    re.IGNORECASE,
)
_NO_CREDENTIAL = re.compile(
    r"^(has|is|needs|use|uses|require|requires|missing|no|num|n|count|max|min|hashed|masked|redacted"
    r"|encrypted|public|invalid|safe)_|.*(hash|hashed|masked|redacted)_",
    re.IGNORECASE,
)
_IN_SCHEMA = re.compile(
    r"((new|old|current|plain|confirm|user)_)?(password|passwd|passphrase)(_?[12]|_confirm(ation)?)?"
    r"|client_secret|secret_key|private_key|(access|refresh)_token"
)
_REQUESTS = frozenset({"fastapi.Request", "fastapi.requests.HTTPConnection",
                       "fastapi.websockets.WebSocket"})  # fmt: skip
_HIDING = re.compile(
    r"mask|redact|obfuscat|censor|trunc|short|hash|encrypt|scrub|sanit|clean|safe|encode"
)
_NOT_SERVED = re.compile(r"(^|[._])(mock|console|fake|dummy|stub|local|dev)", re.IGNORECASE)
"""Stand-ins for a mail server and the like, which print what they are there to show."""
_DUMPS = frozenset({"dict", "json", "model_dump", "model_dump_json"})
_SHOWS = frozenset({"str", "repr", "dict", "dumps"})
_TEXTS = frozenset({"builtins.str", "builtins.bytes", "builtins.dict"})


def check(app: App) -> Iterator[Hit]:
    """Report secrets that a logger or ``print`` is given."""
    running = served(app)
    words = _LEVELS | {"print"}
    for step in running.reached:
        if words.isdisjoint(step.function.node.called) or _NOT_SERVED.search(_home(step.function)):
            continue
        for site in app.calls.sites(step.function):
            if not _is_log(site):
                continue
            for given in (*site.node.args, *(keyword.value for keyword in site.node.keywords)):
                found = next(_secrets(app, given, step.function), None)
                if found is None:
                    continue
                node, what = found
                chain = (
                    *of_entry(running.entry(step.root)),
                    *of_step(step),
                    evidence(site.module, node, what),
                )
                yield Hit(place(site.module, node), f"{what} goes to the log in clear", chain)
                break


def _home(function: Function) -> str:
    """Return the last name of the module and the name of the class that a function is in."""
    owner = function.owner.name if function.owner is not None else ""
    return f"{function.module.name.rpartition('.')[2]}.{owner}"


def _is_log(site: CallSite) -> bool:
    if site.external == "builtins.print":
        return True
    if site.method not in _LEVELS or not isinstance(site.node.func, s.Attribute):
        return False
    if site.external is not None and site.external.startswith(("logging.", "loguru.")):
        return True
    return bool(_LOGGER.search(s.last_name(site.node.func.value) or ""))


def _secrets(app: App, node: s.Expr, function: Function) -> Iterator[tuple[s.Expr, str]]:
    """Yield the secrets that a text shows as they are."""
    if isinstance(node, s.JoinedStr):
        for value in node.values:
            yield from _secrets(app, value, function)
    elif isinstance(node, s.BinOp) and node.op in {"+", "%"}:
        yield from _secrets(app, node.left, function)
        yield from _secrets(app, node.right, function)
    elif isinstance(node, (s.Tuple, s.List)):
        for element in node.elts:
            yield from _secrets(app, element, function)
    elif isinstance(node, s.Dict):
        for value in node.values:
            yield from _secrets(app, value, function)
    elif isinstance(node, (s.BoolOp, s.Await)):
        return
    elif isinstance(node, s.Call):
        yield from _of_call(app, node, function)
    else:
        what = _secret(app, node, function)
        if what is not None:
            yield node, what


def _of_call(app: App, node: s.Call, function: Function) -> Iterator[tuple[s.Expr, str]]:
    """``"...".format(token)``, ``str(body)``, ``body.model_dump()``, ``headers.get("authorization")``."""
    name = s.last_name(node.func)
    base = node.func.value if isinstance(node.func, s.Attribute) else None
    if name == "format" and isinstance(base, s.Constant):
        for value in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from _secrets(app, value, function)
    elif name in _SHOWS and (base is None or name == "dumps") and node.args:
        yield from _secrets(app, node.args[0], function)
    elif name in _DUMPS and base is not None and not node.keywords:
        what = _of_schema(app, base, function)
        if what is not None:
            yield node, what
    elif name == "get" and base is not None and node.args:
        key = s.string(node.args[0])
        if key is not None and _is_credential(key) and s.last_name(base) in {"headers", "cookies"}:
            yield node, f"{s.dotted(base)}[{key!r}]"
    elif name == "get_secret_value" and base is not None:
        yield node, s.dotted(base) or "a secret"


def _secret(app: App, node: s.Expr, function: Function) -> str | None:
    if isinstance(node, s.Subscript):
        key = s.string(node.slice)
        if key is None or not _is_credential(key):
            return None
        return f"{s.dotted(node.value) or 'an entry'}[{key!r}]"
    if not isinstance(node, (s.Name, s.Attribute)):
        return None
    name, written = s.last_name(node) or "", s.dotted(node)
    if isinstance(node, s.Attribute) and node.attr in {"headers", "cookies"}:
        return f"all of {written}" if _is_request(app, node.value, function) else None
    if isinstance(node, s.Name) and _is_hidden(app, node, function):
        return None
    if _is_credential(name) and _is_text(app.types.of(node, Where(function.module, function))):
        return written if not name.isupper() else None
    if isinstance(node, s.Name) and (held := _headers(app, node, function)) is not None:
        return held
    return _of_schema(app, node, function)


def _is_hidden(app: App, node: s.Name, function: Function) -> bool:
    """``key = key[:4] + "***"``, ``token = masked(token)``: what the name holds is not all of it."""
    for bound in app.types.locals.of(function).get(node.id, ()):
        for inner in s.walk(bound.value) if bound.value is not None else ():
            if isinstance(inner, s.Slice):
                return True
            if isinstance(inner, s.Call) and _HIDING.search((s.last_name(inner) or "").lower()):
                return True
            if isinstance(inner, s.Constant) and "*" in str(inner.value):
                return True
    return False


def _headers(app: App, node: s.Name, function: Function) -> str | None:
    """Return what a name stands for, if that is all headers of a request."""
    bounds = app.types.locals.of(function).get(node.id, [])
    value = bounds[0].value if len(bounds) == 1 and bounds[0].how == "assign" else None
    if isinstance(value, s.Call) and s.last_name(value.func) == "dict" and len(value.args) == 1:
        value = value.args[0]
    if isinstance(value, s.Attribute) and value.attr in {"headers", "cookies"}:
        if _is_request(app, value.value, function) and not _is_changed(app, node.id, function):
            return f"all of {s.dotted(value)}"
    return None


def _is_changed(app: App, name: str, function: Function) -> bool:
    """Whether entries are taken out or replaced: ``headers.pop("authorization")``."""
    for call, _ in app.calls.of_kind(function, s.Call):
        if isinstance(call.func, s.Attribute) and call.func.attr in {"pop", "update"}:
            if s.dotted(call.func.value) == name:
                return True
    return any(
        isinstance(target, s.Subscript) and s.dotted(target.value) == name
        for node, _ in app.calls.of_kind(function, s.Assign)
        for target in node.targets
    )


def _is_credential(name: str) -> bool:
    name = name.replace("-", "_")
    return bool(_CREDENTIAL.fullmatch(name)) and not _NO_CREDENTIAL.search(name)


def _is_text(found: Type) -> bool:
    """Whether a value may be text: nothing says that it is something else."""
    options = [option for option in alternatives(found) if not isinstance(option, NoneType)]
    return any(
        option is UNKNOWN or (isinstance(option, Instance) and option.cls in _TEXTS)
        for option in options
    )


def _is_request(app: App, node: s.Expr, function: Function) -> bool:
    found = app.types.of(node, Where(function.module, function))
    return any(isinstance(o, Instance) and o.cls in _REQUESTS for o in alternatives(found))


def _of_schema(app: App, node: s.Expr, function: Function) -> str | None:
    """Return what a schema that a parameter holds shows of itself that nobody should see."""
    if not isinstance(node, s.Name):
        return None
    bound = app.types.locals.lookup(node.id, node.start, function)
    if bound is None or bound.how != "parameter":
        return None
    for option in alternatives(app.types.of(node, Where(function.module, function))):
        if not isinstance(option, Instance) or not isinstance(option.cls, Class):
            continue
        schema = app.models.schema(option.cls)
        if schema is None or schema.is_settings or _shows_itself(app, option.cls):
            continue
        for name, described in schema.fields.items():
            if not _IN_SCHEMA.fullmatch(name) or not _is_plain(described.type):
                continue
            call = described.default
            hidden = call.keyword("repr") if isinstance(call, s.Call) else None
            if hidden is None:
                return f"{option.cls.name}.{name} (all of {s.dotted(node) or 'the body'})"
    return None


def _is_plain(found: Type) -> bool:
    return any(isinstance(o, Instance) and o.cls == "builtins.str" for o in alternatives(found))


def _shows_itself(app: App, cls: Class) -> bool:
    return any(
        not {"__repr__", "__str__", "__repr_args__"}.isdisjoint(ancestor.own_methods)
        for ancestor in app.linker.mro(cls)
        if isinstance(ancestor, Class)
    )


RULE = Rule(
    summary="a password, token or key in the log",
    severity="error",
    confidence="medium",
    mend="Log an id instead (`user.id`, the key's id), or declare the field as `SecretStr`.",
    app=check,
    references=(
        "https://cheatsheetseries.owasp.org/cheatsheets/Logging_Cheat_Sheet.html#data-to-exclude",
        "CWE-532",
    ),
)

CASES = (
    case(
        "a password, a token below the endpoint, headers, a body with a password",
        """
        import logging
        from fastapi import FastAPI, Header, Request
        from pydantic import BaseModel

        logger = logging.getLogger(__name__)
        app = FastAPI()

        class Credentials(BaseModel):
            name: str
            password: str

        def login(name: str, password: str) -> str:
            logger.debug("login of %s with %s", name, password)  # <-
            return name

        @app.post("/login")
        def log_in(body: Credentials, request: Request) -> str:
            print(body)  # <-
            logger.info(f"body {body.model_dump()}")  # <-
            logger.info("headers: %s", dict(request.headers))  # <-
            access_token = login(body.name, body.password)
            logger.warning("made " + access_token)  # <-
            return access_token

        @app.get("/me")
        def me(request: Request, x_api_key: str = Header()) -> None:
            headers = dict(request.headers)
            logger.debug(headers)  # <-
            logger.error("key {}".format(x_api_key))  # <-
            logging.info(request.headers.get("authorization"))  # <-
        """,
    ),
    case(
        "who it was, a part, a length, whether there is one, a function that masks, SecretStr",
        """
        import logging
        from fastapi import FastAPI
        from pydantic import BaseModel, Field, SecretStr

        logger = logging.getLogger(__name__)
        app = FastAPI()

        class Credentials(BaseModel):
            name: str
            password: SecretStr
            old_password: str = Field(repr=False)

        def masked(text: str) -> str:
            return text[:2] + "***"

        @app.post("/login")
        def login(body: Credentials, access_token: str, max_password: int) -> None:
            logger.info("login of %s", body.name)
            logger.info("%s", body)
            logger.info("%s", body.password)
            logger.info("%s...", access_token[:4])
            logger.info("%s", masked(access_token))
            shown = headers = access_token[:4] + "****"
            logger.info("%s %s", shown, headers)
            logger.info("%d, %s", len(access_token), access_token is None)
            logger.info("a password is missing")
            logger.info("at most %d", max_password)
        """,
    ),
    case(
        "not reached by requests, and what is named alike",
        """
        import logging
        from fastapi import FastAPI

        logger = logging.getLogger(__name__)
        app = FastAPI()

        def create_first_admin(password: str) -> None:
            print("the password is", password)

        @app.get("/usage")
        def usage(token_count: int, api_key_id: str, page_token: str, has_password: bool) -> None:
            logger.info("%s %s %s %s", token_count, api_key_id, page_token, has_password)
        """,
    ),
    Case(
        "a stand-in for a mail server shows what it would send; headers without the secret ones",
        {
            "console_mail.py": """
            def send_reset(to: str, reset_token: str) -> None:
                print(f"to {to}: {reset_token}")
            """,
            "main.py": """
            import logging
            from fastapi import FastAPI, Request
            from console_mail import send_reset

            app = FastAPI()

            @app.post("/reset")
            def reset(request: Request, email: str) -> None:
                headers = dict(request.headers)
                headers.pop("authorization", None)
                logging.info("%s", headers)
                send_reset(email, "abc")
            """,
        },
    ),
)
