"""Which file a dotted name means: source roots, ``src`` layouts, namespace folders, monorepos."""

from __future__ import annotations

import sys
from collections.abc import Iterable


class ModuleIndex:
    """Dotted names of the Python files below one root.

    A source root is a folder that absolute imports start from: the project's root, ``src``
    folders, folders with a project file of their own, and the parent of each top package. An
    import that fits none of them is tried in the folders above the importing file, outermost
    first: that is how applications without ``__init__`` files import their own modules.
    """

    def __init__(
        self,
        paths: Iterable[str],
        declared: frozenset[str] = frozenset(),
        roots: Iterable[str] = (),
    ) -> None:
        self._paths = frozenset(paths)
        self._outside = declared | sys.stdlib_module_names
        self._packages = {_folder(p) for p in self._paths if p.endswith("__init__.py")}
        self._folders = {folder for path in self._paths for folder in _above(_folder(path))}
        self.roots = self._find_roots(roots)
        self._resolved: dict[tuple[str, str], str | None] = {}
        self._names: dict[str, str] = {}
        self._tops = {root: self._top_names(root) for root in self.roots}

    @classmethod
    def of_paths(cls, paths: Iterable[str]) -> ModuleIndex:
        """Return the index of a list of paths."""
        return cls(paths)

    def _find_roots(self, given: Iterable[str]) -> tuple[str, ...]:
        found = {"": None, **{root.strip("/"): None for root in given}}
        for package in sorted(self._packages):
            found.setdefault(_folder(self._top_package(package) or ""), None)
        for folder in sorted(self._folders):
            if folder.rsplit("/", 1)[-1] == "src":
                found.setdefault(folder, None)
        return tuple(found)

    def _top_names(self, root: str) -> frozenset[str]:
        prefix = f"{root}/" if root else ""
        return frozenset(
            path[len(prefix) :].split("/", 1)[0].removesuffix(".py")
            for path in self._paths
            if path.startswith(prefix)
        )

    def root_of(self, path: str) -> str:
        """Return the source root that the module at ``path`` is named from."""
        top = self._top_package(_folder(path))
        if top is not None:
            return _folder(top)
        candidates = [r for r in self.roots if r.rsplit("/", 1)[-1] == "src" and _below(path, r)]
        return max(candidates, key=len, default="")

    def _top_package(self, folder: str) -> str | None:
        """Return the outermost package that holds a folder; folders without ``__init__`` between count."""
        packages = [above for above in _above(folder) if above in self._packages]
        return packages[-1] if packages else None

    def name(self, path: str) -> str:
        """Return the dotted name of the module at ``path``."""
        found = self._names.get(path)
        if found is None:
            root = self.root_of(path)
            relative = path[len(root) + 1 :] if root else path
            found = relative.removesuffix(".py").replace("/", ".")
            found = found.removesuffix(".__init__")
            self._names[path] = found
        return found

    def resolve(self, dotted: str, importer: str) -> str | None:
        """Return the path of the module ``dotted`` as the file ``importer`` sees it, or None."""
        key = (_folder(importer), dotted)
        if key in self._resolved:
            return self._resolved[key]
        found = self._resolved[key] = self._find(dotted, importer)
        return found

    def _find(self, dotted: str, importer: str) -> str | None:
        if not dotted:
            return None
        first = dotted.partition(".")[0]
        own = self.root_of(importer)
        relative = dotted.replace(".", "/")
        if first in self._tops.get(own, ()) and self._may_be_own(first, own, importer):
            found = self._file(own, relative)
            if found is not None:
                return found
        for root in self.roots:
            if root != own and first in self._tops[root] and first not in self._outside:
                found = self._file(root, relative)
                if found is not None:
                    return found
        if first in self._outside:
            return None
        for folder in reversed(list(_above(_folder(importer)))):
            found = self._file(folder, relative)
            if found is not None and found != importer:
                return found
        return None

    def _may_be_own(self, first: str, root: str, importer: str) -> bool:
        """``import redis`` in ``app/redis.py`` is not itself; in the package ``redis`` it is."""
        if first not in self._outside:
            return True
        top = f"{root}/{first}" if root else first
        return top in self._packages and _below(importer, top)

    def _file(self, root: str, relative: str) -> str | None:
        base = f"{root}/{relative}" if root else relative
        for path in (f"{base}/__init__.py", f"{base}.py"):
            if path in self._paths:
                return path
        return None

    def is_package_dir(self, dotted: str, importer: str) -> bool:
        """Return whether ``dotted`` is a folder of the project without an ``__init__``."""
        relative = dotted.replace(".", "/")
        first = dotted.partition(".")[0]
        if not dotted or first in self._outside:
            return False
        candidates = [*self.roots, *_above(_folder(importer))]
        return any(
            (f"{root}/{relative}" if root else relative) in self._folders for root in candidates
        )


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _below(path: str, folder: str) -> bool:
    return not folder or path.startswith(folder + "/")


def _above(folder: str) -> list[str]:
    """Return a folder and all above it, innermost first, without the root."""
    found: list[str] = []
    while folder:
        found.append(folder)
        folder = _folder(folder)
    return found
