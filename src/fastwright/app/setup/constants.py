"""Names of the standard library whose value is the same everywhere that servers run."""

from __future__ import annotations

from fastwright.app.setup.values import FALSE, Const, External, Items, Value

_CONSTANTS: dict[str, Value] = {
    "typing.TYPE_CHECKING": FALSE,
    "sys.platform": Const("linux"),
    "os.name": Const("posix"),
    "os.sep": Const("/"),
}


def settle(external: External) -> Value:
    """Return the value of a well-known constant, anything else as it is."""
    known = _CONSTANTS.get(external.name)
    if known is not None:
        return known
    if external.name == "sys.version_info":
        return Items("tuple", [Const(3), Const(13), Const(0)])
    return external
