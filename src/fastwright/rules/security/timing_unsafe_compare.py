"""Secrets are compared in constant time.

`==` stops at the first byte that differs. How long it takes tells an attacker how much of a token or
signature was right already, and the rest can be guessed byte by byte (CWE-208). `hmac.compare_digest`
and `secrets.compare_digest` take the same time for every input.

Reported in functions that refuse (401, 403, an exception that says so), where both sides are values and
one is named as a secret: keys, tokens, signatures. Comparisons
with literals, lengths, types, ids, and of values that are no secrets (`token_type`) are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.edit import source as at
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_SECRET = re.compile(
    r"(^|_)(api_?key|secret|secret_?key|signature|hmac|webhook_?secret|master_?key|service_?key"
    r"|x_?api_?key|shared_?secret)$"
    r"|(?<!page_)(?<!next_)(?<!sync_)(?<!stop_)(?<!cancel_)(?<!unk_)(?<!eos_)(?<!pad_)token$",
    re.IGNORECASE,
)
_GIVEN = re.compile(
    r"^(?!.*(expected|stored|valid|correct|real|config|server|our|saved)).*token$", re.IGNORECASE
)
_MENTIONED = re.compile(rb"key|secret|signature|hmac|token", re.IGNORECASE)
"""What stands in the name of every secret: other bodies are not looked into."""
_COMPARED = re.compile(rb"==|!=")
_GIVING = {"hexdigest": "str", "digest": "bytes", "get_secret_value": "str", "encode": "bytes",
           "decode": "str"}  # fmt: skip
"""What methods of hashes, secrets and texts give."""
_WEB = frozenset({"fastapi", "starlette", "FastAPI", "APIRouter", "Depends"})


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report ``==`` and ``!=`` between two values of which one is a secret."""
    if _WEB.isdisjoint(module.header.marks):
        return
    for function in module.functions:
        if not _MENTIONED.search(function.raw_body) or not _COMPARED.search(function.raw_body):
            continue
        if not _decides_access(function):
            continue
        if "compare_digest" in function.called:
            continue  # it knows how; what else it compares is no secret
        for node in s.walk_scope(*function.body):
            if isinstance(node, s.Compare) and len(node.ops) == 1 and node.ops[0] in {"==", "!="}:
                name = _secret(node.left, node.comparators[0])
                if name is not None:
                    message = f"{name} is compared with {node.ops[0]}: the time it takes tells how much was right"
                    yield Hit(place(module, node), message, fix=_fix(module, function, node))


# -------------------------------------------------------------------------- the fix


def _fix(module: Module, function: s.FunctionDef, node: s.Compare) -> Fix | None:
    """Return the fix: safe for two texts or bytes; `compare_digest` takes neither None nor ``é``."""
    sides = [node.left, node.comparators[0]]
    kinds = [_kind(module, function, side) for side in sides]
    digest = bring(module, "secrets", "compare_digest")
    behind = at.text_behind(module, node).lstrip()
    chained = behind.startswith(("==", "!=", "is ", "in ", "not in "))
    if digest is None or chained or b"#" in module.source[node.start : node.end]:
        return None
    known = None not in kinds
    given = ", ".join(
        at.text(module, side) + (".encode()" if known and kind == "str" else "")
        for side, kind in zip(sides, kinds, strict=True)
    )
    denied = "not " if node.ops[0] == "!=" else ""
    written = replace(module, node, f"{denied}{digest.name}({given})")
    return Fix("safe" if known else "suggest", (written,), digest.imports)


def _kind(module: Module, function: s.FunctionDef, node: s.Expr) -> str | None:
    """Return ``str`` or ``bytes`` where a value is surely one of these."""
    if isinstance(node, s.JoinedStr):
        return None  # written anew it needs other quotes
    if isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
        return _GIVING.get(node.func.attr)
    if not isinstance(node, s.Name):
        return None
    bound = [
        each.value
        for each in s.walk_scope(*function.body)
        if isinstance(each, s.Assign) and any(s.dotted(t) == node.id for t in each.targets)
    ]
    rebound = any(
        isinstance(each, (s.AugAssign, s.For, s.NamedExpr, s.AnnAssign))
        and s.dotted(each.target) == node.id
        for each in s.walk_scope(*function.body)
    )
    parameter = next((each for each in function.params if each.name == node.id), None)
    if rebound or len(bound) > 1:
        return None
    if parameter is None:
        value = bound[0] if bound else None
        return _kind(module, function, value) if isinstance(value, s.Call) else None
    return _declared(module, parameter) if not bound else None


def _declared(module: Module, parameter: s.Parameter) -> str | None:
    """Return the type that a parameter is declared to have, where nothing else may be in it."""
    annotation, default = parameter.annotation, parameter.default
    if isinstance(annotation, s.Subscript) and isinstance(annotation.slice, s.Tuple):
        if module.qualify(annotation.value) == "typing.Annotated":
            annotation = annotation.slice.elts[0]
    if isinstance(default, s.Call):
        default = default.argument(0, "default")
    absent = isinstance(default, s.Constant) and default.kind == "none"
    name = s.dotted(annotation)
    return name if name in {"str", "bytes"} and not absent else None


# --------------------------------------------------------------------------- secrets


def _decides_access(function: s.FunctionDef) -> bool:
    """Whether a function lets somebody in or refuses: it answers 401 or 403, or says so by name."""
    for node in s.walk_scope(*function.body):
        if isinstance(node, s.Constant) and node.kind == "int" and node.value in {401, 403}:
            return True
        name = s.last_name(node) if isinstance(node, (s.Attribute, s.Name)) else None
        if name is not None and re.search(r"HTTP_40[13]|UNAUTHORIZED|FORBIDDEN", name):
            return True
        if isinstance(node, s.Raise) and re.search(
            r"unauthori|forbidden|authenticat|permission|credential|signature",
            s.last_name(node.exc) or "",
            re.IGNORECASE,
        ):
            return True
    return False


def _secret(left: s.Expr, right: s.Expr) -> str | None:
    """Return the name of the secret if both sides are values."""
    if not (_is_value(left) and _is_value(right)):
        return None
    if all(isinstance(side, s.Name) and _GIVEN.search(side.id) for side in (left, right)):
        return None  # two tokens of the request: neither is what the other has to be
    names = [_name(side) for side in (left, right)]
    return next((name for name in names if name is not None and _SECRET.search(name)), None)


def _is_value(node: s.Expr) -> bool:
    if isinstance(node, s.Attribute) and isinstance(node.value, (s.Name, s.Attribute)):
        holder = s.last_name(node.value) or ""
        if isinstance(node.value, s.Attribute) and holder.isupper():
            return True  # settings.AUTH.token
        return not holder[:1].isupper()  # settings.API_KEY, not Kind.API_KEY, models.User.token
    if isinstance(node, s.Name) and node.id.isupper() and not _SECRET.search(node.id):
        return False  # a constant of the program: DEFAULT, SENTINEL
    return isinstance(node, (s.Name, s.Attribute, s.Subscript, s.JoinedStr, s.Call))


def _name(node: s.Expr) -> str | None:
    """Return the name by which a value goes: the last of a chain, the key of a lookup."""
    if isinstance(node, s.Subscript):
        return s.string(node.slice)
    if isinstance(node, s.Call):
        if s.last_name(node.func) in {"get", "getenv", "get_secret_value"}:
            if node.args:
                key = s.string(node.args[0])
                return key.replace("-", "_") if key is not None else None
            return s.last_name(node.func.value) if isinstance(node.func, s.Attribute) else None
        return None
    return s.last_name(node)


RULE = Rule(
    summary="a secret compared with ==",
    severity="warning",
    mend="`secrets.compare_digest(given.encode(), expected.encode())`.",
    module=check,
    references=("https://docs.python.org/3/library/hmac.html#hmac.compare_digest", "CWE-208"),
)

CASES = (
    case(
        "an API key and a signature",
        """
        from fastapi import FastAPI, Header, HTTPException

        app = FastAPI()

        @app.post("/hook")
        def hook(settings, x_api_key: str = Header(), signature: str = Header()) -> None:
            if x_api_key != settings.api_key:  # <-
                raise HTTPException(403)
            if x_api_key != settings.AUTH.api_key:  # <-
                raise HTTPException(403)
            expected = sign()
            if signature == expected:  # <-
                return

        @app.post("/cache")
        def cache(api_key: str, cached) -> None:
            if cached.api_key != api_key:
                cached.clear()

        @app.post("/signed")
        def signed(body: str, digest, signature: str = Header()) -> None:
            expected = digest(body).hexdigest()
            if signature != expected:  # <-
                raise HTTPException(403)

        @app.post("/maybe")
        def maybe(body: str, digest, signature: str = Header(None)) -> None:
            if signature != digest(body).hexdigest():  # <-
                raise HTTPException(403)
        """,
        after="""
        from secrets import compare_digest

        from fastapi import FastAPI, Header, HTTPException

        app = FastAPI()

        @app.post("/hook")
        def hook(settings, x_api_key: str = Header(), signature: str = Header()) -> None:
            if not compare_digest(x_api_key, settings.api_key):
                raise HTTPException(403)
            if not compare_digest(x_api_key, settings.AUTH.api_key):
                raise HTTPException(403)
            expected = sign()
            if compare_digest(signature, expected):
                return

        @app.post("/cache")
        def cache(api_key: str, cached) -> None:
            if cached.api_key != api_key:
                cached.clear()

        @app.post("/signed")
        def signed(body: str, digest, signature: str = Header()) -> None:
            expected = digest(body).hexdigest()
            if not compare_digest(signature.encode(), expected.encode()):
                raise HTTPException(403)

        @app.post("/maybe")
        def maybe(body: str, digest, signature: str = Header(None)) -> None:
            if not compare_digest(signature, digest(body).hexdigest()):
                raise HTTPException(403)
        """,
    ),
    case(
        "compared in constant time; literals, types and things that are no secrets",
        """
        import secrets
        from fastapi import FastAPI

        app = FastAPI()

        @app.post("/either")
        def either(token: str, external_token: str, params) -> None:
            if external_token and external_token != token:
                raise HTTPException(401)
            if params.secret_type == SecretType.signature:
                raise HTTPException(401)

        @app.get("/me")
        def me(token: str, db) -> None:
            if not db.query(models.User).filter(models.User.token == token).first():
                raise HTTPException(401)

        @app.post("/canonical")
        def canonical(signature: str, payload: bytes) -> None:
            if encode(decode(signature)) != signature:
                raise HTTPException(401)
            if not secrets.compare_digest(decode(signature), sign(payload)):
                raise HTTPException(401)

        @app.post("/hook")
        def hook(token: str, api_key: str | None, kind, token_type: str, settings) -> None:
            if secrets.compare_digest(token, settings.secret):
                return
            if api_key == "" or api_key == None or kind == Kind.API_KEY:
                return
            if token_type == settings.token_type or len(token) == settings.length:
                return
        """,
    ),
)
