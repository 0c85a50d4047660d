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
            line = source[at.line_start(source, end) : end].decode()
            fits = len(given) == 1 and len(line) + len(text) + 2 <= at.width(source)
            behind = f", {text}" if fits else f",{at.newline(source)}{indentation}{text},"
            return insert(module, end, behind)
        return insert(
            module, at.next_line(source, comma), f"{indentation}{text},{at.newline(source)}"
        )
    if b"\n" not in source[call.start : call.end]:
        return _on_one_line(module, call, text)
    return insert(module, end, f", {text}")


def _on_one_line(module: Module, call: s.Call, text: str) -> Edit:
    """Return the edit for a call that stands on one line, and may not fit on it any more."""
    source, last = module.source, arguments(call)[-1]
    start = at.line_start(source, call.start)
    line = source[start : at.next_line(source, call.start)].decode().rstrip()
    if len(line) + len(text) + 2 <= at.width(source):
        end = at.behind_parentheses(source, last.end, _closing(module, call))
        return insert(module, end, f", {text}")
    return _split(module, call, [text])


def split(module: Module, call: s.Call, longer: int) -> list[Edit]:
    """Return the edits that break a call of one line which is ``longer`` now than lines may be."""
    source = module.source
    line = source[at.line_start(source, call.start) : at.next_line(source, call.end - 1)]
    long = len(line.decode().rstrip()) + longer > at.width(source)
    if not arguments(call) or b"\n" in source[call.start : call.end] or not long:
        return []
    return [_split(module, call, [])]


def _split(module: Module, call: s.Call, more: list[str]) -> Edit:
    """Return the edit that puts the arguments of a call on a line, or each on its own."""
    source, end = module.source, at.newline(module.source)
    opened, closing = _opening(module, call), _closing(module, call)
    outer = at.indentation(source, opened)
    inner = outer + " " * 4
    written = source[opened + 1 : closing].decode().strip().rstrip(",").rstrip()
    together = inner + ", ".join([written, *more])
    if len(together) <= at.width(source):
        return Edit(module.path, opened + 1, closing, f"{end}{together}{end}{outer}")
    each = [source[a:b].decode() for a, b in _ranges(module, opened, closing, arguments(call))]
    lines = "".join(f"{inner}{argument},{end}" for argument in [*each, *more])
    return Edit(module.path, opened + 1, closing, f"{end}{lines}{outer}")


def _ranges(
    module: Module, opened: int, closing: int, given: list[s.Node]
) -> Iterator[tuple[int, int]]:
    """Yield from where to where each argument stands, with the parentheses around it."""
    source, start = module.source, opened + 1
    for argument in given:
        end = at.behind_parentheses(source, argument.end, closing)
        start = at.next_sign(source, start, closing)
        yield start, end
        start = at.next_sign(source, end, closing) + 1


def replace_parameter(
    module: Module, function: s.FunctionDef, parameter: s.Parameter, text: str
) -> Edit:
    """Return the edit that writes a parameter anew; a line that gets too long is broken."""
    written = [
        text if each is parameter else at.text(module, each).strip() for each in function.params
    ]
    longer = len(text) - len(at.text(module, parameter))
    whole = _signature(module, function, written, longer)
    return whole or replace(module, parameter, text)


def add_parameters(module: Module, function: s.FunctionDef, texts: Sequence[str]) -> Edit | None:
    """Return the edit that adds parameters with defaults behind the others; None after ``**rest``."""
    if any(each.kind != "plain" for each in function.params):
        return None
    written = [at.text(module, each).strip() for each in function.params]
    longer = len(", ".join(["", *texts]))
    whole = _signature(module, function, [*written, *texts], longer)
    if whole is not None or not function.params:
        return whole
    source, last = module.source, function.params[-1]
    comma = at.next_sign(source, last.end, function.end)
    if not at.is_first(source, last.start):
        return insert(module, last.end, "".join(f", {text}" for text in texts))
    indentation, end = at.indentation(source, last.start), at.newline(source)
    if source[comma : comma + 1] == b",":
        lines = "".join(f"{indentation}{text},{end}" for text in texts)
        return insert(module, at.next_line(source, comma), lines)
    return insert(module, last.end, "".join(f",{end}{indentation}{text}" for text in texts))


def _signature(
    module: Module, function: s.FunctionDef, written: list[str], longer: int
) -> Edit | None:
    """Return the edit for the parameters of a ``def`` of one line which gets too long, or had none."""
    source, end = module.source, at.newline(module.source)
    opened = source.index(b"(", function.name_start)
    behind = max([opened + 1, *(each.end for each in function.params)])
    closing = source.index(b")", behind)
    line = source[at.line_start(source, opened) : at.next_line(source, opened)].decode().rstrip()
    inside = source[opened + 1 : closing]
    if b"\n" in inside or any(each.kind != "plain" for each in function.params):
        return None
    if len(line) + longer <= at.width(source):
        return (
            None if function.params else Edit(module.path, opened + 1, closing, ", ".join(written))
        )
    outer = at.indentation(source, opened)
    inner = outer + at.step(module)
    together = f"{inner}{', '.join(written)}"
    if len(together) <= at.width(source):
        return Edit(module.path, opened + 1, closing, f"{end}{together}{end}{outer}")
    lines = "".join(f"{inner}{text},{end}" for text in written)
    return Edit(module.path, opened + 1, closing, f"{end}{lines}{outer}")


def chain_call(
    module: Module, call: s.Call, text: str, following: Sequence[s.Expr] = ()
) -> list[Edit]:
    """Return the edits that call a method on what a call gives, before the calls that follow it.

    The chain goes on several lines where it is on several already, or too long for one.
    """
    source, end = module.source, at.newline(module.source)
    chain = [step for step in following if isinstance(step, s.Call) and step.start == call.start]
    last = max([call.end, *(step.end for step in chain)])
    line = source[at.line_start(source, call.start) : at.next_line(source, last - 1)].decode()
    fits = len(line.rstrip()) + len(text) <= at.width(source)
    ends = at.next_line(source, last - 1) == len(source) or not source[
        last : at.next_line(source, last - 1)
    ].strip(b" \r\n")
    if fits or not ends or b"\n" in source[call.start : last]:
        return [chain_behind(module, call, text)]
    outer = at.indentation(source, call.start)
    wrapped = not at.is_first(source, call.start)
    inner = end + outer + (at.step(module) if wrapped else "")
    breaks = [
        insert(module, step.func.value.end, inner)
        for step in chain
        if isinstance(step.func, s.Attribute)
    ]
    first = [insert(module, call.start, f"({inner}")] if wrapped else []
    close = [insert(module, last, f"{end}{outer})")] if wrapped else []
    return [*first, insert(module, call.end, inner + text), *breaks, *close]


def chain_behind(module: Module, value: s.Expr, text: str) -> Edit:
    """Return the edit that calls a method on a value, on its own line if the next call is."""
    after = at.next_sign(module.source, value.end, len(module.source))
    if module.source[after : after + 1] == b"." and at.is_first(module.source, after):
        indentation = at.indentation(module.source, after)
        return insert(module, value.end, at.newline(module.source) + indentation + text)
    return insert(module, value.end, text)


def joined(module: Module, call: s.Call, shorter: int) -> list[Edit]:
    """Return the edits that put a call on one line, where it fits now that it is ``shorter``.

    Only where its arguments stand on a line of their own, without a comma behind the last one.
    """
    source, given = module.source, arguments(call)
    opened, closing = _opening(module, call), _closing(module, call)
    lines = source[opened + 1 : closing].split(b"\n")
    if not given or len(lines) != 3 or lines[0].strip() or lines[2].strip() or b"#" in lines[1]:
        return []
    end = at.behind_parentheses(source, given[-1].end, closing)
    if at.next_sign(source, end, closing) != closing:
        return []
    head = source[at.line_start(source, opened) : opened + 1].decode()
    tail = source[closing : at.next_line(source, closing)].decode().rstrip()
    if len(head) + len(lines[1].decode().strip()) + len(tail) - shorter > at.width(source):
        return []
    first = at.next_sign(source, opened + 1, closing)
    return [Edit(module.path, opened + 1, first, ""), Edit(module.path, end, closing, "")]


def call_lines(module: Module, statement: s.Node, call: str, argument: str) -> str:
    """Return the lines of ``call(argument)`` at the indentation of a statement, broken if too long."""
    indentation = at.indentation(module.source, first_byte(statement))
    whole = f"{call}({argument})"
    if len(indentation) + len(whole) <= at.width(module.source):
        return whole
    return f"{call}(\n{at.step(module)}{argument}\n)"


def _closing(module: Module, call: s.Call) -> int:
    return module.source.rindex(b")", call.start, call.end)


def _opening(module: Module, call: s.Call) -> int:
    """Return where the parenthesis of a call stands that opens its arguments."""
    end = at.behind_parentheses(module.source, call.func.end, call.end)
    return module.source.index(b"(", end)


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
