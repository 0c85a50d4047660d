"""The manifest of the corpus, and where its parts live on disk."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

MANIFEST = Path(__file__).with_name("corpus.toml")


@dataclass(frozen=True)
class Runtime:
    """How to get a running application's own route table."""

    extras: list[str] = field(default_factory=list)
    requirements: list[str] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    prepare: str = ""
    timeout: int = 240


@dataclass(frozen=True)
class Aside:
    """Routes that are not judged, and why."""

    pattern: str
    why: str


@dataclass(frozen=True)
class Application:
    """One application of the corpus."""

    name: str
    version: str
    packages: list[str]
    lines: int
    apps: list[str]
    note: str = ""
    runtime: Runtime | None = None
    runtime_skipped: str = ""
    aside: list[Aside] = field(default_factory=list)

    @property
    def source(self) -> Path:
        """The unpacked wheel: the root that is reviewed."""
        return cache() / "src" / self.name

    @property
    def truth(self) -> Path:
        """The stored route table of the running application."""
        return cache() / "truth" / f"{self.name}.json"

    @property
    def environment(self) -> Path:
        """The virtual environment that the application runs in."""
        return cache() / "venvs" / self.name


def cache() -> Path:
    """Return the folder, outside the repository, of everything that is fetched or built."""
    configured = os.environ.get("FASTWRIGHT_CORPUS")
    return Path(configured) if configured else Path.home() / ".cache" / "fastwright-corpus"


def applications() -> list[Application]:
    """Read the manifest."""
    document = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    return [_application(entry) for entry in document["application"]]


def _application(entry: dict[str, Any]) -> Application:
    runtime = entry.pop("runtime", None)
    aside = [Aside(**item) for item in entry.pop("aside", [])]
    return Application(
        **entry, runtime=None if runtime is None else Runtime(**runtime), aside=aside
    )


def add_names(parser: argparse.ArgumentParser) -> None:
    """Let a script take the names of applications, by default all."""
    names = [application.name for application in applications()]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")


def chosen(names: Sequence[str]) -> list[Application]:
    """Return the applications of these names, all of them if there are none."""
    known = {application.name: application for application in applications()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"not in {MANIFEST.name}: {', '.join(unknown)}")
    return [known[name] for name in names] or list(known.values())
