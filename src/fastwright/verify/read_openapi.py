"""Runs in the project's interpreter: import the application, and write down its contract.

Uses nothing but the standard library and the application itself. Arguments: the module, the name in
it, the file to write, the limit of memory in bytes.
"""

import importlib
import json
import sys


def limit_memory(size: int) -> None:
    """Let the process have no more than this many bytes, where the system can."""
    try:
        import resource  # noqa: PLC0415
    except ImportError:  # Windows has none
        return
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def application(module: str, name: str) -> object:
    """Return the application, made by its factory where ``name`` is one."""
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found if hasattr(found, "openapi") else found()  # type: ignore[operator]


def main() -> None:
    """Write the OpenAPI document of the application."""
    module, name, output, memory = sys.argv[1:]
    limit_memory(int(memory))
    document = application(module, name).openapi()  # type: ignore[attr-defined]
    with open(output, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(document, file)


main()
