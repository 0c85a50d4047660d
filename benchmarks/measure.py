"""Time a command and measure its memory, with nothing but the operating system's own accounting."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

KIBIBYTE = 1024
SAMPLE_SECONDS = 0.02
PROC = Path("/proc")


@dataclass(frozen=True)
class Run:
    """What one run of a command took."""

    seconds: float
    processor_seconds: float
    largest_process: int
    status: int
    timed_out: bool = False


def run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float, output: Path
) -> Run:
    """Run a command to its end, with its output in a file.

    Memory is the resident peak of the largest process, children included, in bytes.
    """
    started = time.perf_counter()
    process, expired = _start(command, cwd, env, output), threading.Event()
    watchdog = threading.Timer(timeout, _kill, (process.pid, expired))
    watchdog.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    watchdog.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * KIBIBYTE,
        process.returncode,
        timed_out=expired.is_set(),
    )


def peak_of_all_processes(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float, output: Path
) -> int:
    """Run a command and return the peak of what all its processes held at one time, in bytes.

    Shared pages are counted once (the proportional set size). Sampling disturbs the run, so this
    one is not timed. Returns 0 where the operating system has no /proc.
    """
    process, expired = _start(command, cwd, env, output), threading.Event()
    watchdog = threading.Timer(timeout, _kill, (process.pid, expired))
    watchdog.start()
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(_proportional(pid) for pid in _session(process.pid)))
        time.sleep(SAMPLE_SECONDS)
    watchdog.cancel()
    return peak


def _start(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], output: Path
) -> subprocess.Popen[bytes]:
    with output.open("wb") as sink:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _kill(pid: int, expired: threading.Event) -> None:
    expired.set()
    os.killpg(pid, signal.SIGKILL)


def _session(leader: int) -> Iterator[int]:
    """Yield the processes of a session: the command and all that it started."""
    if not PROC.is_dir():
        return
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # After the command's name, in parentheses, come state, parent, group and session.
            fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            yield int(entry.name)


def _proportional(pid: int) -> int:
    """Return the memory of a process, with what it shares counted in part."""
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * KIBIBYTE
    return 0
