"""Download the wheels of the corpus and unpack them into the cache.

    python -m benchmarks.fetch_corpus [NAME ...]

Idempotent: what is there is kept. The cache is $FASTWRIGHT_CORPUS, by default
~/.cache/fastwright-corpus; nothing that is fetched belongs in the repository.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from benchmarks.corpus import Application, add_names, cache, chosen

if TYPE_CHECKING:
    from pathlib import Path


def wheel_of(application: Application) -> Path:
    """Return the application's wheel, downloading it if it is not there."""
    wheels = cache() / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    pattern = f"{application.name.replace('-', '_')}-{application.version}-*.whl"
    if not any(wheels.glob(pattern)):
        requirement = f"{application.name}=={application.version}"
        command = ["pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
        # The wheel is read, never run, so a newer Python than ours is no obstacle.
        command += ["--ignore-requires-python", "--dest", str(wheels), requirement]
        subprocess.run([sys.executable, "-m", *command], check=True)
    return next(wheels.glob(pattern))


def unpack(application: Application) -> bool:
    """Unpack the application's wheel, and say whether there was anything to do."""
    target = application.source
    metadata = f"{application.name.replace('-', '_')}-{application.version}.dist-info"
    if (target / metadata / "RECORD").is_file():
        return False
    wheel = wheel_of(application)
    partial = target.with_name(f"{target.name}.partial")
    for leftover in (partial, target):
        shutil.rmtree(leftover, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(partial)
    partial.rename(target)
    return True


def main() -> None:
    """Fetch the applications that are named, by default all."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_names(parser)
    for application in chosen(parser.parse_args().names):
        done = "unpacked" if unpack(application) else "kept"
        print(f"{done:8} {application.name} {application.version} {application.source}")


if __name__ == "__main__":
    main()
