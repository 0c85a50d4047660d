"""A cookie that proves who somebody is goes over TLS only, and scripts do not see it.

`Response.set_cookie` sets neither `HttpOnly` nor `Secure` unless it is told to. Without `httponly=True`,
a script that gets into the page sends the session to somebody else (CWE-1004); without `secure=True`, the
first request over plain HTTP gives it to everyone on the way (CWE-614). `samesite` is `lax` unless it is
changed; `none` is only allowed beside `secure`.

Reported are cookies whose name, or the name of what is put into them, says session, token or JWT, where
`httponly` or `secure` is missing, or `secure` is false in the code. Left alone are flags that come from
settings or the request, `httponly=False` (somebody wrote that the page must read it), CSRF tokens and the
state of a login, which pages or other sites have to see, and cookies that are being removed.

The fix sets the flags to true: scripts of the page no longer read the cookie, and it is not sent over plain
HTTP any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Variable
from fastwright.app.types import Instance, Literal
from fastwright.edit.builders import add_argument, replace
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_SESSION = re.compile(
    r"(^|[_.-])(session(_?(id|key|cookie|token|name))*|sess(_?id)?|sid|jwt|(access|refresh|auth|id|user"
    r"|login|session|bearer)?_?token|auth(entication|orization)?)([_.-]|$)",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"csrf|xsrf|state|nonce|hint|logged|flag|theme|lang|expir|type|count|consent|prefer|guest|anon"
    r"|redirect|return|next|url|device|tab|visitor",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def check(app: App) -> Iterator[Hit]:
    """Report each cookie of a session without its flags."""
    for module in app.web_modules:
        for function in app.every_function(module, frozenset({"set_cookie"})):
            for site in app.calls.sites(function):
                if site.method != "set_cookie" or not _is_session(app, site):
                    continue
                missing = list(_missing(app, site))
                if missing:
                    name = _name(app, site)
                    message = f"the cookie {name} is set without {' and '.join(missing)}"
                    proof = (evidence(module, site.node, "the cookie is set here"),)
                    fix = _fix(module, site.node, missing)
                    yield Hit(place(module, site.node), message, proof, fix)


def _fix(module: Module, call: s.Call, missing: list[str]) -> Fix | None:
    """Return the fix that sets the flags; a constant that is False is for its own place to say."""
    secure = call.argument(6, "secure")
    absent = [flag for flag in missing if flag != "secure" or secure is None]
    edits = [add_argument(module, call, ", ".join(f"{flag}=True" for flag in absent))]
    if not absent:
        edits = []
    if "secure" in missing and secure is not None:
        if not isinstance(secure, s.Constant):
            return None
        edits.append(replace(module, secure, "True"))
    return Fix("contract", tuple(edits))


def _name(app: App, site: CallSite) -> str:
    """Return the name of the cookie, or how the name is written."""
    given = site.node.argument(0, "key")
    found = _literal(app, site, given)
    if found is not None:
        return str(found.value)
    return s.dotted(given.func if isinstance(given, s.Call) else given) or ""


def _is_session(app: App, site: CallSite) -> bool:
    """Whether the cookie that a call sets proves who somebody is, and the call can be read."""
    if any(keyword.arg is None for keyword in site.node.keywords):
        return False
    if any(isinstance(argument, s.Starred) for argument in site.node.args):
        return False
    if isinstance(site.receiver, Instance) and "esponse" not in site.receiver.name:
        return False
    name, value = _name(app, site), _written(site.node.argument(1, "value"))
    if _OTHER.search(name) or _OTHER.search(value) or _is_removed(app, site):
        return False
    return any(_SESSION.search(_CAMEL.sub("_", text)) for text in (name, value))


def _written(node: s.Expr | None) -> str:
    """Return the last part of how a value is written: ``access_token`` for ``tokens.access_token``."""
    if isinstance(node, s.Subscript):
        return s.string(node.slice) or ""
    if isinstance(node, s.JoinedStr):
        return " ".join(filter(None, (_written(part) for part in node.values)))
    return "" if isinstance(node, s.Call) else s.last_name(node) or ""


def _is_removed(app: App, site: CallSite) -> bool:
    value = _literal(app, site, site.node.argument(1, "value"))
    ages = (_literal(app, site, site.node.keyword(name)) for name in ("max_age", "expires"))
    return (value is not None and not value.value) or any(
        age is not None and age.value == 0 for age in ages
    )


def _missing(app: App, site: CallSite) -> Iterator[str]:
    """Yield the flags that are missing."""
    if site.node.argument(7, "httponly") is None:
        yield "httponly"
    secure = site.node.argument(6, "secure")
    if secure is None or _is_false(app, site, secure):
        yield "secure"


def _is_false(app: App, site: CallSite, node: s.Expr) -> bool:
    """Whether an expression is False, or a constant of a module that is."""
    values: tuple[s.Expr, ...] = (node,)
    if isinstance(node, (s.Name, s.Attribute)):
        symbol = app.linker.expression(node, site.module, site.caller)
        values = symbol.values if isinstance(symbol, Variable) else ()
    return bool(values) and all(
        isinstance(value, s.Constant) and value.value is False for value in values
    )


def _literal(app: App, site: CallSite, node: s.Expr | None) -> Literal | None:
    if node is None:
        return None
    found = app.types.of(node, Where(site.module, site.caller))
    return found if isinstance(found, Literal) else None


RULE = Rule(
    summary="a session cookie without HttpOnly or Secure",
    severity="error",
    mend='Give `httponly=True, secure=True, samesite="lax"`; take `secure` from a setting that is on'
    " by default where development runs without TLS.",
    app=check,
    references=(
        "https://www.starlette.io/responses/#set-cookie",
        "https://owasp.org/API-Security/editions/2023/en/0xa8-security-misconfiguration/",
        "CWE-614",
        "CWE-1004",
    ),
)

CASES = (
    case(
        "flags that are missing, or off in the code",
        """
        from fastapi import FastAPI, Response

        SESSION_COOKIE = "shop_session"
        SECURE = False
        app = FastAPI()

        @app.post("/login")
        def login(response: Response, token: str, sid: str) -> None:
            response.set_cookie("token", token)  # <-
            response.set_cookie(SESSION_COOKIE, sid, httponly=True)  # <-
            response.set_cookie(key="accessToken", value="x", httponly=True, secure=False)  # <-
            response.set_cookie("me", f"Bearer {token}", httponly=True, secure=SECURE)  # <-
        """,
        after="""
        from fastapi import FastAPI, Response

        SESSION_COOKIE = "shop_session"
        SECURE = False
        app = FastAPI()

        @app.post("/login")
        def login(response: Response, token: str, sid: str) -> None:
            response.set_cookie("token", token, httponly=True, secure=True)
            response.set_cookie(SESSION_COOKIE, sid, httponly=True, secure=True)
            response.set_cookie(key="accessToken", value="x", httponly=True, secure=True)
            response.set_cookie("me", f"Bearer {token}", httponly=True, secure=SECURE)
        """,
    ),
    case(
        "flags in settings, a token for the page, and other cookies",
        """
        from fastapi import FastAPI, Request, Response
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            secure: bool = True

        settings = Settings()
        app = FastAPI()

        @app.post("/login")
        def login(request: Request, response: Response, token: str, options: dict) -> None:
            response.set_cookie("token", token, httponly=True, secure=True)
            response.set_cookie("token", token, httponly=True, secure=settings.secure)
            response.set_cookie("token", token, httponly=True, secure=request.url.scheme == "https")
            response.set_cookie("token", token, httponly=False, secure=True)
            response.set_cookie("csrf_token", token)
            response.set_cookie("theme", "dark")
            response.set_cookie("token", token, **options)

        def write(response: Response, token: str, here: bool, secure: bool = False) -> None:
            response.set_cookie("token", token, httponly=True, secure=not here and secure)
        """,
    ),
    case(
        "removed",
        """
        from fastapi import FastAPI, Response

        app = FastAPI()

        @app.post("/logout")
        def logout(response: Response) -> None:
            response.set_cookie("session", "", max_age=0)
            response.delete_cookie("session")
        """,
    ),
)
