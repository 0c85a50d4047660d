"""Versions are read from what lies on the disk, and say only what is sure."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastwright.project.versions import Version, _pyproject, _toml_lock, read_versions

WHEEL = "shop-1.0.dist-info/METADATA"
SOURCES = {
    "uv.lock": ('[[package]]\nname = "fastapi"\nversion = "0.120.1"\n', True, False),
    "poetry.lock": ('[[package]]\nname = "fastapi"\nversion = "0.100.0"\n', False, False),
    "requirements.txt": ("fastapi[standard]==0.115.2  # pinned\n", True, False),
    "pyproject.toml": ('[project]\ndependencies = ["fastapi>=0.110"]\n', None, None),
    "pdm.lock": ('[[package]]\nname = "fastapi"\nversion = "0.137.1"\n', True, True),
    "Pipfile.lock": ('{"default": {"fastapi": {"version": "==0.116.0"}}}', True, False),
    "setup.cfg": ("[options]\ninstall_requires =\n    fastapi>=0.116,<0.130\n", True, False),
    "requirements/base.txt": ("fastapi==0.90\n", False, False),
    "requirements-dev.txt": ("FastAPI ~= 0.115.0\n", True, False),
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


BOUNDS = {
    "pydantic==2.*": (True, None, False),
    "pydantic==2.5": (True, True, False),
    "pydantic>=2": (True, None, None),
    "pydantic>2,<3": (True, None, False),
    "pydantic<3": (None, None, None),
    "pydantic!=2.1": (None, None, None),
    "pydantic (>=1.10)": (None, None, None),
    "pydantic[email]>=2.5 ; python_version < '3.12'": (True, True, None),
    "pydantic @ https://x/pydantic-2.5.whl": (None, None, None),
}


@pytest.mark.parametrize("requirement", BOUNDS)
def test_what_a_requirement_says_of_2_and_2_5_and_3(tmp_path: Path, requirement: str) -> None:
    (tmp_path / "requirements.txt").write_text(requirement + "\n")
    versions = read_versions(tmp_path)
    assert tuple(versions.at_least("pydantic", v) for v in ("2", "2.5", "3")) == BOUNDS[requirement]


POETRY = {
    "^2.5": (True, True, False),
    "~2.5": (True, True, False),
    "2.5.1": (True, True, False),
    "*": (None, None, None),
    "^1.10 || ^2.0": (None, None, None),
}


@pytest.mark.parametrize("bound", POETRY)
def test_what_poetry_says_of_2_and_2_5_and_3(tmp_path: Path, bound: str) -> None:
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.poetry.dependencies]\npython = "^3.11"\npydantic = "{bound}"\n'
    )
    versions = read_versions(tmp_path)
    assert tuple(versions.at_least("pydantic", v) for v in ("2", "2.5", "3")) == POETRY[bound]
    assert versions.declared == {"pydantic"}


@pytest.mark.parametrize(
    ("requirements", "is_new"),
    [
        ("fastapi==0.65.2", False),
        ("fastapi==0.65.2\npydantic>=1.8", False),
        ("sqlmodel==0.0.8", False),
        ("fastapi==0.99\npydantic==2.0", True),  # whatever that comes to
        ("fastapi>=0.65", None),
        ("fastapi==0.115.0", None),
    ],
)
def test_old_libraries_work_with_an_old_pydantic(
    tmp_path: Path, requirements: str, is_new: object
) -> None:
    (tmp_path / "requirements.txt").write_text(requirements)
    assert read_versions(tmp_path).at_least("pydantic", "2") is is_new


def test_the_surest_source_goes_first(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["fastapi>=0.110"]\n')
    (tmp_path / "requirements.txt").write_text("fastapi==0.111.0\n")
    assert read_versions(tmp_path).found["fastapi"].source == "requirements.txt"
    (tmp_path / "uv.lock").write_text('[[package]]\nname = "fastapi"\nversion = "0.112.0"\n')
    known = read_versions(tmp_path).found["fastapi"]
    assert known == Version("0.112.0", "uv.lock", exact=True)


def test_what_is_locked_twice_is_at_least_the_lower(tmp_path: Path) -> None:
    block = '[[package]]\nname = "pydantic"\nversion = "{}"\n\n'
    (tmp_path / "uv.lock").write_text(block.format("2.9.1") + block.format("1.10.2"))
    versions = read_versions(tmp_path)
    assert [versions.at_least("pydantic", v) for v in ("1.10", "2")] == [True, None]


def test_a_lock_file_is_read_as_toml_would_be() -> None:
    """Ours is read line by line, for speed."""
    root = Path(__file__).parents[2]
    locked = {
        package["name"]: package["version"]
        for package in tomllib.loads((root / "uv.lock").read_text(encoding="utf-8"))["package"]
        if "editable" not in package["source"]
    }
    found = dict(_toml_lock(root / "uv.lock", set()))
    assert {name: version and version.text for name, version in found.items()} == locked


def test_requirements_that_include_others(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "-r deps/base.in\n--requirement requirements.txt\n-e .\n"
    )
    (tmp_path / "deps").mkdir()
    (tmp_path / "deps" / "base.in").write_text(
        "-r ../requirements.txt\n-r /dev/zero\nfastapi==0.111.0\n"
    )
    versions = read_versions(tmp_path)
    assert versions.at_least("fastapi", "0.111") is True
    assert versions.declared == {"fastapi"}


def test_what_is_declared(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("PyJWT\ngoogle-cloud-storage\n")
    versions = read_versions(tmp_path)
    assert {"jwt", "google"} <= versions.declared


@pytest.mark.parametrize("path", ["uv.lock", "Pipfile.lock", "pyproject.toml", "requirements.txt"])
def test_broken_files_count_as_absent(tmp_path: Path, path: str) -> None:
    (tmp_path / path).write_bytes(b"\xff\x00[[[{")
    assert read_versions(tmp_path).at_least("fastapi", "0.1") is None


SHAPES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(
        st.sampled_from(["default", "fastapi", "version", "project", "dependencies", "tool", "poetry",
                         "group", "optional-dependencies", "name"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(SHAPES)
def test_data_of_any_shape_counts_as_absent(shape: Any) -> None:
    with TemporaryDirectory() as folder:
        Path(folder, "Pipfile.lock").write_text(json.dumps(shape))
        assert read_versions(Path(folder)).at_least("sqlmodel", "1") is None
    if isinstance(shape, dict):
        list(_pyproject(shape))


@given(st.binary(max_size=60), st.sampled_from(sorted(SOURCES)))
def test_files_of_any_content_are_survived(content: bytes, path: str) -> None:
    with TemporaryDirectory() as folder:
        target = Path(folder, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(SOURCES[path][0].encode()[:30] + content)
        read_versions(Path(folder))


def test_import_names_of_declared_dependencies(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("PyJWT\npython-dotenv>=1\nfast-api-utils\n")
    assert read_versions(tmp_path).declared == {"jwt", "dotenv", "fast_api_utils"}
