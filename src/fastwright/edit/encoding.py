"""Encoding: between the bytes of a file and the UTF-8 that edits count in."""

from __future__ import annotations

from fastwright.project.errors import FastwrightError
from fastwright.read.reader import declared_encoding

_MARK = b"\xef\xbb\xbf"


def as_written(source: bytes, original: bytes) -> bytes:
    """Return an edited source (UTF-8) in the encoding of the file that it came from.

    A byte order mark stays. Raises FastwrightError where the encoding has no sign for something.
    """
    mark = _MARK if original.startswith(_MARK) else b""
    declared = declared_encoding(original[len(mark) :])
    if declared is None:
        return mark + source
    try:
        return mark + source.decode().encode(declared)
    except UnicodeEncodeError as error:
        sign = error.object[error.start : error.end]
        raise FastwrightError(
            f"{declared} has no way to write {sign!r}", "Save the file as UTF-8 first."
        ) from None
