"""One statement for many keys: how it is written, and the dictionary of what it gives."""

from __future__ import annotations

from fastwright.app.calls import CallSite
from fastwright.app.types import Instance
from fastwright.edit import source as at
from fastwright.edit.fix import Import
from fastwright.edit.names import bring, module_level_imports
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.loading.asked import Asked, Refused

_BREAKS = 3
"""Parts of a statement that is not handed to a session."""


def of_rows(
    into: Module, asked: Asked, site: CallSite, keys: str, session: str
) -> tuple[tuple[str, ...], tuple[Import, ...]]:
    """Return the statement for the rows of all keys, in the parts between which lines may be broken.

    With the imports that it needs in the file that it is written into.
    """
    module, call, imports = site.module, site.node, list[Import]()
    if asked.kind == "many" and asked.statement is not None:
        text = _edited(module, asked, site, keys, imports)
        if asked.legacy:
            return (text, "", ".all()"), tuple(imports)
        return _run(module, call, site, text, session), tuple(imports)
    others = [at.text(module, each) for each in asked.conditions]
    column = asked.column.written
    if asked.legacy:
        given = ", ".join([*others, f"{column}.in_({keys})"])
        return (f"{at.text(module, begun(call))}.filter(", given, ").all()"), ()
    select = _select(into, "sqlmodel" if is_sqlmodel(site) else "sqlalchemy", imports)
    column = _column(into, asked, site, imports)
    given = ", ".join([*others, f"{column}.in_({keys})"])
    run = _run(module, call, site, "", session)
    closed = ")"
    if asked.options:
        if into is not module:
            raise Refused("it loads more with a row")
        closed = f").options({', '.join(at.text(module, each) for each in asked.options)})"
    return (run[0], f"{select}({asked.model}).where(", given, closed, run[-1]), tuple(imports)


def of_numbers(
    module: Module, asked: Asked, site: CallSite, keys: str, session: str
) -> tuple[str, tuple[Import, ...]]:
    """Return what gives the pairs of a key and its number, for all keys."""
    imports: list[Import] = []
    text = _edited(module, asked, site, keys, imports)
    if asked.legacy:
        return f"{text}.all()", tuple(imports)
    assert isinstance(site.node.func, s.Attribute)  # noqa: S101 - a method of the session
    run = f"{at.text(module, site.node.func.value)}.{'exec' if is_sqlmodel(site) else 'execute'}({text})"
    return (f"(await {run}).all()" if session == "async" else f"{run}.all()"), tuple(imports)


def _run(
    module: Module, call: s.Call, site: CallSite, text: str, session: str
) -> tuple[str, str, str]:
    """Return a statement between what runs it and takes all rows."""
    assert isinstance(call.func, s.Attribute)  # noqa: S101 - a method of the session
    opened, closed = ("(await ", ")).all()") if session == "async" else ("", ").all()")
    method = "exec" if is_sqlmodel(site) else "scalars"
    return f"{opened}{at.text(module, call.func.value)}.{method}(", text, closed


def _edited(module: Module, asked: Asked, site: CallSite, keys: str, imports: list[Import]) -> str:
    """Return the statement as it stands, for all keys instead of one."""
    statement, compared = asked.statement, asked.compared
    if statement is None or compared is None:
        raise Refused("the statement does more than find a row", statement)
    column = _column(module, asked, site, imports)
    changes = [(compared.start, compared.end, f"{column}.in_({keys})")]
    behind = ""
    if asked.kind == "value":
        begin = _begin(statement)
        first = begin.args[0]
        if asked.number == "count" and asked.model:  # query(Table).filter(...).count()
            func = bring(module, "sqlalchemy", "func")
            if func is None:
                raise Refused("the name func is taken")
            imports.extend(func.imports)
            number = f"{func.name}.count()"
            changes.append((first.start, first.end, f"{asked.column.written}, {number}"))
        else:
            changes.append((first.start, first.start, f"{asked.column.written}, "))
        behind = f".group_by({asked.column.written})"
    elif not asked.ordered and asked.table is not None:
        keyed = [each.name for each in asked.table.columns.values() if each.primary_key]
        if len(keyed) != 1:
            raise Refused("no single primary key")
        behind = f".order_by({asked.model}.{keyed[0]})"
    text = at.text(module, statement)
    for start, end, new in sorted(changes, reverse=True):
        raw = text.encode()
        left, right = start - statement.start, end - statement.start
        text = (raw[:left] + new.encode() + raw[right:]).decode()
    return text + behind


def _begin(statement: s.Expr) -> s.Call:
    """Return the call that a statement begins with: ``select(...)``."""
    node = statement
    while isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
        inner = node.func.value
        if not isinstance(inner, s.Call):
            break
        node = inner
    assert isinstance(node, s.Call)  # noqa: S101 - it was read before
    return node


def _column(module: Module, asked: Asked, site: CallSite, imports: list[Import]) -> str:
    """Return the column as type checkers take it: SQLModel's need ``col()``."""
    if not is_sqlmodel(site) or asked.table is None:
        return asked.column.written
    col = bring(module, "sqlmodel", "col")
    if col is None:
        raise Refused("the name col is taken")
    imports.extend(col.imports)
    return f"{col.name}({asked.column.written})"


def begun(call: s.Call) -> s.Expr:
    """Return ``session.query(Table)`` of what is called on it."""
    node: s.Expr = call
    while isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
        if node.func.attr == "query":
            break
        node = node.func.value
    return node


def is_sqlmodel(site: CallSite) -> bool:
    """Whether a session is one of SQLModel's, which has ``exec``."""
    found = site.receiver
    return isinstance(found, Instance) and str(found.cls).startswith("sqlmodel.")


def _select(module: Module, origin: str, imports: list[Import]) -> str:
    """Return what ``select`` is called in a file."""
    known = {
        f"{each}.select" for each in (origin, "sqlalchemy.future", "sqlalchemy.sql", "sqlmodel")
    }
    for local, stands_for in module_level_imports(module).items():
        if stands_for in known:
            return local
    found = bring(module, origin, "select")
    if found is None:
        raise Refused("the name select is taken")
    imports.extend(found.imports)
    return found.name


def laid_out(head: str, value: str, loop: str, parts: tuple[str, ...], width: int) -> str:
    """Return a dictionary of rows, on as few lines as it fits."""
    joined = "".join(parts)
    if len(line := f"{head}{value} {loop}{joined}}}") <= width:
        return line
    lines = [head, f"    {value}"]
    inner = "".join(parts[1:-1])
    if len(f"    {loop}{joined}") <= width or not inner:
        lines.append(f"    {loop}{joined}")
    elif len(parts) == _BREAKS or len(inner) + 8 <= width:
        lines += [f"    {loop}{parts[0]}", f"        {inner}", f"    {parts[-1]}"]
    else:
        lines += [f"    {loop}{parts[0]}", f"        {parts[1]}", f"            {parts[2]}",
                  f"        {parts[3]}", f"    {parts[4]}"]  # fmt: skip
    return "\n".join([*lines, "}"])
