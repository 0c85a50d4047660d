"""Where a project says that its application is: `[tool.fastapi] entrypoint` (FastAPI's own command reads it)."""

from __future__ import annotations

import tomllib
from pathlib import Path


def written_entrypoint(root: Path) -> str | None:
    """Return ``package.module:app`` of a project's pyproject.toml, None where it says nothing.

    Source: https://fastapi.tiangolo.com/fastapi-cli/
    """
    try:
        document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    tool = document.get("tool")
    section = tool.get("fastapi") if isinstance(tool, dict) else None
    found = section.get("entrypoint") if isinstance(section, dict) else None
    return found if isinstance(found, str) else None
