"""Authentication: who must prove who they are, understood by what code does.

A callable authenticates when it reads credentials from the request (a security scheme of
FastAPI, the Authorization header, a cookie, a session, an API key) and refuses with 401 or 403
(or with an exception that says so), itself or in what it calls.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

from fastwright.app.calls import CallGraph
from fastwright.app.dependencies import Dependencies, Dependency
from fastwright.app.raises import Raises
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function, Variable
from fastwright.app.types import ExternalValue, Instance
from fastwright.read import syntax as s

_SCHEMES = frozenset(
    f"fastapi.security.{name}"
    for name in (
        "APIKeyCookie", "APIKeyHeader", "APIKeyQuery", "HTTPBase", "HTTPBasic", "HTTPBearer",
        "HTTPDigest", "OAuth2", "OAuth2AuthorizationCodeBearer", "OAuth2PasswordBearer",
        "OpenIdConnect", "SecurityBase",
    )
)  # fmt: skip
"""Security schemes of FastAPI; ``OAuth2PasswordRequestForm`` reads a form, and refuses nobody."""
_CREDENTIAL = re.compile(
    r"authori[sz]ation|token|api[-_]?key|cookie|session|credential|jwt|bearer|secret|signature"
    r"|x[-_]user|current[-_]?user|principal",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"unauthori[sz]ed|forbidden|authenticat|permission|credential|access_?denied|not_?allowed"
    r"|invalid_?token|token_?(expired|invalid)|notauth|login_?required",
    re.IGNORECASE,
)
_DEPTH = 6
_REFUSED = frozenset({401, 403})


class Authentication(msgspec.Struct, frozen=True, eq=False):
    """That a request must be authenticated, and by what."""

    by: str
    """Label of the dependency, decorator or function."""
    dependency: Dependency | None


@dataclass(eq=False)
class Authenticators:
    """Decides which callables authenticate."""

    calls: CallGraph
    raises: Raises
    dependencies: Dependencies
    _refuses: dict[int, bool] = field(default_factory=dict)
    _reads: dict[int, bool] = field(default_factory=dict)

    def of_dependencies(self, trees: tuple[Dependency, ...]) -> Authentication | None:
        """Return by which of the dependencies the caller is authenticated, or None."""
        for tree in trees:
            if self.authenticates(tree):
                return Authentication(tree.label, tree)
        return None

    def authenticates(self, dependency: Dependency) -> bool:
        """Whether a dependency, or one below it, refuses those who do not say who they are."""
        if dependency.external in _SCHEMES:
            return not self._is_optional(dependency, "auto_error", off="False")
        made_by = (dependency.external or "").removesuffix("()")
        switch = self.calls.linker.library.authenticating.get(made_by)
        if switch is not None:
            return not self._is_optional(dependency, switch, off="True")
        if any(self.authenticates(child) for child in dependency.children):
            return True
        function = dependency.function
        if function is None:
            return dependency.external is not None and bool(_CREDENTIAL.search(dependency.label))
        reads = self.reads_credentials(function) or any(
            child.external in _SCHEMES
            for child in dependency.walk()
        ) or any(
            child.function is not None and self.reads_credentials(child.function)
            for child in dependency.children
        )  # fmt: skip
        return self.refuses(function) and reads

    def _is_optional(self, dependency: Dependency, switch: str, off: str) -> bool:
        """``OAuth2PasswordBearer(..., auto_error=False)``: it refuses nobody by itself."""
        given = dependency.node
        provider: s.Expr | None = (
            given.argument(0, "dependency") if isinstance(given, s.Call) else None
        )
        symbol = self.calls.linker.expression(provider, dependency.module)
        if isinstance(symbol, Variable):
            provider = symbol.value
        flag = provider.keyword(switch) if isinstance(provider, s.Call) else None
        return isinstance(flag, s.Constant) and str(flag.value) == off

    def refuses(self, function: Function, depth: int = 0) -> bool:
        """Whether a function, or one that it calls, answers 401 or 403."""
        key = id(function.node)
        if key in self._refuses:
            return self._refuses[key]
        self._refuses[key] = False
        found = any(
            raised.status in _REFUSED or (raised.status is None and _REFUSAL.search(raised.name))
            for raised in self.raises.of(function)
        ) or self._answers_refusal(function)
        if not found and depth < _DEPTH:
            found = any(
                self.refuses(target, depth + 1)
                for site in self.calls.sites(function)
                for target in site.targets
            )
        self._refuses[key] = bool(found)
        return bool(found)

    def _answers_refusal(self, function: Function) -> bool:
        """``return JSONResponse(status_code=401)``: how middleware and some helpers refuse."""
        for site in self.calls.sites(function):
            given = site.node.keyword("status_code")
            if given is None:
                continue
            if isinstance(given, s.Constant) and given.value in _REFUSED:
                return True
            if re.search(r"HTTP_40[13]_|UNAUTHORIZED|FORBIDDEN", s.dotted(given) or ""):
                return True
        return False

    def reads_credentials(self, function: Function, depth: int = 0) -> bool:
        """Whether a function takes credentials from the request."""
        key = id(function.node)
        if key in self._reads:
            return self._reads[key]
        self._reads[key] = False
        found = any(
            parameter.kind in {"header", "cookie", "query"} and _CREDENTIAL.search(parameter.alias)
            for parameter in self.dependencies.parameters(function)
        ) or any(self._is_credential(node, function) for node, _ in self.calls.nodes(function))
        if not found and depth < _DEPTH:
            found = any(
                self.reads_credentials(target, depth + 1)
                for site in self.calls.sites(function)
                for target in site.targets
                if self._passes_request(site.node, function)
            )
        self._reads[key] = bool(found)
        return bool(found)

    def _is_credential(self, node: s.Node, function: Function) -> bool:
        """``request.headers["authorization"]``, ``request.cookies.get("session")``, ``request.state.user``."""
        if isinstance(node, s.Attribute) and node.attr in {"session", "user", "auth"}:
            return self._is_request(node.value, function)
        if isinstance(node, (s.Subscript, s.Call)):
            base = node.value if isinstance(node, s.Subscript) else node.func
            text = s.dotted(base) or ""
            key = node.slice if isinstance(node, s.Subscript) else node.argument(0, "key")
            if re.search(r"\b(headers|cookies|session|state)\b", text):
                if self._is_database(base, function):
                    return False
                value = s.string(key)
                return value is None or bool(_CREDENTIAL.search(value))
        return False

    def _is_database(self, base: s.Expr, function: Function) -> bool:
        """Whether ``session.get`` is asked of a database, and not of what the browser sent."""
        return isinstance(base, s.Attribute) and self._is_session(base.value, function)

    def _is_session(self, node: s.Expr, function: Function) -> bool:
        """Whether something is a session of the database."""
        found = self.calls.types.of(node, Where(function.module, function))
        return self.calls.types.session_kind(found) is not None

    def _is_request(self, node: s.Expr, function: Function) -> bool:
        found = self.calls.types.of(node, Where(function.module, function))
        return isinstance(found, Instance) and found.cls in {
            "fastapi.Request", "fastapi.requests.HTTPConnection", "fastapi.websockets.WebSocket",
            "fastapi.State",
        }  # fmt: skip

    def _passes_request(self, call: s.Call, function: Function) -> bool:
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        return any(
            self._is_request(argument, function)
            or (
                bool(_CREDENTIAL.search(s.dotted(argument) or ""))
                and not self._is_session(argument, function)
            )
            for argument in given
        )

    def in_body(self, function: Function) -> Authentication | None:
        """Return by which decorator or call a function itself authenticates its caller, or None."""
        types = self.calls.types
        for decorator in function.node.decorators:
            target = decorator.func if isinstance(decorator, s.Call) else decorator
            found = types.of(target, Where(function.module, function.outer))
            if (
                isinstance(found, ExternalValue)
                and found.name == "starlette.authentication.requires"
            ):
                return Authentication("requires", None)
            runs = self.dependencies.runs(found)
            if runs is not None and self._nested_refuses(runs):
                return Authentication(runs.name, None)
        for site in self.calls.sites(function):
            for target_function in site.targets:
                if self.refuses(target_function) and (
                    self.reads_credentials(target_function)
                    or self._passes_request(site.node, function)
                ):
                    return Authentication(target_function.name, None)
        if self.refuses(function) and self.reads_credentials(function):
            return Authentication(function.name, None)
        return None

    def _nested_refuses(self, decorator: Function) -> bool:
        """Whether a decorator, or the wrapper inside it, refuses."""
        if self.refuses(decorator):
            return True
        scope = self.calls.linker.local_scope(decorator)
        return any(
            isinstance(binding, Function) and self._nested_refuses(binding)
            for binding in scope.names.values()
        )
