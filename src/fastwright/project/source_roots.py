"""Which file a dotted name means: source roots, ``src`` layouts, namespace folders, monorepos."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping


class ModuleIndex:
    """Dotted names of the Python files below one root.

    A source root is a folder that absolute imports start from: the project's root, ``src``
    folders, folders with a project file of their own, and the parent of each top package. An
    import that fits none of them is tried in the folders above the importing file, outermost
    first: that is how applications without ``__init__`` files import their own modules.

    ``declared`` are the import names of other people's packages, ``roots`` the source roots that
    the configuration names, ``links`` the paths that lead to files of the index (link -> file),
    and ``project_folders`` the folders with a project file. Nothing here raises.
    """

    def __init__(
        self,
        paths: Iterable[str],
        declared: frozenset[str] = frozenset(),
        roots: Iterable[str] = (),
        *,
        links: Mapping[str, str] | None = None,
        project_folders: Iterable[str] = (),
    ) -> None:
        paths = frozenset(paths)
        self._files = {**(links or {}), **{path: path for path in paths}}
        self._outside = declared | sys.stdlib_module_names
        self._packages = {_folder(path) for path in self._files if path.endswith("__init__.py")}
        self._folders = {folder for path in self._files for folder in _above(_folder(path))}
        self._given = tuple(filter(None, (_normal(root) for root in roots)))
        projects = [folder for folder in project_folders if folder in self._folders]
        sources = [folder for folder in sorted(self._folders) if _name(folder) == "src"]
        self._named = frozenset((*projects, *sources))
        self.roots = self._find_roots()
        self._tops = {root: self._top_names(root) for root in self.roots}
        self._roots_near: dict[str, tuple[str, ...]] = {}
        self._by_folder: dict[str, dict[str, str | None]] = {}
        self._by_importer: dict[str, dict[str, str | None]] = {}
        self._package_dirs: dict[tuple[str, str], bool] = {}
        self._names: dict[str, str] = {}

    @classmethod
    def of_paths(cls, paths: Iterable[str]) -> ModuleIndex:
        """Return the index of a list of paths."""
        return cls(paths)

    def _find_roots(self) -> tuple[str, ...]:
        found = dict.fromkeys(("", *self._given))
        for package in sorted(self._packages):
            found.setdefault(_folder(self._top_package(package) or ""), None)
        found.update(dict.fromkeys(sorted(self._named)))
        return tuple(found)

    def _top_names(self, root: str) -> frozenset[str]:
        prefix = f"{root}/" if root else ""
        return frozenset(
            path[len(prefix) :].split("/", 1)[0].removesuffix(".py")
            for path in self._files
            if path.startswith(prefix)
        )

    def root_of(self, path: str) -> str:
        """Return the source root that the module at ``path`` is named from.

        In order: a root that the configuration names, the parent of its top package, the nearest
        ``src`` folder or folder with a project file, the project's root.
        """
        given = [root for root in self._given if _below(path, root)]
        if given:
            return max(given, key=len)
        folder = _folder(path)
        top = self._top_package(folder)
        if top is not None:
            return _folder(top)
        return next((above for above in _above(folder) if above in self._named), "")

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
        seen = self._by_importer.get(importer)
        if seen is None:
            folder = _folder(importer)
            seen = self._by_importer[importer] = self._by_folder.setdefault(folder, {})
        if dotted in seen:
            found = seen[dotted]
        else:
            found = seen[dotted] = self._find(dotted, _folder(importer))
        if found == importer:  # its own name, or a guess that does not hold for this file
            return self._find(dotted, _folder(importer), importer)
        return found

    def _find(self, dotted: str, folder: str, but: str = "") -> str | None:
        """Return the file that ``dotted`` means in a folder; a guess is never the file ``but``."""
        if not dotted:
            return None
        first = dotted.partition(".")[0]
        relative = dotted.replace(".", "/")
        own, *others = self._near(folder)
        if first in self._tops[own] and self._may_be_own(first, own, folder):
            found = self._file(own, relative)
            if found is not None:
                return found
        if first in self._outside:
            return None
        for root in others:
            if first in self._tops[root]:
                found = self._file(root, relative)
                if found is not None:
                    return found
        for above in reversed(_above(folder)):
            found = self._file(above, relative)
            if found is not None and found != but:
                return found
        return None

    def _near(self, folder: str) -> tuple[str, ...]:
        """Return the source roots as a folder sees them: its own, those above it, the nearest others."""
        found = self._roots_near.get(folder)
        if found is None:
            own = self.root_of(f"{folder}/" if folder else "")
            others = [root for root in self.roots if root != own]
            others.sort(key=lambda root: (not _leads_to(root, folder), -_shared(root, folder)))
            found = self._roots_near[folder] = (own, *others)
        return found

    def _may_be_own(self, first: str, root: str, folder: str) -> bool:
        """``import redis`` in ``app/redis.py`` is not itself; in the package ``redis`` it is."""
        if first not in self._outside:
            return True
        top = f"{root}/{first}" if root else first
        return top in self._packages and _below(f"{folder}/", top)

    def _file(self, root: str, relative: str) -> str | None:
        base = f"{root}/{relative}" if root else relative
        return self._files.get(f"{base}/__init__.py") or self._files.get(f"{base}.py")

    def is_package_dir(self, dotted: str, importer: str) -> bool:
        """Return whether ``dotted`` is a folder of the project without an ``__init__``."""
        key = (_folder(importer), dotted)
        found = self._package_dirs.get(key)
        if found is None:
            found = self._package_dirs[key] = self._is_package_dir(dotted, key[0])
        return found

    def _is_package_dir(self, dotted: str, folder: str) -> bool:
        relative = dotted.replace(".", "/")
        first = dotted.partition(".")[0]
        if not dotted or first in self._outside:
            return False
        candidates = [*self.roots, *_above(folder)]
        return any(
            (f"{root}/{relative}" if root else relative) in self._folders for root in candidates
        )


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _normal(folder: str) -> str:
    """Return a folder as paths have it: ``./src/`` is ``src``, ``.`` is the root."""
    return "/".join(part for part in folder.split("/") if part not in {"", "."})


def _below(path: str, folder: str) -> bool:
    return not folder or path.startswith(folder + "/")


def _leads_to(root: str, folder: str) -> bool:
    return folder == root or _below(folder, root)


def _shared(root: str, folder: str) -> int:
    """Return how many of the folders that lead to ``root`` lead to ``folder``, too."""
    count = 0
    for one, other in zip(root.split("/"), folder.split("/"), strict=False):
        if not one or one != other:
            break
        count += 1
    return count


def _above(folder: str) -> list[str]:
    """Return a folder and all above it, innermost first, without the root."""
    found: list[str] = []
    while folder:
        found.append(folder)
        folder = _folder(folder)
    return found
