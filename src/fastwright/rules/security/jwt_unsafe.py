"""A token is believed only after its signature, algorithm and expiry were checked.

`jwt.decode` with `verify_signature: False` believes whoever wrote the token; a list of algorithms that
holds `none` does too (RFC 8725, sections 3.1 and 3.2; OWASP API2:2023). With `verify_exp: False` a
stolen token is good for ever.

Reading an unverified header or claim to find the right key is right when the same function verifies the
token afterwards. Only PyJWT's and python-jose's own functions are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_DECODE = frozenset({"jwt.decode", "jwt.api_jwt.decode", "jose.jwt.decode"})
_CHECKS = {
    "verify_signature": "its signature is not checked: anybody can write it",
    "verify_exp": "its expiry is not checked: a stolen one is good for ever",
}


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report calls that decode a token and leave out what makes it trustworthy."""
    if "jwt" not in module.imported.values() and not any(
        name.startswith(("jwt.", "jose")) for name in module.imported.values()
    ):
        return
    for function in module.functions:
        calls = [
            node
            for node in s.walk_scope(*function.body)
            if isinstance(node, s.Call) and module.qualify(node.func) in _DECODE
        ]
        verified = [call for call in calls if _problem(call) is None]
        for call in calls:
            problem = _problem(call)
            if problem is not None and not verified:
                yield Hit(place(module, call), f"the token is believed though {problem}")


def _problem(call: s.Call) -> str | None:
    """Return what a decode leaves out, None if it checks what it should."""
    verify = call.keyword("verify")
    if isinstance(verify, s.Constant) and verify.value is False:
        return _CHECKS["verify_signature"]
    options = call.keyword("options")
    if isinstance(options, s.Dict):
        for key, value in zip(options.keys, options.values, strict=True):
            name = s.string(key)
            if name in _CHECKS and isinstance(value, s.Constant) and value.value is False:
                return _CHECKS[name]
    algorithms = call.argument(2, "algorithms")
    if isinstance(algorithms, (s.List, s.Tuple, s.Set)):
        for element in algorithms.elts:
            if (s.string(element) or "").lower() == "none":
                return "the algorithm `none` is admitted: anybody can write it"
    return None


RULE = Rule(
    summary="a token that is believed without being checked",
    severity="error",
    mend='Verify it: `jwt.decode(token, key, algorithms=["HS256"])`, with expiry, audience and issuer.',
    module=check,
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

        def a(token: str) -> dict:
            return jwt.decode(token, options={"verify_signature": False})  # <-

        def b(token: str, key: str) -> dict:
            return jwt.decode(token, key, algorithms=["HS256"], options={"verify_exp": False})  # <-

        def c(token: str, key: str) -> dict:
            return jwt.decode(token, key, algorithms=["HS256", "none"])  # <-
        """,
    ),
    case(
        "verified, or read first to find the key",
        """
        import jwt

        def a(token: str, key: str) -> dict:
            return jwt.decode(token, key, algorithms=["HS256"])

        def b(token: str, keys: dict) -> dict:
            issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
            return jwt.decode(token, keys[issuer], algorithms=["RS256"])

        def c(text: str) -> str:
            return text.encode().decode()
        """,
    ),
)
