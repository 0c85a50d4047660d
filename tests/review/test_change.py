"""The tree as it was, out of git."""

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from fastwright.project.errors import RevisionError
from fastwright.review.change import before, follow
from fastwright.review.fingerprint import Fingerprint


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
    subprocess.run(
        ["git", *identity, *arguments],
        cwd=root,
        check=True,
        capture_output=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / "api" / "app").mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    (root / "api" / "app" / "größe.py").write_text("x = 1\n")
    (root / "api" / "app" / "moved.py").write_text("".join(f"line{n} = {n}\n" for n in range(20)))
    (root / "api" / "pyproject.toml").write_text("[project]\n")
    (root / "api" / "photo.bin").write_bytes(b"\0" * 100)
    (root / "uv.lock").write_text("version = 1\n")
    (root / "other.py").write_text("y = 1\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    return root


def tree(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_text() for path in files}


def test_files_as_they_were(repository: Path) -> None:
    (repository / "api" / "app" / "größe.py").write_text("x = 2\n")
    (repository / "api" / "app" / "new.py").write_text("z = 1\n")
    with before(repository / "api", "HEAD") as old:
        found = tree(old.root)
        assert sorted(found) == ["app/größe.py", "app/moved.py", "pyproject.toml"]
        assert found["app/größe.py"] == "x = 1\n"
        assert (old.root.parent / "uv.lock").is_file()
        assert not (old.root.parent / "other.py").exists()
        kept = old.root
    assert not kept.exists()


def test_merge_base(repository: Path) -> None:
    """What happened on main since the branch left it is not part of the change."""
    git(repository, "checkout", "-qb", "feature")
    git(repository, "checkout", "-q", "main")
    (repository / "api" / "app" / "größe.py").write_text("x = 'main went on'\n")
    git(repository, "commit", "-qam", "two")
    git(repository, "checkout", "-q", "feature")
    with before(repository / "api", "main") as old:
        assert tree(old.root)["app/größe.py"] == "x = 1\n"


def test_renames_are_followed(repository: Path) -> None:
    git(repository, "mv", "api/app/moved.py", "api/app/renamed.py")
    with before(repository / "api", "HEAD") as old:
        assert old.renamed == {"app/moved.py": "app/renamed.py"}
    known = Counter({Fingerprint("app/moved.py", "rule", "f", "x"): 2})
    moved = follow(known, old.renamed)
    assert moved == Counter({Fingerprint("app/renamed.py", "rule", "f", "x"): 2})


def test_folder_that_did_not_exist(repository: Path) -> None:
    (repository / "fresh").mkdir()
    with before(repository / "fresh", "HEAD") as old:
        assert tree(old.root) == {}


@pytest.mark.parametrize("revision", ["nowhere", "--all", "", "HEAD~9"])
def test_unknown_revision(repository: Path, revision: str) -> None:
    with (
        pytest.raises(RevisionError, match="knows no revision"),
        before(repository, revision),
    ):
        pass


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match="needs a git repository"), before(tmp_path, "HEAD"):
        pass


def test_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RevisionError, match="none on the path"), before(repository, "HEAD"):
        pass
