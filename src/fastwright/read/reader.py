"""Read one file: bytes in, facts out. Never raises on any input."""

from __future__ import annotations

import re
from array import array
from typing import NamedTuple

import tree_sitter_python
from tree_sitter import Language, Parser
from tree_sitter import Node as TSNode

from fastwright.read import syntax as s
from fastwright.read.facts import ClassFact, Facts, Header, Suppression
from fastwright.read.statements import StatementReader, docstring

MAX_BYTES = 5_000_000
"""Larger files are data, not programs: they are listed as unread."""

MARKS = (
    "fastapi",
    "starlette",
    "pydantic",
    "sqlmodel",
    "sqlalchemy",
    "APIRouter",
    "FastAPI",
    "include_router",
    "add_api_route",
    "router",
    "dependency_overrides",
    "TestClient",
    "ORJSONResponse",
    "UJSONResponse",
    "utcnow",
    "fromtimestamp",
    ".now",
    "...,",
    "...)",
    "Security",
    "add_middleware",
    "exception_handler",
    "on_event",
    "Depends",
    "BaseModel",
    "HTTPException",
    "jwt",
    "secret",
    "SECRET",
    "password",
    "PASSWORD",
    "private_key",
)
"""Words that say to whom a file matters; a file without any of them is read only when a name leads to it."""

LANGUAGE = Language(tree_sitter_python.language())
_PARSER = Parser(LANGUAGE)
_BROKEN_KEPT = 10
_PROPERTIES = frozenset({"property", "cached_property"})
_STATE = re.compile(rb"\.state\.([a-zA-Z_][a-zA-Z0-9_]*)(?:\s*:[^=\n]+)?\s*=(?!=)")
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_SUPPRESS = re.compile(
    r"#\s*fastwright:\s*(?P<verb>ignore-file|ignore)(?:\[(?P<rules>[^\]]*)\])?[ \t:,-]*(?P<reason>.*)"
)


class Unreadable(NamedTuple):
    """Why a file was not read at all."""

    reason: str


def to_utf8(data: bytes) -> bytes | Unreadable:
    """Return the source as UTF-8 without a byte order mark, or why it is no Python source.

    The encoding is the declared one (PEP 263) or UTF-8; bytes that do not fit it are replaced,
    because a wrong character in a comment should not hide a whole module.
    """
    if len(data) > MAX_BYTES:
        return Unreadable(f"larger than {MAX_BYTES // 1_000_000} MB")
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    if b"\0" in data:
        return Unreadable("holds NUL bytes")
    if (declared := declared_encoding(data)) is not None:
        try:
            return data.decode(declared, "replace").encode("utf-8", "replace")
        except (LookupError, UnicodeError, ValueError):
            return Unreadable(f"declares the unknown encoding {declared!r}")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").encode()
    return data


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding of the first two lines' declaration unless it is UTF-8."""
    if b"coding" not in data[:400]:
        return None
    for line in data.split(b"\n", 2)[:2]:
        if (found := _CODING.match(line)) is not None:
            name = found.group(1).decode("ascii", "replace").lower()
            return None if name.replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"} else name
    return None


def read(source: bytes) -> tuple[Header, Facts]:
    """Return header and facts of a module's source (UTF-8, no byte order mark)."""
    root = _PARSER.parse(source).root_node
    reader = StatementReader()
    body = reader.block(root)
    header = Header(
        imports=reader.imports,
        suppressions=_suppressions(source, root),
        broken=_broken_lines(root),
        marks=[mark for mark in MARKS if mark.encode() in source],
        classes=_classes(body),
        properties=_properties(body),
        state=_state(source),
    )
    return header, Facts(body=body, lines=_line_starts(source), doc=docstring(body))


def _classes(body: list[s.Stmt]) -> list[ClassFact]:
    """Return the classes of the module that are not nested in functions."""
    return [
        ClassFact(node.name, [name for base in node.bases if (name := _base_name(base))])
        for node in s.definitions(body)
        if isinstance(node, s.ClassDef)
    ]


def _properties(body: list[s.Stmt]) -> list[str]:
    """Return the names of properties that call something."""
    return sorted(
        {
            node.name
            for owner in s.definitions(body)
            if isinstance(owner, s.ClassDef)
            for node in s.definitions(owner.body)
            if isinstance(node, s.FunctionDef)
            and any(s.last_name(d) in _PROPERTIES for d in node.decorators)
            and not _PROPERTIES.issuperset(node.called)
        }
    )


def _state(source: bytes) -> list[str]:
    return sorted({match[1].decode() for match in _STATE.finditer(source)})


def _base_name(base: s.Expr) -> str | None:
    return s.last_name(base.value if isinstance(base, s.Subscript) else base)


def _line_starts(source: bytes) -> bytes:
    """Return the offsets of line starts; lines end as Python's do: LF, CR LF or CR."""
    starts = array("I", [0])
    if b"\r" in source:
        starts.extend(match.end() for match in re.finditer(rb"\r\n|\n|\r", source))
    else:
        starts.extend(match.end() for match in re.finditer(rb"\n", source))
    return starts.tobytes()


def _broken_lines(root: TSNode) -> list[int]:
    """Return the lines where the parser met what it could not read."""
    if not root.has_error:
        return []
    lines: set[int] = set()
    stack = [root]
    while stack and len(lines) < _BROKEN_KEPT:
        node = stack.pop()
        if node.type == "ERROR" or node.is_missing:
            lines.add(node.start_point[0] + 1)
        elif node.has_error:
            stack.extend(reversed(node.children))
    return sorted(lines)


def _suppressions(source: bytes, root: TSNode) -> list[Suppression]:
    """Return the ``# fastwright: ignore[...]`` comments; the same text in a string is none."""
    found: list[Suppression] = []
    position = source.find(b"fastwright:")
    while position != -1:
        node = root.descendant_for_byte_range(position, position + 1)
        if node is not None and node.type == "comment":
            match = _SUPPRESS.search((node.text or b"").decode("utf-8", "replace"))
            if match is not None:
                rules = [r.strip() for r in (match["rules"] or "").split(",") if r.strip()]
                whole = match["verb"] == "ignore-file"
                line = node.start_point[0] + 1
                found.append(Suppression(line, rules, match["reason"].strip(), whole))
        position = source.find(b"fastwright:", position + 1)
    return found
