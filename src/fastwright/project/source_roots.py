"""Which file a dotted name means (placeholder by the lead until the project/ helper's version lands)."""

from __future__ import annotations

from collections.abc import Iterable


class ModuleIndex:
    """Dotted names of a set of paths below one root."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_name: dict[str, str] = {}
        self._dirs: set[str] = set()
        for path in paths:
            name = self.name(path)
            self._by_name[name] = path
            parts = name.split(".")
            self._dirs.update(".".join(parts[:i]) for i in range(1, len(parts)))

    @classmethod
    def of_paths(cls, paths: Iterable[str]) -> ModuleIndex:
        """Return the index of a list of paths."""
        return cls(paths)

    def name(self, path: str) -> str:
        """Return the dotted name of a path."""
        name = path.removesuffix(".py").replace("/", ".")
        return name.removesuffix(".__init__")

    def resolve(self, dotted: str, importer: str) -> str | None:
        """Return the path of a module, or None."""
        return self._by_name.get(dotted)

    def is_package_dir(self, dotted: str, importer: str) -> bool:
        """Whether a dotted name is a folder without ``__init__``."""
        return dotted in self._dirs
