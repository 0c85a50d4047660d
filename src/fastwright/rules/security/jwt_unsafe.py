"""A token is believed only after its signature, algorithm and expiry were checked.

`jwt.decode` with `verify_signature: False` believes whoever wrote the token; a list of algorithms that
holds `none` does too (RFC 8725, sections 3.1 and 3.2; OWASP API2:2023). With `verify_exp: False` a
stolen token is good for ever.

Only tokens that come from the request are looked at, through the calls that pass them on: one that the
application has just been given by an identity provider was checked by the connection. Reading an
unverified claim to find the right key is right when the same function verifies the token afterwards;
switching off the check of the expiry is, when the function looks at `exp` itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.edit import source as at
from fastwright.edit.builders import delete_argument, replace
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, name_place, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case

_DECODE = frozenset({"jwt.decode", "jwt.api_jwt.decode", "jose.jwt.decode"})
_UNSIGNED = "its signature is not checked: anybody can write it"
_DEPTH = 4


def check(app: App) -> Iterator[Hit]:
    """Report decodes of a token from the request that leave out what makes it trustworthy."""
    reported: set[int] = set()
    for root in app.request_roots:
        for parameter in root.parameters:
            for call, function, chain in _decodes(app, root, parameter.name, _DEPTH):
                problem = _problem(call, function)
                if problem is None or id(call) in reported or _verified(app, function):
                    continue
                reported.add(id(call))
                start = Evidence(name_place(root), root.qualname)
                yield Hit(
                    place(function.module, call),
                    f"the token is believed though {problem}",
                    (start, *chain),
                    _fix(function.module, call),
                )


def _fix(module: Module, call: s.Call) -> Fix | None:
    """Return the fix that admits no ``none``, or checks the expiry; a missing key nobody can guess."""
    verify = next((k for k in call.keywords if k.arg == "options"), None)
    if verify is not None and isinstance(verify.value, s.Dict):
        off = [s.string(key) for key in verify.value.keys]
        if off == ["verify_exp"]:
            return Fix("suggest", (delete_argument(module, call, verify),))
        return None
    algorithms = call.argument(2, "algorithms")
    if not isinstance(algorithms, s.List) or call.keyword("verify") is not None:
        return None
    kept = [each for each in algorithms.elts if (s.string(each) or "").lower() != "none"]
    if not kept or b"#" in module.source[algorithms.start : algorithms.end]:
        return None
    written = ", ".join(at.text(module, each) for each in kept)
    return Fix("suggest", (replace(module, algorithms, f"[{written}]"),))


def _decodes(
    app: App, function: Function, name: str, depth: int
) -> Iterator[tuple[s.Call, Function, tuple[Evidence, ...]]]:
    """Yield the decodes that a parameter comes to, through calls that pass it on."""
    for site in app.calls.sites(function):
        given = [*site.node.args, *(keyword.value for keyword in site.node.keywords)]
        if not any(_is(argument, name) for argument in given):
            continue
        link = evidence(site.module, site.node, site.external or site.method)
        if site.external in _DECODE:
            yield site.node, function, (link,)
        elif depth and len(site.targets) == 1:
            target = site.targets[0]
            for parameter, argument in zip(target.parameters, site.node.args, strict=False):
                if _is(argument, name):
                    for call, inner, chain in _decodes(app, target, parameter.name, depth - 1):
                        yield call, inner, (link, *chain)


def _is(node: s.Expr, name: str) -> bool:
    return isinstance(node, s.Name) and node.id == name


def _verified(app: App, function: Function) -> bool:
    """Whether a function also decodes the token as it should: then it only looked for the key."""
    return any(
        site.external in _DECODE and _problem(site.node, function) is None
        for site in app.calls.sites(function)
    )


def _problem(call: s.Call, function: Function) -> str | None:
    """Return what a decode leaves out, None if it checks what it should."""
    verify = call.keyword("verify")
    if isinstance(verify, s.Constant) and verify.value is False:
        return _UNSIGNED
    options = call.keyword("options")
    if isinstance(options, s.Dict):
        off = {
            s.string(key)
            for key, value in zip(options.keys, options.values, strict=True)
            if isinstance(value, s.Constant) and value.value is False
        }
        if "verify_signature" in off:
            return _UNSIGNED
        if "verify_exp" in off and not any(map(_looks_at_expiry, function.module.functions)):
            return "its expiry is not checked: a stolen one is good for ever"
    algorithms = call.argument(2, "algorithms")
    if isinstance(algorithms, (s.List, s.Tuple, s.Set)):
        for element in algorithms.elts:
            if (s.string(element) or "").lower() == "none":
                return "the algorithm `none` is admitted: anybody can write it"
    return None


def _looks_at_expiry(function: s.FunctionDef) -> bool:
    return any(
        (isinstance(node, s.Attribute) and node.attr == "exp") or s.string(node) == "exp"
        for node in s.walk_scope(*function.body)
    )


RULE = Rule(
    summary="a token that is believed without being checked",
    severity="error",
    mend='Verify it: `jwt.decode(token, key, algorithms=["HS256"])`, with expiry, audience and issuer.',
    app=check,
    references=(
        "https://www.rfc-editor.org/rfc/rfc8725",
        "https://owasp.org/API-Security/editions/2023/en/0xa2-broken-authentication/",
        "CWE-347",
    ),
)

CASES = (
    case(
        "no signature, no expiry, the algorithm none",
        """
        import jwt
        from fastapi import FastAPI

        app = FastAPI()

        def read(token: str) -> dict:
            return jwt.decode(token, options={"verify_signature": False})  # <-

        @app.get("/a")
        def a(token: str) -> dict:
            return read(token)

        @app.get("/b")
        def b(token: str) -> dict:
            return jwt.decode(token, KEY, algorithms=["HS256"], options={"verify_exp": False})  # <-

        @app.get("/c")
        def c(token: str) -> dict:
            return jwt.decode(token, KEY, algorithms=["HS256", "none"])  # <-
        """,
        after="""
        import jwt
        from fastapi import FastAPI

        app = FastAPI()

        def read(token: str) -> dict:
            return jwt.decode(token, options={"verify_signature": False})

        @app.get("/a")
        def a(token: str) -> dict:
            return read(token)

        @app.get("/b")
        def b(token: str) -> dict:
            return jwt.decode(token, KEY, algorithms=["HS256"])

        @app.get("/c")
        def c(token: str) -> dict:
            return jwt.decode(token, KEY, algorithms=["HS256"])
        """,
    ),
    case(
        "verified, read first to find the key, or not from the request",
        """
        import time
        import jwt
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/a")
        def a(token: str) -> dict:
            return jwt.decode(token, KEY, algorithms=["HS256"])

        @app.get("/b")
        def b(token: str) -> dict:
            issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
            return jwt.decode(token, KEYS[issuer], algorithms=["RS256"])

        @app.get("/c")
        def c(code: str) -> dict:
            id_token = provider.exchange(code)["id_token"]
            return jwt.decode(id_token, options={"verify_signature": False})

        @app.get("/d")
        def d(token: str) -> dict:
            claims = jwt.decode(token, KEY, algorithms=["HS256"], options={"verify_exp": False})
            if claims["exp"] < time.time() - 60:
                raise ValueError
            return claims
        """,
    ),
    case(
        "the expiry is looked at by another function of the file",
        """
        import time
        import jwt
        from fastapi import FastAPI

        app = FastAPI()

        def refuse_old(claims: dict) -> None:
            if claims["exp"] < time.time():
                raise PermissionError

        @app.get("/a")
        def a(token: str) -> dict:
            claims = jwt.decode(token, KEY, algorithms=["HS256"], options={"verify_exp": False})
            refuse_old(claims)
            return claims
        """,
    ),
)
