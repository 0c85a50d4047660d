"""Versions are read from what lies on the disk, and say only what is sure."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastwright.project.versions import read_versions

WHEEL = "shop-1.0.dist-info/METADATA"
SOURCES = {
    "uv.lock": ('[[package]]\nname = "fastapi"\nversion = "0.120.1"\n', True, False),
    "poetry.lock": ('[[package]]\nname = "fastapi"\nversion = "0.100.0"\n', False, False),
    "requirements.txt": ("fastapi[standard]==0.115.2  # pinned\n", True, False),
    "pyproject.toml": ('[project]\ndependencies = ["fastapi>=0.110"]\n', None, None),
    WHEEL: ("Requires-Dist: fastapi<0.116.0,>=0.115.11\n", True, False),
    ".venv/lib/python3.12/site-packages/fastapi-0.137.0.dist-info/METADATA": ("", True, True),
}


@pytest.mark.parametrize("path", SOURCES)
def test_where_versions_are_read(tmp_path: Path, path: str) -> None:
    text, at_least_115, at_least_137 = SOURCES[path]
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    versions = read_versions(tmp_path)
    assert versions.at_least("fastapi", "0.115") is at_least_115
    assert versions.at_least("FastAPI", "0.137") is at_least_137
    assert versions.at_least("sqlmodel", "0.0.1") is None


NEWEST = {
    "fastapi==0.103.1": (0, 103, 1),
    "fastapi>=0.136.1,<0.137": (0, 136, 9999),
    "fastapi~=0.115.0": (0, 115, 9999),
    "fastapi>=0.110,<1": (0, 9999),
    "fastapi>=0.110,<1.0.0": (0, 9999),
    "fastapi>=0.110": None,
    "fastapi": None,
}


@pytest.mark.parametrize("requirement", NEWEST)
def test_the_newest_that_may_be_installed(tmp_path: Path, requirement: str) -> None:
    (tmp_path / "requirements.txt").write_text(requirement + "\n")
    assert read_versions(tmp_path).newest("fastapi") == NEWEST[requirement]


@pytest.mark.parametrize("path", ["uv.lock", "Pipfile.lock", "pyproject.toml", "requirements.txt"])
def test_broken_files_count_as_absent(tmp_path: Path, path: str) -> None:
    (tmp_path / path).write_bytes(b"\xff\x00[[[{")
    assert read_versions(tmp_path).at_least("fastapi", "0.1") is None


def test_import_names_of_declared_dependencies(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("PyJWT\npython-dotenv>=1\nfast-api-utils\n")
    assert read_versions(tmp_path).declared == {"jwt", "dotenv", "fast_api_utils"}
