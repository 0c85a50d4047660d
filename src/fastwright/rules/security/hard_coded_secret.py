"""Keys and passwords come from the environment, not from the source.

Whoever can read the repository, an image or a traceback can sign tokens with a key that stands in the
code, and changing it needs a release (OWASP API8:2023, CWE-798). A default in a settings class is the
same: it is what runs where somebody forgot to set the variable.

Reported are text literals that are given as signing keys (`jwt.encode(..., "...")`), assigned to names
such as `SECRET_KEY`, or the default of such a field of a settings class. Names of headers, fields,
environment variables, token types, URLs, and texts that are no key (`bearer`, `password`) are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.edit import source as at
from fastwright.edit.builders import delete_argument, replace
from fastwright.edit.fix import Edit, Fix
from fastwright.edit.names import bring
from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_NAME = re.compile(
    r"(^|_)(secret_?key|jwt_?secret(_?key)?|jwt_?key|signing_?key|session_?secret|app_?secret"
    r"|client_?secret|auth_?secret|token_?secret|encryption_?key|private_?key|secret"
    r"|database_?password|db_?password|admin_?password|smtp_?password|api_?secret)$",
    re.IGNORECASE,
)
_MARKS = frozenset({"secret", "SECRET", "password", "PASSWORD", "private_key", "jwt"})
_SIGNING = {"jwt.encode": 1, "jwt.decode": 1, "jose.jwt.encode": 1, "jose.jwt.decode": 1}
"""Functions that take a key, and at which position."""

_NO_KEY = re.compile(
    r"^$|^[a-z_]+$|^[A-Z][A-Z0-9_]+$|^https?:|^[\w.-]+@|/|\s|[{}<>*]|^\*+$|\.{3}|^(x|X)-",
)
"""Plain words, constants' names, URLs, paths, sentences, templates: texts that are no key."""


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report text literals that are used as secrets."""
    if module.kind != "source" or re.search(
        r"(^|/)(examples?|docs?|scripts?|samples?)/", module.path
    ):
        return
    if _MARKS.isdisjoint(module.header.marks):
        return
    settings = _fields_of_settings(module)
    for node in _declarations(module.facts.body):
        if isinstance(node, (s.Assign, s.AnnAssign)):
            for name, literal in _assigned(module, node):
                fix = _fix(module, node, name, literal, is_setting=id(node) in settings)
                yield Hit(place(module, literal), f"{name} has its value in the code", fix=fix)
    if "jwt" in module.header.marks:
        for function in module.functions:
            if not {"encode", "decode"}.isdisjoint(function.called):
                for inner in s.walk_scope(*function.body):
                    if isinstance(inner, s.Call):
                        yield from _signing_key(module, inner)


def _declarations(body: list[s.Stmt]) -> Iterator[s.Node]:
    """Yield the nodes at module level and in class bodies: where constants and settings stand."""
    for node in s.walk_scope(*body):
        yield node
        if isinstance(node, s.ClassDef):
            yield from _declarations(node.body)


def _signing_key(module: Module, call: s.Call) -> Iterator[Hit]:
    position = _SIGNING.get(module.qualify(call.func) or "")
    key = call.argument(position, "key") if position is not None else None
    if key is not None and s.string(key):
        yield Hit(place(module, key), "the key that signs tokens stands in the code")


def _fields_of_settings(module: Module) -> set[int]:
    """Return the statements in the bodies of settings classes."""
    return {
        id(statement)
        for cls in module.classes
        if any(s.last_name(base) == "BaseSettings" for base in cls.bases)
        for statement in cls.body
    }


def _fix(
    module: Module, node: s.Assign | s.AnnAssign, name: str, literal: s.Expr, *, is_setting: bool
) -> Fix | None:
    """Return the fix that takes the value from the environment: a required one."""
    value = node.value
    if isinstance(node, s.AnnAssign) and is_setting:
        if value is literal:
            return Fix("suggest", (Edit(module.path, node.annotation.end, node.end, ""),))
        if isinstance(value, s.Call) and s.last_name(value.func) == "Field":
            given = next((k for k in value.keywords if k.value is literal), literal)
            return Fix("suggest", (delete_argument(module, value, given),))
    default = name.upper().startswith("DEFAULT")  # what runs where nobody gave one
    if not default and any(node is statement for statement in module.facts.body):
        return _from_environment(module, value, name, literal)
    return None


def _from_environment(
    module: Module, value: s.Expr | None, name: str, literal: s.Expr
) -> Fix | None:
    """Return the fix for a constant of the module: ``os.environ["SECRET_KEY"]``."""
    if isinstance(value, s.Call) and s.last_name(value.func) in {"getenv", "get"} and value.args:
        variable = at.text(module, value.args[0])
    elif value is literal:
        variable = f'"{name.upper()}"'
    else:
        return None
    environment = bring(module, "os", "environ")
    environment = bring(module, "os") if environment and environment.imports else environment
    if environment is None or value is None:
        return None
    written = environment.name if environment.name.endswith("environ") else "os.environ"
    edit = replace(module, value, f"{written}[{variable}]")
    return Fix("suggest", (edit,), environment.imports)


def _assigned(module: Module, node: s.Assign | s.AnnAssign) -> Iterator[tuple[str, s.Expr]]:
    """Yield the names that are given a secret as text, each with the text."""
    targets = node.targets if isinstance(node, s.Assign) else [node.target]
    for target in targets:
        name = s.last_name(target)
        if name is None or not _NAME.search(name) or not isinstance(target, (s.Name, s.Attribute)):
            continue
        literal = _literal(module, node.value)
        text = s.string(literal)
        if literal is not None and text is not None and _is_key(text, name):
            if isinstance(target, s.Name) and _is_refused(module, name):
                continue
            yield name, literal


def _is_refused(module: Module, name: str) -> bool:
    """Whether the file compares something with the constant: it is there to be recognised."""
    return any(
        isinstance(node, s.Compare)
        and any(s.last_name(part) == name for part in (node.left, *node.comparators))
        for function in module.functions
        if name.encode() in bytes(function.raw_body)
        for node in s.walk_scope(*function.body)
    )


def _literal(module: Module, value: s.Expr | None) -> s.Expr | None:
    """Return the text that a value is or falls back to."""
    if isinstance(value, s.Constant):
        return value
    if isinstance(value, s.Call):
        name = s.last_name(value.func)
        if name == "Field":
            return value.argument(0, "default")
        if name == "SecretStr":
            return value.argument(0, "secret_value")
        if name in {"getenv", "get"} and (module.qualify(value.func) or "").startswith("os."):
            return value.argument(1, "default")
    if isinstance(value, s.BoolOp) and value.op == "or":
        return _literal(module, value.values[-1])
    return None


def _is_key(text: str, name: str) -> bool:
    if _NO_KEY.search(text) or len(text) < 8 or text.lower() == name.lower():
        return False
    if re.fullmatch(r"[a-z]+([-_.][a-z]+)+", text) and re.sub(r"[-_.]", "", text) in re.sub(
        r"_", "", name.lower()
    ):
        return False  # SECRET_KEY = "secret-key": a name for the thing
    return len(set(text)) > 4  # ruff's "xxxxxxxx" and the like are placeholders


RULE = Rule(
    summary="a key or password in the code",
    severity="error",
    confidence="medium",
    mend="Read it from the environment with no default (a settings field without a value fails at"
    " start-up), and change the key that was published.",
    module=check,
    references=(
        "https://fastapi.tiangolo.com/advanced/settings/",
        "https://owasp.org/API-Security/editions/2023/en/0xa8-security-misconfiguration/",
        "CWE-798",
    ),
)

CASES = (
    case(
        "a constant, a default of settings, of the environment, and an argument",
        """
        import os
        import jwt
        from pydantic_settings import BaseSettings

        SECRET_KEY = "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"  # <-
        JWT_SECRET = os.getenv("JWT_SECRET", "super-secret-123")  # <-

        class Settings(BaseSettings):
            secret_key: str = "change-me-2024"  # <-

        def sign(data: dict) -> str:
            return jwt.encode(data, "hunter2", algorithm="HS256")  # <-
        """,
        after="""
        import os
        import jwt
        from pydantic_settings import BaseSettings

        SECRET_KEY = os.environ["SECRET_KEY"]
        JWT_SECRET = os.environ["JWT_SECRET"]

        class Settings(BaseSettings):
            secret_key: str

        def sign(data: dict) -> str:
            return jwt.encode(data, "hunter2", algorithm="HS256")
        """,
    ),
    case(
        "names, headers, types, and secrets from outside",
        """
        import os
        import jwt
        from pydantic_settings import BaseSettings

        SECRET = "secret"
        SECRET_KEY_KIND = AWS_SECRET_KEY = "secret-key"
        CLIENT_SECRET = "CLIENT_SECRET"
        API_KEY_HEADER = "X-API-Key"
        SECRET_KEY = os.environ["SECRET_KEY"]
        TOKEN_TYPE = "bearer-token-1"
        private_key = "/run/secrets/key.pem"
        DEFAULT_SECRET = "change-me-before-use!"

        def start(settings) -> None:
            if settings.secret_key == DEFAULT_SECRET:
                raise SystemExit("Set SECRET_KEY.")

        class Settings(BaseSettings):
            secret_key: str
            jwt_secret: str = ""
            db_password: str | None = None

        def sign(data: dict, settings: Settings) -> str:
            return jwt.encode(data, settings.secret_key, algorithm="HS256")
        """,
    ),
)
