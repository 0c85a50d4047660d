"""The set-up interpreter on small applications, also against FastAPI itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kit import set_up, table
from setup_cases import CASES

DUMP = Path(__file__).parents[2] / "benchmarks" / "routes" / "dump_routes.py"


@pytest.mark.parametrize("name", CASES)
def test_routes(name: str) -> None:
    case = CASES[name]
    assert table(set_up(case.files).routes) == case.routes


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_routes_at_run_time(name: str, tmp_path: Path) -> None:
    """What the cases expect is what FastAPI does."""
    case = CASES[name]
    project = tmp_path / "project"
    for path, source in case.files.items():
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    output = tmp_path / "routes.json"
    command = [sys.executable, str(DUMP), "--output", str(output), case.app]
    environment = {"PYTHONPATH": str(project), "PATH": "", **case.environment}
    subprocess.run(command, cwd=project, env=environment, check=True, timeout=60)
    routes = json.loads(output.read_text())["routes"]
    lines = sorted(
        f"{','.join(r['methods']) or ('WS' if r['kind'] == 'websocket' else 'ANY')}"
        f" {r['path']} {r['endpoint']}"
        for r in routes
    )
    assert lines == case.routes
