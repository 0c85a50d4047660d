"""A whole review, from files to what is left."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastwright.app.memory import module_from
from fastwright.app.model import App
from fastwright.project.errors import ConfigError
from fastwright.project.versions import Versions
from fastwright.review import module_rules, run
from fastwright.review.result import Review
from fastwright.review.run import Options, review
from fastwright.rules.finding import Hit
from fastwright.rules.registry import RegisteredRule
from fastwright.rules.rule import Rule

MAIN = """\
import time

from fastapi import FastAPI

app = FastAPI()


@app.get("/slow")
async def slow():
    time.sleep(1)


@app.on_event("startup")
def start():
    pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    (root / "main.py").write_text(MAIN)
    return root


def names(found: Review) -> list[str]:
    return [finding.rule for finding in found.findings]


def test_findings_of_both_kinds_of_rules(project: Path) -> None:
    found = review(Options(path=project, cache=False)).review
    assert names(found) == ["blocking-call-in-async", "deprecated-on-event"]
    assert found.files == 1
    assert found.is_fastapi


def test_cold_warm_and_other_options_agree(project: Path) -> None:
    cold = review(Options(path=project, cache=False, jobs=1)).review.findings
    for _ in range(2):
        assert review(Options(path=project)).review.findings == cold
    only = review(Options(path=project, select=("deprecated-on-event",))).review
    assert names(only) == ["deprecated-on-event"]


def test_one_file_of_a_project(project: Path) -> None:
    (project / "other.py").write_text("from main import app\n")
    found = review(Options(path=project / "other.py", cache=False)).review
    assert (names(found), found.files, found.root) == ([], 1, project.resolve())


def test_content_instead_of_the_file(project: Path) -> None:
    mended = MAIN.replace("time.sleep(1)", "pass").encode()
    found = review(Options(path=project / "main.py", content=mended)).review
    assert names(found) == ["deprecated-on-event"]
    assert len(review(Options(path=project)).review.findings) == 2  # nothing of it was kept


def test_content_that_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = review(Options(path=Path("stdin.py"), content=MAIN.encode())).review
    assert names(found) == ["blocking-call-in-async", "deprecated-on-event"]
    assert {finding.place.file for finding in found.findings} == {"stdin.py"}
    assert list(tmp_path.iterdir()) == []


def test_suppressed_are_counted(project: Path) -> None:
    hidden = MAIN.replace("sleep(1)", "sleep(1)  # fastwright: ignore[blocking-call-in-async] why")
    (project / "main.py").write_text(hidden)
    found = review(Options(path=project, cache=False)).review
    assert names(found) == ["deprecated-on-event"]
    assert [(held.count, held.reason) for held in found.held_back] == [(1, "hidden by comments")]


def test_baseline(project: Path) -> None:
    path = project / "known.json"
    first = review(Options(path=project, baseline=path, write_baseline=True)).review
    assert (first.findings, first.written_baseline) == ((), path)
    (project / "main.py").write_text("# moved\n" + MAIN.replace("time.sleep(1)", "time.sleep(2)"))
    second = review(Options(path=project, baseline=path)).review
    assert names(second) == ["blocking-call-in-async"]
    assert second.stale_baseline == 1
    assert second.held_back[0].shown_by == "without --baseline"


def test_per_path_and_config(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.fastwright]\nfail-on = "error"\n'
        '[tool.fastwright.per-path."main.py"]\nignore = ["async"]\n'
    )
    outcome = review(Options(path=project, cache=False))
    assert (outcome.review.findings, outcome.fail_on) == ((), "error")


def test_no_fastapi(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1  # fastwright: ignore[nope]\n")
    found = review(Options(path=tmp_path, cache=False)).review
    assert not found.is_fastapi
    assert found.findings == ()


def test_what_cannot_be_read_is_said(project: Path) -> None:
    (project / "broken.py").write_text("def f(:\n    pass\n")
    (project / "binary.py").write_bytes(b"\0\1\2")
    found = review(Options(path=project, cache=False)).review
    assert [(file.file, file.lines[0]) for file in found.broken] == [("broken.py", 1)]
    assert [(file.file, file.reason) for file in found.skipped] == [
        ("binary.py", "holds NUL bytes")
    ]
    assert len(found.findings) == 2


def test_a_rule_that_fails_stops_no_other(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(app: App) -> Iterator[Hit]:
        raise ValueError("no")

    def check_module(*_: object) -> Iterator[Hit]:
        raise KeyError("no")

    about = Rule(summary="x", severity="error", mend="y", app=check)
    other = Rule(summary="x", severity="error", mend="y", module=check_module)
    broken = {
        **run.rules(),
        "app-fails": RegisteredRule("app-fails", "data", about, "", ()),
        "module-fails": RegisteredRule("module-fails", "data", other, "", ()),
    }
    for module in (run, module_rules):
        monkeypatch.setattr(module, "rules", lambda: broken)
    monkeypatch.setattr(run, "known_rules", lambda: broken)
    found = review(Options(path=project, cache=False)).review
    assert [(failure.rule, failure.file) for failure in found.failures] == [
        ("app-fails", None),
        ("module-fails", "main.py"),
    ]
    assert "ValueError: no" in found.failures[0].traceback
    assert len(found.findings) == 2


def test_rules_for_newer_libraries_do_not_run(project: Path) -> None:
    since = {"fastapi": "0.115"}
    rule = RegisteredRule(
        "new", "data", Rule(summary="x", severity="error", mend="y", since=since), "", ()
    )
    assert module_rules.applies(rule, Versions())
    assert module_rules.applies(rule, Versions.of({"fastapi": "0.115.2"}))
    assert not module_rules.applies(rule, Versions.of({"fastapi": "0.100"}))


def test_only_what_a_change_brought_in(project: Path) -> None:
    from test_change import git

    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "one")
    added = MAIN + '\n\n@app.get("/more")\nasync def more():\n    time.sleep(3)\n'
    (project / "main.py").write_text("# moved\n\n" + added)
    for cache in (False, True, True):
        found = review(Options(path=project, base="HEAD", cache=cache)).review
        assert [finding.place.function for finding in found.findings] == ["more"]
        assert (found.held_back[0].count, found.held_back[0].reason) == (2, "older than HEAD")


def test_reading_runs_nothing(project: Path) -> None:
    (project / "effect.py").write_text("import fastapi\nopen('ran', 'w').close()\n")
    here = os.getcwd()
    review(Options(path=project, cache=False))
    assert not (project / "ran").exists()
    assert not Path(here, "ran").exists()


def test_what_is_no_unicode_stops_nothing(project: Path) -> None:
    source = "import asyncio\n\nasync def f():\n    asyncio.create_task(g())\n"
    module = module_from(source, "b\udcff.py", "b")
    (note,) = [
        note
        for note in module_rules.read_notes(module_rules.inspect(module, Versions()))
        if note.rule == "lost-task"
    ]
    assert note.hits[0].place.file == "b?.py"


HOUSE = """\
from acme.http import Client, fetch, inside
from fastapi import FastAPI

app = FastAPI()


@app.get("/rates")
async def rates():
    return fetch("rates")


@app.get("/load")
def load(url: str):
    return Client().load(url)


@app.get("/inside")
def guarded(url: str):
    inside(url)
    return Client().load(url)
"""

KNOWN = """
[tool.fastwright.library]
blocking = { "acme.http.fetch" = "waits for the warehouse" }
sanitisers = ["acme.http.inside"]
sinks.ssrf = { "acme.http.Client.load" = "0 url" }
"""


def test_a_project_says_what_its_own_libraries_do(project: Path) -> None:
    (project / "main.py").write_text(HOUSE)
    options = Options(path=project, select=("ssrf", "blocking-call-in-async"))
    assert review(options).review.findings == ()
    (project / "pyproject.toml").write_text(KNOWN)
    found = review(options).review.findings
    assert [(finding.rule, finding.place.line) for finding in found] == [
        ("blocking-call-in-async", 9),
        ("ssrf", 14),
    ]
    assert "waits for the warehouse" in found[0].message


def test_a_sink_of_no_rule_is_refused(project: Path) -> None:
    text = '[tool.fastwright.library.sinks.srf]\n"acme.load" = "0 url"\n'
    (project / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match="Did you mean 'ssrf'"):
        review(Options(path=project))


def test_a_profile_asks_every_rule_again(project: Path) -> None:
    review(Options(path=project))
    found = review(Options(path=project, profile=True)).review
    assert found.findings == review(Options(path=project)).review.findings
    assert all(row.seconds is not None for row in found.statistics)
