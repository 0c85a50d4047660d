"""Build an environment for each application, start it there, and store its route table.

    python -m benchmarks.routes.truth [--fresh] [NAME ...]

Needs `uv` and the network. An environment that was built from the same requirements is kept;
--fresh builds it anew. The tables go to $FASTWRIGHT_CORPUS/truth/NAME.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.corpus import Application, Runtime, add_names, chosen

DUMP = Path(__file__).with_name("dump_routes.py")
INSTALL_TIMEOUT = 900
SHOWN = 2_000
"""How many characters of an application's own output are shown when it does not start."""


class NoTableError(Exception):
    """The route table of one application could not be had."""


def main() -> int:
    """Store the route tables of the applications that are named, by default all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="build the environments anew")
    add_names(parser)
    arguments = parser.parse_args()
    failed = 0
    for application in chosen(arguments.names):
        try:
            print(f"{application.name}: {store(application, fresh=arguments.fresh)}", flush=True)
        except (NoTableError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"{application.name}: FAILED: {error}", flush=True)
    return 1 if failed else 0


def store(application: Application, *, fresh: bool) -> str:
    """Get and store one application's route table, and say what came of it."""
    if application.runtime is None:
        return f"skipped: {application.runtime_skipped.strip()}"
    python = build(application, application.runtime, fresh=fresh)
    document = dump(application, application.runtime, python)
    application.truth.parent.mkdir(parents=True, exist_ok=True)
    application.truth.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return f"{len(document['routes'])} routes with {document['versions']}"


def build(application: Application, runtime: Runtime, *, fresh: bool) -> Path:
    """Install the application into an environment of its own, and return its interpreter."""
    extras = f"[{','.join(runtime.extras)}]" if runtime.extras else ""
    requirements = [f"{application.name}{extras}=={application.version}", *runtime.requirements]
    environment = application.environment
    stamp = environment / "requirements.json"
    wanted = json.dumps([requirements, runtime.overrides])
    python = environment / "bin" / "python"
    if not fresh and stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    uv("venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as overrides:
        overrides.write("".join(f"{line}\n" for line in runtime.overrides))
        overrides.flush()
        options = ["--quiet", "--python", str(python), "--overrides", overrides.name]
        uv("pip", "install", *options, *requirements)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def uv(*arguments: str) -> None:
    """Run uv."""
    found = shutil.which("uv")
    command = [found] if found else [sys.executable, "-m", "uv"]
    run([*command, *arguments], timeout=INSTALL_TIMEOUT)


def dump(application: Application, runtime: Runtime, python: Path) -> dict[str, Any]:
    """Start the application in an empty folder, which is its home too, and read its routes."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        output = home / "routes.json"
        command = [str(python), str(DUMP), "--output", str(output)]
        command += ["--prepare", runtime.prepare, "--", *application.apps]
        run(command, timeout=runtime.timeout, cwd=home, env=clean_environment(home, runtime))
        table = json.loads(output.read_text(encoding="utf-8"))
    return {
        "application": application.name,
        "version": application.version,
        "note": " ".join(application.note.split()),
        **table,
    }


def clean_environment(home: Path, runtime: Runtime) -> dict[str, str]:
    """Return an environment that holds no settings but the manifest's."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **runtime.env}


def run(
    command: list[str],
    *,
    timeout: int,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> None:
    """Run a command, and raise with the end of what it printed if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        timeout=timeout,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise NoTableError(f"exit {done.returncode}\n{done.stdout[-SHOWN:]}")


if __name__ == "__main__":
    sys.exit(main())
