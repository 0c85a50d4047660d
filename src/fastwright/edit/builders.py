"""The edits that fixes and recipes are made of: replace, insert, arguments, statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastwright.edit import source as at
from fastwright.edit.fix import Edit
from fastwright.read import syntax as s
from fastwright.read.module import Module

_OF_IMPORTS = (s.Import, s.ImportFrom, s.If, s.Branch, s.Try, s.ExceptHandler, s.Assign, s.Flow)
"""What the blocks consist of in which a file imports what may not be there."""


def replace(module: Module, node: s.Node, text: str) -> Edit:
    """Return the edit that puts ``text`` in the place of a node."""
    return Edit(module.path, node.start, node.end, text)


def insert(module: Module, offset: int, text: str) -> Edit:
    """Return the edit that puts ``text`` before the byte at ``offset``."""
    return Edit(module.path, offset, offset, text)


def delete_argument(module: Module, call: s.Call, argument: s.Node) -> Edit:
    """Return the edit that takes an argument, or a keyword with its value, out of a call."""
    given = arguments(call)
    place = given.index(argument)
    if place + 1 < len(given):
        return Edit(module.path, argument.start, given[place + 1].start, "")
    if place > 0:
        return Edit(module.path, given[place - 1].end, argument.end, "")
    return Edit(module.path, _opening(module, call) + 1, _closing(module, call), "")


def add_argument(module: Module, call: s.Call, text: str) -> Edit:
    """Return the edit that puts ``text`` behind the last argument of a call, as they are laid out."""
    source, given, closing = module.source, arguments(call), _closing(module, call)
    opened = _opening(module, call)
    if not given:
        return Edit(module.path, opened + 1, closing, text)
    last = given[-1]
    end = at.behind_parentheses(source, last.end, closing)
    comma = at.next_sign(source, end, closing)
    alone = at.is_first(source, last.start) and at.is_first(source, closing)
    if alone and len({at.line_start(source, argument.start) for argument in given}) == len(given):
        indentation = at.indentation(source, last.start)
        if source[comma : comma + 1] != b",":
            return insert(module, end, f",{at.newline(source)}{indentation}{text},")
        return insert(
            module, at.next_line(source, comma), f"{indentation}{text},{at.newline(source)}"
        )
    return insert(module, end, f", {text}")


def chain_behind(module: Module, value: s.Expr, text: str) -> Edit:
    """Return the edit that calls a method on a value, on its own line if the next call is."""
    after = at.next_sign(module.source, value.end, len(module.source))
    if module.source[after : after + 1] == b"." and at.is_first(module.source, after):
        indentation = at.indentation(module.source, after)
        return insert(module, value.end, at.newline(module.source) + indentation + text)
    return insert(module, value.end, text)


def _closing(module: Module, call: s.Call) -> int:
    return module.source.rindex(b")", call.start, call.end)


def _opening(module: Module, call: s.Call) -> int:
    """Return where the parenthesis of a call stands that opens its arguments."""
    end = at.behind_parentheses(module.source, call.func.end, call.end)
    return module.source.index(b"(", end)


def delete_parameter(module: Module, function: s.FunctionDef, gone: s.Parameter) -> Edit | None:
    """Return the edit that takes a parameter out of a signature.

    None where more than a comma stands between it and its neighbour: a bare ``*`` or ``/``, a comment.
    """
    number = function.params.index(gone)
    before, behind = function.params[:number], function.params[number + 1 :]
    if behind:
        between = module.source[gone.end : behind[0].start]
        edit = Edit(module.path, gone.start, behind[0].start, "")
    elif before:
        between = module.source[before[-1].end : gone.start]
        edit = Edit(module.path, before[-1].end, gone.end, "")
    else:
        opened = module.source.rindex(b"(", function.name_start, gone.start)
        closed = module.source.index(b")", gone.end)
        between = module.source[opened + 1 : gone.start] + module.source[gone.end : closed]
        edit = Edit(module.path, opened + 1, closed, "")
    return edit if between.strip() in {b"", b","} else None


def add_parameter(module: Module, function: s.FunctionDef, text: str) -> Edit | None:
    """Return the edit that puts a parameter behind the others; None where some are not plain ones."""
    if any(each.kind != "plain" for each in function.params):
        return None
    source, end = module.source, at.newline(module.source)
    if not function.params:
        return insert(module, source.index(b"(", function.name_start) + 1, text)
    last = function.params[-1]
    comma = at.next_sign(source, last.end, function.end)
    if not at.is_first(source, last.start):
        return insert(module, last.end, f", {text}")
    indentation = at.indentation(source, last.start)
    if source[comma : comma + 1] != b",":
        return insert(module, last.end, f",{end}{indentation}{text},")
    return insert(module, at.next_line(source, comma), f"{indentation}{text},{end}")


def arguments(call: s.Call) -> list[s.Node]:
    """Return the arguments and keywords of a call in the order in which they are written."""
    return sorted([*call.args, *call.keywords], key=lambda node: node.start)


def delete_statements(
    module: Module, block: Sequence[s.Stmt], gone: Sequence[s.Stmt]
) -> list[Edit]:
    """Return the edits that take statements out of the block (its whole body) that holds them.

    A statement takes its line with it, and the comment at the end of it. ``pass`` is left where
    nothing else would be.
    """
    source = module.source
    edits = []
    for number, statement in enumerate(gone):
        start, end = first_byte(statement), statement.end
        if len(gone) == len(block) and number == 0:
            edits.append(Edit(module.path, start, end, "pass"))
        elif at.is_alone(source, start, end):
            start = at.line_start(source, start)
            edits.append(Edit(module.path, start, at.next_line(source, max(end - 1, start)), ""))
        else:
            edits.append(Edit(module.path, start, _behind_semicolon(source, end), ""))
    return edits


def delete_member(module: Module, body: Sequence[s.Stmt], gone: s.Stmt) -> list[Edit]:
    """Return the edits that take a member out of a class, with the blank lines on one side of it."""
    source = module.source
    edits = delete_statements(module, body, [gone])
    if len(body) == 1:
        return edits
    if gone is not body[-1]:
        return [Edit(module.path, e.start, at.blank_lines(source, e.end), e.text) for e in edits]
    above = at.next_line(source, body[-2].end - 1)
    if source[above : edits[0].start].strip():
        return edits
    return [Edit(module.path, above, edits[0].end, "")]


def blocks(body: list[s.Stmt]) -> Iterator[list[s.Stmt]]:
    """Yield the blocks of a scope, outer ones first: lists of statements that run one by one."""
    yield body
    for statement in body:
        if isinstance(statement, (s.FunctionDef, s.ClassDef)):
            continue
        for child in (statement, *s.children(statement)):
            for name in ("body", "orelse", "finalbody"):
                inner = getattr(child, name, None)
                if isinstance(inner, list) and inner:
                    yield from blocks(inner)


def under(
    module: Module, statements: Sequence[s.Stmt], head: str, tail: str = ""
) -> list[Edit] | None:
    """Return the edits that put statements, whole lines in a row, under ``head`` (``with a:``).

    ``tail`` are lines behind them. None where a text goes over several lines, which would change.
    """
    source, end = module.source, at.newline(module.source)
    first, last = first_byte(statements[0]), statements[-1].end
    if not at.is_first(source, first) or not at.is_alone(source, statements[-1].start, last):
        return None
    for node in s.walk(*statements):
        text = isinstance(node, (s.JoinedStr, s.Constant))
        if text and b"\n" in source[node.start : node.end]:
            return None
    outer, step = at.indentation(source, first), at.step(module)
    start, stop = at.line_start(source, first), at.next_line(source, last - 1)
    edits = [insert(module, start, f"{outer}{head}{end}{step}")]
    while (start := at.next_line(source, start)) < stop:
        if source[start : at.next_line(source, start)].strip():
            edits.append(insert(module, start, step))
    if tail:
        before = "" if source[stop - 1 : stop] == b"\n" else end
        edits.append(insert(module, stop, before + _indented(source, first, tail)))
    return edits


def block_of(body: list[s.Stmt], node: s.Node) -> tuple[list[s.Stmt], s.Stmt] | None:
    """Return the innermost block of a scope around a node, and the statement there that holds it."""
    found = None
    for block in blocks(body):
        for statement in block:
            if first_byte(statement) <= node.start and node.end <= statement.end:
                found = block, statement
    return found


def move_behind(module: Module, statement: s.Stmt, target: s.Stmt) -> list[Edit]:
    """Return the edits that put a statement, with the comments above it, behind a later one."""
    source = module.source
    start = at.line_start(source, first_byte(statement))
    while (above := at.line_start(source, start - 1)) < start and source[
        above:start
    ].lstrip().startswith(b"#"):
        start = above
    end = at.next_line(source, statement.end - 1)
    text = source[start:end].decode()
    blank = at.blank_lines(source, end)
    parted = start > 0 and not source[at.line_start(source, start - 1) : start].strip()
    gone = Edit(module.path, start, blank if parted else end, "")
    newline = at.newline(source)
    before = newline if parted else ""
    if isinstance(target, (s.FunctionDef, s.ClassDef)):
        before = newline if at.indentation(source, target.start) else newline * 2
    place = at.next_line(source, target.end - 1)
    if place == len(source) and not source.endswith(b"\n"):
        before, text = newline + before, text.rstrip("\r\n")
    return [gone, insert(module, place, before + text)]


def first_byte(statement: s.Node) -> int:
    """Return where a statement or handler begins, its decorators included."""
    if isinstance(statement, (s.FunctionDef, s.ClassDef)) and statement.decorators:
        return statement.decorators[0].start - 1
    return statement.start


def insert_before(module: Module, statement: s.Node, lines: str) -> Edit:
    """Return the edit that puts whole lines (without indentation) before a statement or handler."""
    source = module.source
    start = first_byte(statement)
    return insert(module, at.line_start(source, start), _indented(source, start, lines))


def insert_after(module: Module, statement: s.Node, lines: str) -> Edit:
    """Return the edit that puts whole lines (without indentation) behind a statement."""
    source = module.source
    end = at.next_line(source, max(statement.end - 1, statement.start))
    text = _indented(source, first_byte(statement), lines)
    if end == len(source) and not source.endswith(b"\n"):
        text = at.newline(source) + text
    return insert(module, end, text)


def behind_imports(module: Module, lines: str) -> Edit | None:
    """Return the edit that puts lines behind the imports at the head of a file; None without any."""
    last = None
    for number, statement in enumerate(module.facts.body):
        if isinstance(statement, (s.Import, s.ImportFrom, s.If, s.Try)):
            inside = [*s.statements([statement])]
            if not all(isinstance(node, _OF_IMPORTS) for node in inside):
                break
            last = statement
        elif number > 0 or not isinstance(statement, s.ExprStmt):
            break
    if last is None or not at.is_alone(module.source, last.start, last.end):
        return None
    end = at.newline(module.source)
    offset = at.next_line(module.source, last.end - 1)
    return insert(module, offset, end + "".join(line + end for line in lines.splitlines()))


def _indented(source: bytes, offset: int, lines: str) -> str:
    indentation, end = at.indentation(source, offset), at.newline(source)
    return "".join(f"{indentation}{line}{end}" if line else end for line in lines.splitlines())


def _behind_semicolon(source: bytes, end: int) -> int:
    while end < len(source) and source[end : end + 1] in (b" ", b"\t", b";"):
        end += 1
    return end
