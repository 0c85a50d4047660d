"""Which files belong to a project, what they are, and by which names they are imported."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastwright.project.discover import open_project
from fastwright.project.errors import PathError
from fastwright.project.files import Problem, find_files
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


def test_a_repository_above_the_root_has_its_say_the_nearest_last(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    tree(tmp_path, "a/b/pyproject.toml", "a/b/main.py", "a/b/kept.py", "a/b/mine.py")
    (tmp_path / ".gitignore").write_text("kept.py\n/main.py\n")
    (tmp_path / "a" / ".gitignore").write_text("!kept.py\n")
    (tmp_path / ".git" / "info" / "exclude").write_text("# what only I leave out\nmine.py\n")
    assert list(found(tmp_path / "a" / "b")) == ["kept.py", "main.py"]


def test_a_work_tree_has_the_exclude_file_of_its_repository(tmp_path: Path) -> None:
    main, other = tmp_path / "main", tmp_path / "other"
    git = "git -c user.name=a -c user.email=a@b.c -C"
    subprocess.run(
        f"git init -q {main} && {git} {main} commit -q --allow-empty -m x"
        f" && {git} {main} worktree add -q {other}",
        shell=True,
        check=True,
    )
    (main / ".git" / "info" / "exclude").write_text("mine.py\n")
    tree(other, "main.py", "mine.py")
    assert list(found(other)) == ["main.py"]


@pytest.mark.parametrize("pattern", ["/", "!", "a[", "\\", "!!", "[]", "#", " "])
def test_what_is_no_pattern_is_passed_over(tmp_path: Path, pattern: str) -> None:
    tree(tmp_path, "main.py", "left_out.py")
    (tmp_path / ".gitignore").write_text(f"{pattern}\nleft_out.py\n")
    assert list(found(tmp_path)) == ["main.py"]


PATTERNS = st.sampled_from(
    ["a", "b/", "*.py", "!a.py", "/a", "a/b", "**/b", "a/**", "*", "!*/", "?.py", "[ab].py", "/*/a.py",
     "*b", "a*", "!b", "!*.py", "c-d", "a.py"]
)  # fmt: skip
PLACES = st.lists(st.sampled_from(["a", "b", "c-d"]), max_size=3)


@settings(max_examples=300, deadline=None)
@given(
    files=st.lists(st.tuples(PLACES, st.sampled_from(["a.py", "b.py", "c.py"])), max_size=8),
    top=st.lists(PATTERNS, max_size=5),
    below=st.lists(PATTERNS, max_size=3),
)
def test_git_leaves_out_the_same_files(
    files: list[tuple[list[str], str]], top: list[str], below: list[str]
) -> None:
    with TemporaryDirectory() as name:
        root = tree(Path(name).resolve(), *("/".join([*folders, file]) for folders, file in files))
        (root / "a").mkdir(exist_ok=True)
        (root / ".gitignore").write_text("\n".join(top))
        (root / "a" / ".gitignore").write_text("\n".join(below))
        listed = subprocess.run(
            f"git init -q {root} && git -C {root} ls-files -z -o --exclude-standard -- '*.py'",
            shell=True, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        assert list(found(root)) == sorted(filter(None, listed.split("\0")))


def test_a_folder_that_is_ignored_can_be_asked_about(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    tree(tmp_path, "pyproject.toml", "scratch/app/main.py")
    (tmp_path / ".gitignore").write_text("scratch/\n")
    assert list(found(tmp_path / "scratch")) == ["app/main.py"]
    tree(tmp_path, "scratch/package/__init__.py")
    assert list(found(tmp_path / "scratch" / "package")) == ["package/__init__.py"]
    (tmp_path / "pyproject.toml").unlink()
    assert list(found(tmp_path / "scratch" / "package")) == ["package/__init__.py"]


def test_alembic_is_known_by_its_own_files(tmp_path: Path) -> None:
    tree(tmp_path, "db/script.py.mako", "db/versions/a/1.py", "db2/env.py", "db2/versions/1.py",
         "api/env.py", "api/versions/v1.py")  # fmt: skip
    (tmp_path / "db2" / "env.py").write_text("from alembic import context\n")
    assert found(tmp_path) == {
        "api/env.py": "source",
        "api/versions/v1.py": "source",
        "db/versions/a/1.py": "migration",
        "db2/env.py": "source",
        "db2/versions/1.py": "migration",
    }


def test_what_setuptools_builds_is_not_read(tmp_path: Path) -> None:
    tree(tmp_path, "setup.py", "app/main.py", "build/lib/app/main.py", "dist/app/main.py",
         "app/build/lib/x.py", "app/dist/y.py")  # fmt: skip
    assert list(found(tmp_path)) == [
        "app/build/lib/x.py",
        "app/dist/y.py",
        "app/main.py",
        "setup.py",
    ]


def test_a_project_inside_its_own_environment_is_read(tmp_path: Path) -> None:
    tree(tmp_path, "pyvenv.cfg", "main.py", "lib/python3.12/site-packages/x.py")
    assert list(found(tmp_path)) == ["main.py"]


def test_a_link_to_a_file_is_read_once_and_imports_through_it_arrive(tmp_path: Path) -> None:
    tree(tmp_path, "common/shared.py", "api/main.py", "pyproject.toml")
    outside = tree(tmp_path.parent / f"{tmp_path.name}-outside", "secret.py") / "secret.py"
    links = {
        "api/shared.py": "../common/shared.py",
        "api/gone.py": "nowhere.py",
        "api/loop.py": "loop.py",
        "api/outside.py": str(outside),
        "api/above": "..",
    }
    for link, target in links.items():
        (tmp_path / link).symlink_to(target)
    project = open_project(tmp_path)
    assert [file.path for file in project.files] == ["api/main.py", "common/shared.py"]
    assert project.index.resolve("shared", "api/main.py") == "common/shared.py"


def test_two_links_to_a_file_that_is_not_read_otherwise(tmp_path: Path) -> None:
    tree(tmp_path, ".hidden/real.py")
    for link in ("b.py", "a.py"):
        (tmp_path / link).symlink_to(".hidden/real.py")
    assert list(found(tmp_path)) == ["a.py"]


def test_what_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    tree(tmp_path, "main.py")
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff.py")).write_text("")
    os.mkfifo(tmp_path / "pipe.py")
    os.mkfifo(tmp_path / ".gitignore")
    project = open_project(tmp_path)
    assert [file.path for file in project.files] == ["main.py"]
    assert [problem.reason for problem in project.problems] == ["its name is not UTF-8"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_a_problem(tmp_path: Path) -> None:
    tree(tmp_path, "main.py", "closed/x.py")
    (tmp_path / "closed").chmod(0)
    project = open_project(tmp_path)
    (tmp_path / "closed").chmod(0o755)
    assert [file.path for file in project.files] == ["main.py"]
    assert project.problems == (Problem("closed", "permission denied"),)


def test_a_folder_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    assert find_files(tmp_path / "gone").problems == (Problem(".", "no such file or directory"),)


def test_an_unpacked_wheel_stands_for_itself(tmp_path: Path) -> None:
    tree(tmp_path, "requirements.txt", "x/app/main.py", "x/app-1.0.dist-info/METADATA")
    project = open_project(tmp_path / "x")
    assert project.root == tmp_path / "x"
    assert [file.path for file in project.files] == ["app/main.py"]


def test_a_single_file(tmp_path: Path) -> None:
    tree(tmp_path, "pyproject.toml", "app/main.py", "app/mainly.py")
    project = open_project(tmp_path / "app" / "main.py")
    assert project.root == tmp_path
    assert [f.path for f in project.files if project.is_target(f.path)] == ["app/main.py"]


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


@pytest.mark.parametrize("path", ["nowhere", "notes.txt", "nul\0", "x" * 5000])
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
    "each service its own tests": (
        ["a/app/__init__.py", "b/app/__init__.py", "b/tests/test_app.py"],
        "b/tests/test_app.py", "app", "b/app/__init__.py",
    ),
    "the root before a service next door": (
        ["services/a/x/__init__.py", "services/b/x/__init__.py", "services/b/y.py", "x/__init__.py"],
        "scripts/run.py", "x", "x/__init__.py",
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


def test_folders_with_a_project_file_are_source_roots(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "services/api/pyproject.toml",
        "services/api/app/main.py",
        "services/api/app/db.py",
    )
    index = open_project(tmp_path).index
    assert index.resolve("app.db", "services/api/app/main.py") == "services/api/app/db.py"
    assert index.name("services/api/app/main.py") == "app.main"


@pytest.mark.parametrize("given", ["backend", "./backend/", "backend//"])
def test_source_roots_that_the_configuration_names(given: str) -> None:
    index = ModuleIndex(["backend/__init__.py", "backend/app/db.py", "run.py"], roots=[given])
    assert index.name("backend/app/db.py") == "app.db"
    assert index.resolve("app.db", "run.py") == "backend/app/db.py"


def test_the_project_itself_is_no_dependency_of_its_tests(tmp_path: Path) -> None:
    tree(tmp_path, "src/shop/__init__.py", "src/shop/db.py", "tests/test_db.py")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    (tmp_path / "uv.lock").write_text(
        '[[package]]\nname = "shop"\nversion = "0.1.0"\nsource = { editable = "." }\n'
    )
    assert open_project(tmp_path).index.resolve("shop.db", "tests/test_db.py") == "src/shop/db.py"


def test_who_asks_first_does_not_matter() -> None:
    """A module is never what it imports itself, though its neighbour may mean it."""
    paths = ["app/core/cache.py", "app/core/main.py"]
    for order in (paths, paths[::-1]):
        index = ModuleIndex(paths)
        answers = {importer: index.resolve("cache", importer) for importer in order}
        assert answers == {"app/core/main.py": "app/core/cache.py", "app/core/cache.py": None}


DOTTED = st.lists(st.sampled_from(["a", "b", "src", "json", ""]), max_size=4).map(".".join)
TREES = st.lists(
    st.lists(st.sampled_from(["a", "b", "src"]), max_size=3).flatmap(
        lambda folders: st.sampled_from(["a.py", "b.py", "__init__.py", "json.py"]).map(
            lambda name: "/".join([*folders, name])
        )
    ),
    min_size=1, max_size=8, unique=True,
)  # fmt: skip


@given(paths=TREES, dotted=DOTTED)
def test_any_tree_gives_files_of_its_own_and_the_same_in_any_order(
    paths: list[str], dotted: str
) -> None:
    index, again = ModuleIndex(paths), ModuleIndex(reversed(paths))
    for importer in paths:
        answer = index.resolve(dotted, importer)
        assert answer is None or answer in paths
    for importer in reversed(paths):
        assert again.resolve(dotted, importer) == index.resolve(dotted, importer)
        assert again.name(importer) == index.name(importer)


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
