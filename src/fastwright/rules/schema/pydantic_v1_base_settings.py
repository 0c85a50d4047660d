"""`BaseSettings` lives in `pydantic_settings`.

Pydantic 2 moved it into a package of its own: `from pydantic import BaseSettings` raises
`PydanticImportError` when the module is imported.

An import in a `try` block, or in a module that asks for Pydantic's version, is a fallback and is
left alone. Where the version of Pydantic is not known and nothing of version 2 is used anywhere,
the import itself says that the project runs on version 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix, Import
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.schema._pydantic import is_v2, serves_both

_HOMES = frozenset({"pydantic", "pydantic.env_settings"})


def check(app: App) -> Iterator[Hit]:
    """Report imports of ``BaseSettings`` from ``pydantic``, and ``pydantic.BaseSettings``."""
    if not is_v2(app):
        return
    for module in app.model_modules:
        found = list(_uses(module.facts.body))
        if found and not serves_both(module):
            for node in found:
                message = (
                    "BaseSettings is not in Pydantic 2 any more: import it from pydantic_settings"
                )
                yield Hit(place(module, node), message, (), _moved(module, node))


def _moved(module: Module, node: s.Node) -> Fix | None:
    """Return the fix that takes the class from where it is now."""
    if not isinstance(node, s.ImportFrom):
        brought = bring(module, "pydantic_settings", "BaseSettings")
        if brought is None:
            return None
        return Fix("safe", (replace(module, node, brought.name),), brought.imports)
    if b"#" in module.source[node.start : node.end]:
        return None
    moved = next(alias for alias in node.names if alias.name == "BaseSettings")
    kept = [text(module, alias) for alias in node.names if alias is not moved]
    if not kept:
        written = f"from pydantic_settings import {text(module, moved)}"
        return Fix("safe", (replace(module, node, written),))
    needed = Import(module.path, "pydantic_settings", "BaseSettings", moved.asname)
    stays = replace(module, node, f"from {node.module} import {', '.join(kept)}")
    return Fix("safe", (stays,), (needed,))


def _uses(body: list[s.Stmt]) -> Iterator[s.Node]:
    for node in body:
        if isinstance(node, s.ImportFrom) and node.module in _HOMES and not node.level:
            if any(alias.name == "BaseSettings" for alias in node.names):
                yield node
        elif isinstance(node, s.ClassDef):
            yield from (base for base in node.bases if s.dotted(base) == "pydantic.BaseSettings")


RULE = Rule(
    summary="BaseSettings imported from Pydantic",
    severity="error",
    mend="`uv add pydantic-settings`, then `from pydantic_settings import BaseSettings`.",
    app=check,
    since={"pydantic": "2.0"},
    references=(
        "https://docs.pydantic.dev/latest/migration/#basesettings-has-moved-to-pydantic-settings",
    ),
)

CASES = (
    case(
        "settings of version 1",
        """
        from pydantic import BaseSettings, Field  # <-

        class Settings(BaseSettings):
            url: str = "sqlite://"
        """,
        after="""
        from pydantic import Field
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            url: str = "sqlite://"
        """,
        pydantic="2.9.0",
    ),
    case(
        "version unknown, but the project uses what is new in version 2",
        """
        import pydantic
        from pydantic import field_validator

        class Settings(pydantic.BaseSettings):  # <-
            url: str = "sqlite://"
        """,
        after="""
        from pydantic import field_validator
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            url: str = "sqlite://"
        """,
    ),
    case(
        "from its own package",
        """
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            url: str = "sqlite://"
        """,
        pydantic="2.9.0",
    ),
    case(
        "a fallback, and version 1 in version 2",
        """
        from pydantic.v1 import BaseSettings as OldSettings

        try:
            from pydantic_settings import BaseSettings
        except ImportError:
            from pydantic import BaseSettings
        """,
        pydantic="2.9.0",
    ),
    case(
        "Pydantic 1 is installed",
        """
        from pydantic import BaseSettings
        """,
        pydantic="1.10.13",
    ),
    case(
        "version unknown and nothing new in sight: a project on version 1",
        """
        from pydantic import BaseSettings
        """,
    ),
)
