"""A development server listens on the own machine only.

`uvicorn.run(..., host="0.0.0.0", reload=True)` gives everybody in the same network the application as it
is being written: without TLS, with the debug answers and the data of the developer (CWE-1327).

This rule is off unless it is selected, because the address alone proves nothing: in a container a server
has to listen on every interface, a development server too. Reported is a server that is started with a
literal `0.0.0.0` or `::` *and* a literal `reload=True`; an address from settings, an argument or the
command line is left alone, and so is a server that does not reload.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what is looked for
_SERVERS = frozenset({"uvicorn.run", "uvicorn.Config"})


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report each development server that every interface reaches."""
    if module.kind != "source" or not any(
        fact.module == "uvicorn" for fact in module.header.imports
    ):
        return
    for node in module.walk():
        if not isinstance(node, s.Call) or module.qualify(node.func) not in _SERVERS:
            continue
        host, reload = node.keyword("host"), node.keyword("reload")
        if host is not None and s.string(host) in _EVERYWHERE and _is_true(reload):
            message = f"a server that reloads listens on every interface ({s.string(host)})"
            proof = (evidence(module, host, "the address"), evidence(module, node, "reload=True"))
            local = '"127.0.0.1"' if s.string(host) == "0.0.0.0" else '"::1"'  # noqa: S104
            fix = Fix("suggest", (replace(module, host, local),))
            yield Hit(place(module, node), message, proof, fix)


def _is_true(node: s.Expr | None) -> bool:
    return isinstance(node, s.Constant) and node.value is True


RULE = Rule(
    summary="a development server that listens on every interface",
    severity="info",
    confidence="low",
    default=False,
    mend='Use `host="127.0.0.1"` beside `reload=True`, or take the address from the settings.',
    module=check,
    references=("https://www.uvicorn.org/settings/#socket-binding", "CWE-1327"),
)

CASES = (
    case(
        "reloads, and is open to the network",
        """
        import uvicorn

        def main() -> None:
            uvicorn.run("main:app", host="0.0.0.0", port=8000, reload=True)  # <-
        """,
        after="""
        import uvicorn

        def main() -> None:
            uvicorn.run("main:app", host="127.0.0.1", port=8000, reload=True)
        """,
    ),
    case(
        "as a container starts it",
        """
        import uvicorn

        if __name__ == "__main__":
            uvicorn.run("main:app", host="0.0.0.0", port=8000)
        """,
    ),
    case(
        "the own machine only, or as the caller says",
        """
        import uvicorn

        def main(host: str = "0.0.0.0") -> None:
            uvicorn.run("main:app", host=host, reload=True)
            uvicorn.run("main:app", host="127.0.0.1", reload=True)
        """,
    ),
)
