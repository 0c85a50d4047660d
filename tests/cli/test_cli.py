"""The command line as a user meets it: output, exit codes, errors."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastwright.cli import main
from fastwright.version import VERSION

MAIN = """\
import time

from fastapi import FastAPI

app = FastAPI()


@app.get("/slow")
async def slow():
    time.sleep(1)
"""
FASTWRIGHT = (sys.executable, "-m", "fastwright")


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    (tmp_path / "main.py").write_text(MAIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_found(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review"]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("1 problem in 1 of 1 file: 1 error.\n")
    assert "GET /slow" in shown.out
    assert shown.err == ""


def test_clean(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "main.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")
    assert main(["review", "."]) == 0
    assert capsys.readouterr().out == "No problems in 1 file.\n"


def test_no_fastapi(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("No FastAPI here")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--fail-on", "never"], 0),
        (["--fail-on", "error"], 1),
        (["--select", "schema,dependency"], 0),
        (["--ignore", "async"], 0),
        (["--ignore", "schema", "--ignore", "error"], 0),
        (["--select", "async", "--quiet", "--statistics", "--jobs", "2", "--no-cache"], 1),
    ],
)
def test_options(project: Path, options: list[str], code: int) -> None:
    assert main(["review", *options]) == code


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "markdown"])
def test_formats_to_a_file_and_to_a_pipe(
    project: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = project / "out"
    assert main(["review", "--format", form, "--output", str(target)]) == 1
    assert capsys.readouterr().out == ""
    assert main(["review", "--format", form]) == 1
    assert capsys.readouterr().out == target.read_text(encoding="utf-8")


def test_same_output_every_time_and_with_any_number_of_processes(project: Path) -> None:
    for number in range(30):
        (project / f"part{number}.py").write_text(MAIN + "# padding\n" * 2_000)
    outputs = set()
    for options in (["--jobs", "1", "--no-cache"], ["--jobs", "3", "--no-cache"], [], []):
        main(["review", "--format", "json", "--output", "out.json", *options])
        outputs.add((project / "out.json").read_bytes())
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["review", "nowhere"], "nowhere"),
        (["review", "--select", "blocking-call"], "Did you mean 'blocking-call-in-async'?"),
        (["review", "--ignore", "schem"], "Did you mean 'schema'?"),
        (["review", "--baseline", "none.json"], "--write-baseline"),
        (["review", "--write-baseline"], "--baseline"),
        (["review", "--base", "HEAD"], "git repository"),
        (["review", "--output", "no/such/folder"], "cannot be written"),
        (["review", "--jobs", "0"], "number from 1"),
        (["review", "--format", "xml"], "invalid choice"),
        (["review", "--colour"], "unrecognized"),
        (["reviw"], "invalid choice"),
        ([], "required"),
        (["explain", "blocking-call"], "Did you mean 'blocking-call-in-async'?"),
        (["map", "--route", "GET /slo"], "Did you mean 'GET /slow'?"),
        (["map", "--table", "user"], "no table"),
        (["map", "--route", "a", "--table", "b"], "not allowed"),
    ],
)
def test_misuse_is_one_clear_message(
    project: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert "Traceback" not in shown.err


def test_bad_configuration(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "pyproject.toml").write_text("[tool.fastwright]\nselct = []\n")
    assert main(["review"]) == 2
    assert "Did you mean 'select'?" in capsys.readouterr().err


def test_unknown_rule_in_configuration(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "pyproject.toml").write_text('[tool.fastwright]\nignore = ["nope"]\n')
    assert main(["review"]) == 2
    assert "pyproject.toml: select and ignore" in capsys.readouterr().err


def test_standard_input(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, file in (([], "stdin.py"), (["--stdin-filename", "main.py"], "main.py")):
        stdin = io.TextIOWrapper(io.BytesIO(MAIN.replace("sleep(1)", "sleep(2)").encode()))
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["review", "-", "--format", "json", *options]) == 1
        (found,) = json.loads(capsys.readouterr().out)["findings"]
        assert (found["file"], found["line"]) == (file, 10)


def test_internal_error_says_what_to_report(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("fastwright.review.run.review", fail)
    assert main(["review"]) == 3
    shown = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: oh" in shown
    assert f"fastwright {VERSION}, Python 3." in shown
    file = Path(
        next(row for row in shown.splitlines() if "(the traceback)" in row).split(" (")[0].strip()
    )
    assert "Traceback" in file.read_text()
    file.unlink()


def test_failed_rule_is_exit_3_beside_the_findings(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fastwright.review import run
    from fastwright.review.result import RuleFailure

    real = run._run

    def with_failure(*arguments: object, **options: object) -> object:
        ran = real(*arguments, **options)  # type: ignore[arg-type]
        ran.failures.append(RuleFailure("some-rule", "Traceback\nValueError: no"))
        return ran

    monkeypatch.setattr(run, "_run", with_failure)
    assert main(["review"]) == 3
    shown = capsys.readouterr()
    assert "blocking-call-in-async" in shown.out
    assert "some-rule failed; the other rules ran" in shown.err


def test_interrupted(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fastwright.review.run.review", stop)
    assert main(["review"]) == 130
    assert capsys.readouterr().err == "fastwright: interrupted\n"


def test_map(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["routes"][0]["path"] == "/slow"
    assert main(["map"]) == 0
    assert "GET     /slow  main.py:9 slow" in capsys.readouterr().out
    assert main(["map", "--format", "mermaid", "--route", "/slow"]) == 0
    assert capsys.readouterr().out.startswith("flowchart LR\n")


def test_explain_and_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "blocking-call-in-async"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("# blocking-call-in-async\n")
    assert main(["explain"]) == main(["rules"]) == 0
    assert "blocking-call-in-async" in capsys.readouterr().out
    assert main(["rules", "--format", "json"]) == 0
    assert {"rule", "family", "severity"} <= set(json.loads(capsys.readouterr().out)[0])


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "examples:" in shown
    assert "exit codes:" in shown
    for command in ("review", "map", "explain", "rules"):
        assert main([command, "--help"]) == 0


def test_colour_only_where_it_is_wanted(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["review"])
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    main(["review"])
    assert "\x1b[" in capsys.readouterr().out
    main(["review", "--quiet"])
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    main(["review"])
    assert "\x1b" not in capsys.readouterr().out


def test_paths_read_from_where_the_user_stands(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.parent)
    main(["review", project.name, "--quiet"])
    assert capsys.readouterr().out.startswith(f"{project.name}/main.py:10:5: error ")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project))
    main(["review", project.name, "--format", "github"])
    assert capsys.readouterr().out.startswith("::error file=main.py,line=10,")


# ------------------------------------------------------------- as a process


def test_version_imports_nearly_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "from fastwright.cli import main; main(['--version'])\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, modules = done.stdout.splitlines()
    assert version == f"fastwright {VERSION}"
    assert set(modules.split()) <= {
        "__future__", "fastwright", "fastwright.cli", "fastwright.version",
    }  # fmt: skip


def test_version_is_that_of_the_project() -> None:
    import tomllib

    project = Path(__file__).parents[2] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == VERSION


def test_a_piped_review_imports_no_rich(project: Path) -> None:
    code = (
        "import sys; from fastwright.cli import main\n"
        "main(['review']); print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_closed_pipe_is_quiet(project: Path) -> None:
    (project / "main.py").write_text(MAIN + '@app.on_event("startup")\ndef f(): ...\n' * 2_000)
    command = " ".join([*FASTWRIGHT, "review", "--no-cache", "|", "head", "-1"])
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_interrupt_signal(project: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    try:
        process = subprocess.Popen(
            [*FASTWRIGHT, "review", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)
    time.sleep(1)  # it waits for its input
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "fastwright: interrupted\n")


def test_output_that_the_encoding_does_not_have(project: Path) -> None:
    (project / "main.py").write_text(MAIN.replace("/slow", "/größe/€"), encoding="utf-8")
    done = subprocess.run(
        [*FASTWRIGHT, "review"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"GET /gr\\xf6\\xdfe/\\u20ac" in done.stdout
