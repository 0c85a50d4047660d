"""A fixed sentence in the place of an exception's text, which goes to the log instead."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from fastwright.app.surroundings import Surroundings
from fastwright.edit import source as at
from fastwright.edit.builders import insert_before, replace
from fastwright.edit.fix import Edit, Fix
from fastwright.read import syntax as s
from fastwright.read.module import Module

_LOGGING = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log"})
_TELLING = frozenset({"print", "print_exc", "print_exception", "capture_exception",
                      "record_exception", "format_exc"})  # fmt: skip
_GENERAL = "Internal server error"
_END = re.compile(r"\s*[:\-\u2013\u2014.]\s*$")
"""What stands between a sentence and the text of an exception: ``Upload failed: {e}``."""
_SENTENCE = re.compile(r"[A-Za-z]{3,}.*[A-Za-z]{3,}")


def fixed_text(
    module: Module,
    statement: s.Stmt,
    handler: s.ExceptHandler,
    value: s.Expr,
    *,
    general: bool,
) -> Fix | None:
    """Return the fix that answers a sentence without the exception; None where no sentence is left.

    ``value`` is what the answer holds, ``general`` whether it may become "Internal server error".
    The exception must be in the log already, or the file must have a logger for it.
    """
    shown = [node for node in s.walk(value) if _is_name(node, handler.name)]
    found = list(_texts(value, handler.name))
    if len(shown) != 1 or len(found) != 1 or statement not in handler.body:
        return None
    decided = any(isinstance(node, s.IfExp) for node in s.walk(statement))
    said = _said(module, found[0], shown[0], general=general and not decided)
    if said is None:
        return None
    edits = [replace(module, found[0], said)]
    if not _is_told(handler):
        logger = _logger(module)
        if logger is None or not at.is_first(module.source, statement.start):
            return None
        note = said if _GENERAL not in said else said.replace(_GENERAL, "Unexpected error")
        edits.append(insert_before(module, statement, f"{logger}.exception({note})"))
    if sum(_is_name(node, handler.name) for node in s.walk(*handler.body)) == 1:
        edits += _unnamed(module, handler)
    return Fix("contract", tuple(edits))


def statement_of(around: Surroundings, handler: s.ExceptHandler, node: s.Node) -> s.Stmt | None:
    """Return the statement of a handler that holds a node, where nothing stands in between."""
    if any(branch.start >= handler.start for branch in around.branches):
        return None
    return next((each for each in handler.body if each.start <= node.start < each.end), None)


def _is_name(node: s.Node | None, name: str | None) -> bool:
    return name is not None and isinstance(node, s.Name) and node.id == name


def _texts(value: s.Expr, name: str | None) -> Iterator[s.Expr]:
    """Yield the expressions in an answer that are the text of an exception, or begin with more."""
    if isinstance(value, s.Dict):
        for each in value.values:
            yield from _texts(each, name)
    elif isinstance(value, s.JoinedStr) or _is_text_of(value, name):
        yield value


def _is_text_of(node: s.Expr, name: str | None) -> bool:
    """``str(e)``."""
    return (
        isinstance(node, s.Call)
        and isinstance(node.func, s.Name)
        and node.func.id in {"str", "repr"}
        and len(node.args) == 1
        and _is_name(node.args[0], name)
    )


def _said(module: Module, node: s.Expr, shown: s.Node, *, general: bool) -> str | None:
    """Return what to say instead, as it is written; None for what is no sentence without the text."""
    quote = at.quote(module.source)
    if isinstance(node, s.JoinedStr):
        last = node.values[-1]
        if not _is_name(last, getattr(shown, "id", None)) and not (
            isinstance(last, s.Call) and shown in last.args and len(last.args) == 1
        ):
            return None
        written = _before(module, node, last)
        if written is None:
            return None
        prefix, quote, text = written
        end = _END.search(text)
        if end is not None and _SENTENCE.search(text[: end.start()]):
            return f"{prefix}{quote}{text[: end.start()]}{quote}"
        if len(node.values) > 2 or _SENTENCE.search(text):
            return None
    return f"{quote}{_GENERAL}{quote}" if general else None


def _before(module: Module, node: s.JoinedStr, last: s.Expr) -> tuple[str, str, str] | None:
    """Return prefix, quote and what an f-string of one line says before its last value."""
    source = module.source
    whole, head = at.text(module, node), source[node.start : last.start].decode()
    tail = source[last.end : node.end].decode()
    opened = re.match(r"(?P<prefix>[fF])(?P<quote>[\"'])(?P<text>.*)\{$", head)
    if opened is None or whole.count(opened["quote"]) != 2:
        return None
    if not re.fullmatch(r"(![sr])?\}[.]?" + opened["quote"], tail):
        return None
    text = opened["text"]
    if "{{" in text or "}}" in text:
        return None
    return ("f" if "{" in text else ""), opened["quote"], text


def _is_told(handler: s.ExceptHandler) -> bool:
    """Whether a handler logs the exception: with its traceback, or its text."""
    for node in s.walk(*handler.body):
        if not isinstance(node, s.Call):
            continue
        name = s.last_name(node.func) or ""
        if name in _TELLING or name == "exception" or name.startswith("log_"):
            return True
        if name in _LOGGING and (
            node.keyword("exc_info") is not None
            or any(_is_name(inner, handler.name) for inner in s.walk(node))
        ):
            return True
    return False


def _logger(module: Module) -> str | None:
    """Return the name of the logger that a file uses most, None where it has none."""
    found: Counter[str] = Counter(
        node.func.value.id
        for node in module.walk()
        if isinstance(node, s.Call)
        and isinstance(node.func, s.Attribute)
        and node.func.attr in _LOGGING
        and isinstance(node.func.value, s.Name)
    )
    bound = {*module.imported, *_assigned(module)}
    named = (name for name, _ in found.most_common() if "log" in name.lower() and name in bound)
    return next(named, next(_made(module), None))


def _assigned(module: Module) -> Iterator[str]:
    for node in module.facts.body:
        if isinstance(node, s.Assign):
            yield from (target.id for target in node.targets if isinstance(target, s.Name))
        elif isinstance(node, s.AnnAssign) and isinstance(node.target, s.Name):
            yield node.target.id


def _made(module: Module) -> Iterator[str]:
    """Yield the names of ``logging.getLogger(...)`` at module level."""
    for node in module.facts.body:
        if isinstance(node, s.Assign) and isinstance(node.value, s.Call):
            if module.qualify(node.value.func) == "logging.getLogger":
                yield from (target.id for target in node.targets if isinstance(target, s.Name))


def _unnamed(module: Module, handler: s.ExceptHandler) -> list[Edit]:
    """Return the edit that takes away the name of what is caught, where nothing uses it any more."""
    if handler.type is None or not handler.body:
        return []
    start = at.behind_parentheses(module.source, handler.type.end, handler.body[0].start)
    named = re.match(rb"\s+as\s+\w+(?=\s*:)", module.source[start : handler.body[0].start])
    return [Edit(module.path, start, start + named.end(), "")] if named is not None else []
