"""Which files belong to a project, what they are, and by which names they are imported."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fastwright.project.discover import open_project
from fastwright.project.errors import PathError
from fastwright.project.source_roots import ModuleIndex


def tree(root: Path, *paths: str, **contents: str) -> Path:
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(contents.get(path, ""))
    return root


def found(path: Path) -> dict[str, str]:
    return {file.path: file.kind for file in open_project(path).files}


def test_kinds_of_files(tmp_path: Path) -> None:
    tree(
        tmp_path, "app/main.py", "app/tests/test_main.py", "conftest.py", "alembic/env.py",
        "alembic/versions/1_init.py", "app/migrations/0001_first.py", "vendor/lib.py",
        "third_party/x/y.py", "app/users_test.py",
    )  # fmt: skip
    assert found(tmp_path) == {
        "alembic/env.py": "source",
        "alembic/versions/1_init.py": "migration",
        "app/main.py": "source",
        "app/migrations/0001_first.py": "migration",
        "app/tests/test_main.py": "test",
        "app/users_test.py": "test",
        "conftest.py": "test",
        "third_party/x/y.py": "vendored",
        "vendor/lib.py": "vendored",
    }


def test_what_is_never_read(tmp_path: Path) -> None:
    tree(
        tmp_path, "main.py", ".venv/lib/a.py", "env/pyvenv.cfg", "env/b.py", "node_modules/c.py",
        "__pycache__/d.py", "x/site-packages/e.py", ".hidden/f.py", "a.egg-info/g.py", "notes.txt",
    )  # fmt: skip
    assert list(found(tmp_path)) == ["main.py"]


def test_gitignore_of_every_level_is_honoured(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    tree(tmp_path, "a/main.py", "a/generated/x.py", "a/keep/y.py", "a/keep/z.py", "build/w.py")
    (tmp_path / ".gitignore").write_text("build/\n/\n")
    (tmp_path / "a" / ".gitignore").write_text("generated\nkeep/*\n!keep/z.py\n")
    assert list(found(tmp_path)) == ["a/keep/z.py", "a/main.py"]
    assert list(found(tmp_path / "a")) == ["keep/z.py", "main.py"]


def test_a_folder_that_is_ignored_can_be_asked_about(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    tree(tmp_path, "pyproject.toml", "scratch/app/main.py")
    (tmp_path / ".gitignore").write_text("scratch/\n")
    assert list(found(tmp_path / "scratch")) == ["app/main.py"]


def test_a_folder_inside_a_project_is_read_with_the_project(tmp_path: Path) -> None:
    tree(tmp_path, "pyproject.toml", "app/__init__.py", "app/api/__init__.py", "app/api/users.py")
    project = open_project(tmp_path / "app" / "api")
    assert project.root == tmp_path
    assert [f.path for f in project.files if project.is_target(f.path)] == [
        "app/api/__init__.py",
        "app/api/users.py",
    ]


def test_a_package_without_a_project_is_read_alone(tmp_path: Path) -> None:
    tree(tmp_path, "app/__init__.py", "app/main.py", "other/huge.py")
    project = open_project(tmp_path / "app")
    assert project.root == tmp_path
    assert [file.path for file in project.files] == ["app/__init__.py", "app/main.py"]


@pytest.mark.parametrize("path", ["nowhere", "notes.txt"])
def test_what_is_no_project_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(PathError):
        open_project(tmp_path / path)


LAYOUTS = {
    "flat": (["main.py", "models.py"], "main.py", "models", "models.py"),
    "package": (["app/__init__.py", "app/db.py"], "app/__init__.py", "app.db", "app/db.py"),
    "src layout": (
        ["src/app/__init__.py", "src/app/db.py"], "src/app/__init__.py", "app.db", "src/app/db.py",
    ),
    "backend folder": (
        ["backend/app/__init__.py", "backend/app/db.py"],
        "backend/app/__init__.py", "app.db", "backend/app/db.py",
    ),
    "no __init__ anywhere": (["app/main.py", "app/db.py"], "app/main.py", "app.db", "app/db.py"),
    "no __init__, below a folder": (
        ["backend/app/main.py", "backend/app/db.py"], "backend/app/main.py", "app.db", "backend/app/db.py",
    ),
    "started inside its folder": (["app/main.py", "app/db.py"], "app/main.py", "db", "app/db.py"),
    "two applications with the same names": (
        ["a/app/__init__.py", "a/app/db.py", "b/app/__init__.py", "b/app/db.py"],
        "b/app/__init__.py", "app.db", "b/app/db.py",
    ),
    "monorepo": (
        ["packages/core/src/core/__init__.py", "services/api/api/__init__.py"],
        "services/api/api/__init__.py", "core", "packages/core/src/core/__init__.py",
    ),
    "folder without __init__ inside a package": (
        ["app/__init__.py", "app/routers/users/__init__.py"],
        "app/__init__.py", "app.routers.users", "app/routers/users/__init__.py",
    ),
    "a module named as a library is not itself": (
        ["app/core/redis.py"], "app/core/redis.py", "redis", None,
    ),
    "the standard library is not the project": (
        ["app/__init__.py", "app/json.py"], "app/__init__.py", "json", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("paths", "importer", "name", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_which_file_an_import_means(
    paths: list[str], importer: str, name: str, expected: str | None
) -> None:
    assert ModuleIndex(paths).resolve(name, importer) == expected


NAMES = {
    "src/app/api/users.py": "app.api.users",
    "backend/app/main.py": "app.main",
    "open/routers/audio/__init__.py": "open.routers.audio",
    "scripts/run.py": "scripts.run",
}


def test_names_of_modules() -> None:
    paths = [*NAMES, "src/app/__init__.py", "src/app/api/__init__.py", "backend/app/__init__.py",
             "open/__init__.py"]  # fmt: skip
    index = ModuleIndex(paths)
    assert {path: index.name(path) for path in NAMES} == NAMES
