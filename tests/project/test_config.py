"""What ``[tool.fastwright]`` says is understood, or refused by name."""

from __future__ import annotations

import json
import tomllib
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastwright.project.config import (
    SCHEMA,
    Config,
    PathSettings,
    config_schema,
    parse_config,
    read_config,
    schema_text,
)
from fastwright.project.discover import open_project
from fastwright.project.errors import ConfigError, FastwrightError


def configured(root: Path, text: str) -> Config:
    (root / "pyproject.toml").write_text(text)
    return read_config(root)


EVERYTHING = """
[project]
name = "shop"
[tool.fastwright]
select = ["security"]
ignore = ["n-plus-one-query"]
fail-on = "error"
exclude = ["scripts"]
source-roots = ["backend"]
baseline = "fastwright.json"
cache-dir = "../cache"
jobs = 4
[tool.fastwright.layers]
service = ["app/logic/**"]
[tool.fastwright.per-path]
"tests" = { ignore = ["async"] }
"""


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    assert configured(tmp_path, EVERYTHING) == Config(
        select=("security",),
        ignore=("n-plus-one-query",),
        fail_on="error",
        exclude=("scripts",),
        source_roots=("backend",),
        layers={"service": ("app/logic/**",)},
        per_path={"tests": PathSettings(ignore=("async",))},
        baseline="fastwright.json",
        cache_dir="../cache",
        jobs=4,
    )


NOTHING_SAID = {
    "an empty file": "",
    "another tool's": '[tool.ruff]\nselect = ["ALL"]\n',
    "an empty table": "[tool.fastwright]\n",
    "a byte order mark": "\ufeff[tool.fastwright]\n",
    "broken, but not about us": "[[[",
}


@pytest.mark.parametrize("text", NOTHING_SAID.values(), ids=NOTHING_SAID)
def test_where_nothing_is_said_the_defaults_hold(tmp_path: Path, text: str) -> None:
    assert configured(tmp_path, text) == Config()


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read_config(tmp_path) == Config()
    (tmp_path / "pyproject.toml").mkdir()
    assert read_config(tmp_path) == Config()


REFUSED = {
    "[tool.fastwright]\nselekt = []": "unknown key 'selekt' in [tool.fastwright]. Did you mean 'select'?",
    "[tool.fastwright]\nfail_on = 'error'": "unknown key 'fail_on' in [tool.fastwright]. Did you mean 'fail-on'?",
    "[tool.fastwright]\nzzz = 1": "unknown key 'zzz' in [tool.fastwright].",
    "[tool.fastwright.per-path]\nx = { selct = [] }": "Did you mean 'select'?",
    "[tool.fastwright]\nselect = 'security'": "Expected `array`, got `str` - at `$.select`",
    "[tool.fastwright]\nfail-on = 'always'": "Invalid enum value 'always' - at `$.fail-on`",
    "[tool.fastwright]\njobs = 0": "Expected `int` >= 1 - at `$.jobs`",
    "[tool]\nfastwright = 3": "Expected `object`, got `int`",
    "tool = 'fastwright'": "'tool' is not a table",
    "[tool.fastwright]\nselect = [": "not valid TOML: Invalid value (at end of document)",
    "[tool.fastwright]\n\nselect 1": "(at line 3, column 8)",
    "[tool.fastwright]\nselect = " + "[" * 100_000: "nested too deeply",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40])
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(tmp_path, text)
    assert REFUSED[text] in refused.value.message
    assert str(tmp_path / "pyproject.toml") in refused.value.message
    assert refused.value.todo


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe[tool.fastwright]")
    with pytest.raises(ConfigError):
        read_config(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
KEYS = st.sampled_from([*json.loads(schema_text())["$defs"]["Config"]["properties"], "selekt", ""])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_any_table_is_understood_or_refused_and_the_schema_agrees(table: dict[str, Any]) -> None:
    try:
        parse_config(table, "pyproject.toml")
        understood = True
    except ConfigError:
        understood = False
    assert jsonschema.Draft202012Validator(config_schema()).is_valid(table) == understood


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='[]{}="\n.#abt1 fs', max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with TemporaryDirectory() as folder, suppress(FastwrightError):
        configured(Path(folder), f"{text}\n[tool.fastwright]\n")


def test_the_schema_file_is_up_to_date() -> None:
    """If not: ``python -c "from fastwright.project.config import write_schema; write_schema()"``."""
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()


def test_the_schema_knows_the_example() -> None:
    table = tomllib.loads(EVERYTHING)["tool"]["fastwright"]
    jsonschema.validate(table, json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_what_is_excluded_is_not_read(tmp_path: Path) -> None:
    for name in ("a.py", "scripts/b.py", "old_c.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    configured(tmp_path, "[tool.fastwright]\nexclude = ['scripts/', 'old_*']\n")
    assert [file.path for file in open_project(tmp_path).files] == ["a.py"]
