"""What guards passwords and tokens is maintained.

A library that signs tokens or hashes passwords is attacked as a matter of course. One that nobody looks
after gets its fixes late or never, and holds back the libraries beside it (OWASP A06:2021, CWE-1104). What
is known of each, and what to use in its place, is a table of fastwright (`[unmaintained]` in
`app/library.toml`).

Reported is one import for each such library, the first that runs; the others are its evidence. Imports in
tests, and modules of the project that happen to have the same name, are left alone, and so is an
import that may fail (`try: ... except ImportError`).
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import External
from fastwright.read import syntax as s
from fastwright.read.facts import ImportFact
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_SHOWN = 5


def check(app: App) -> Iterator[Hit]:
    """Report each library of the table that the application imports."""
    found: dict[str, list[tuple[bool, Module, s.Node]]] = {}
    for module in app.sources:
        for fact in module.header.imports:
            library = fact.module.partition(".")[0]
            if fact.level or fact.when == "typing" or library not in app.library.unmaintained:
                continue
            node = _statement(module, fact)
            if node is not None and isinstance(
                app.linker.dotted(fact.module, module.path), External
            ):
                found.setdefault(library, []).append((fact.when == "call", module, node))
    for library, places in sorted(found.items()):
        places.sort(key=lambda each: each[0])
        _, module, node = places[0]
        more = f" ({len(places)} modules import it)" if len(places) > 1 else ""
        chain = tuple(evidence(m, n, f"imports {library}") for _, m, n in places[:_SHOWN])
        yield Hit(place(module, node), f"{app.library.unmaintained[library]}{more}", chain)


def _statement(module: Module, fact: ImportFact) -> s.Node | None:
    """Return the statement of an import, None for one that may fail."""
    guarded = any(
        handler.type is None or "ImportError" in _names(handler.type)
        for node in s.statements(module.facts.body)
        if isinstance(node, s.Try) and node.start <= fact.start < node.end
        for handler in node.handlers
    )
    statements = (node for node in module.import_statements if node.start == fact.start)
    return None if guarded else next(statements, None)


def _names(node: s.Expr) -> set[str]:
    return {inner.id for inner in s.walk(node) if isinstance(inner, s.Name)}


RULE = Rule(
    summary="a library for passwords or tokens that is not maintained",
    severity="warning",
    mend="Use the library that the message names. Hashes stay valid: pwdlib reads the bcrypt and Argon2"
    " hashes that passlib wrote, and PyJWT the tokens of python-jose.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/tutorial/security/oauth2-jwt/",
        "https://owasp.org/Top10/A06_2021-Vulnerable_and_Outdated_Components/",
        "CWE-1104",
    ),
)

CASES = (
    case(
        "tokens and passwords",
        """
        from jose import JWTError, jwt  # <-
        from passlib.context import CryptContext  # <-

        context = CryptContext(schemes=["bcrypt"])

        def sign(data: dict, key: str) -> str:
            return jwt.encode(data, key, algorithm="HS256")
        """,
    ),
    Case(
        "once for each library, where it is imported first",
        {
            "app/__init__.py": "",
            "app/hashes.py": """
            def hashed(password: str) -> str:
                from passlib.hash import bcrypt

                return bcrypt.hash(password)
            """,
            "app/users.py": """
            from passlib.context import CryptContext  # <-

            context = CryptContext(schemes=["bcrypt"])
            """,
        },
    ),
    Case(
        "maintained ones, a module of the project, an import that may fail",
        {
            "rsa.py": "KEY = 1\n",
            "main.py": """
            import jwt
            from pwdlib import PasswordHash
            from rsa import KEY

            try:
                from passlib.context import CryptContext
            except ImportError:
                CryptContext = None
            """,
        },
    ),
)
