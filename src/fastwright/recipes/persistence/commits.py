"""Commits of repositories move to those who call them: they know whether a use case is done.

`self.session.commit()` goes out of the method, with the `refresh` behind it, and stands behind every call of it. A service that is only given
repositories is given their session as well, by those who make both.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import UNKNOWN, Instance
from fastwright.edit.builders import (
    add_argument,
    add_parameter,
    block_of,
    delete_statements,
    insert_after,
    replace,
)
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, module_level_imports
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.persistence.built import StaysError
from fastwright.recipes.persistence.repositories import session_class
from fastwright.recipes.recipe import Kept, Planned, Proposal, Stopped, Target
from fastwright.recipes.shared.takers import callers
from fastwright.recipes.shared.words import snake


class _Committing(msgspec.Struct, frozen=True, eq=False):
    """A method of a repository that commits, as its last act but for ``refresh`` and ``return``."""

    function: Function
    commit: s.ExprStmt
    session: s.Expr
    refresh: s.ExprStmt | None
    answer: str | None
    """The variable that it refreshes or gives back."""
    returns: bool
    """Whether it gives that back."""
    flushes: bool
    """Whether what is behind needs what was written."""

    @property
    def earlier(self) -> tuple[s.Return, ...]:
        """What leaves it before it commits."""
        return tuple(
            node
            for node in s.walk(*self.function.node.body)
            if isinstance(node, s.Return) and node.start < self.commit.start
        )

    @property
    def is_conditional(self) -> bool:
        """Whether it commits in some cases only."""
        body = self.function.node.body
        return bool(self.earlier) or not any(statement is self.commit for statement in body)

    @property
    def waits(self) -> str:
        """``await`` where the session is an asynchronous one."""
        return "await " if isinstance(self.commit.value, s.Await) else ""


def from_repositories(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each method of a repository that commits."""
    for step in app.reached:
        function = step.function
        if function.module.kind != "source" or not _is_repository(app, function):
            continue
        if not target.takes(function) or function.name in {"commit", "__exit__", "__aexit__"}:
            continue
        statements = list(_commits(app, function))
        if not statements:
            continue
        try:
            yield _proposal(app, _committing(app, function, statements))
        except Kept as kept:
            yield Stopped(kept.place, f"{function.qualname} commits: {kept.reason}")


def _is_repository(app: App, function: Function) -> bool:
    layer = app.layers.get(function.module.path)
    named = function.owner is not None and function.owner.name.endswith("Repository")
    return named or (layer is not None and layer.name == "repository" and not layer.guessed)


def _commits(app: App, function: Function) -> Iterator[s.ExprStmt]:
    """Yield the statements that commit a session that a function was given."""
    calls = {
        id(site.node): site
        for site in app.calls.sites(function)
        if site.method == "commit"
        and site.receiver is not None
        and app.types.session_kind(site.receiver) is not None
    }
    parameters = {parameter.name for parameter in function.node.params}
    for node in s.walk(*function.node.body):
        if isinstance(node, s.ExprStmt):
            call = _bare(node.value)
            if isinstance(call, s.Call) and id(call) in calls:
                root = (s.dotted(call.func) or "").partition(".")[0]
                if root in parameters:
                    yield node


def _bare(node: s.Expr) -> s.Expr:
    return node.value if isinstance(node, s.Await) else node


def _committing(app: App, function: Function, statements: list[s.ExprStmt]) -> _Committing:
    """Return what a method does when it commits. Raises Kept where it does more behind it."""
    module, commit = function.module, statements[-1]
    if len(statements) > 1:
        raise Kept(module, statements[0], "and commits again")
    call = _bare(commit.value)
    assert isinstance(call, s.Call) and isinstance(call.func, s.Attribute)  # noqa: S101, PT018 - as it was found
    session = text(module, call.func.value)
    if any(around.loops for node, around in app.calls.nodes(function) if node is call):
        raise Kept(module, commit, "in a loop")
    refresh, answer, flushes = None, None, False
    caught = any(
        isinstance(node, s.Try) and node.start < commit.start < node.end
        for node in s.walk(*function.node.body)
    )
    for statement in _behind(function, commit):
        if isinstance(statement, s.Return):
            value = statement.value
            if isinstance(value, s.Name):
                if refresh is not None and answer != value.id:
                    raise Kept(module, statement, "and gives back another row than it refreshes")
                return _Committing(
                    function,
                    commit,
                    call.func.value,
                    refresh,
                    value.id,
                    returns=True,
                    flushes=caught,
                )
            if value is not None and any(
                isinstance(node, (s.Call, s.Await, s.Comp)) for node in s.walk(value)
            ):
                raise Kept(module, statement, "and does more behind it")
            flushes = value is not None and not isinstance(value, s.Constant)
        elif refresh is None and (name := _refreshed(module, statement, session)) is not None:
            assert isinstance(statement, s.ExprStmt)  # noqa: S101 - it refreshes
            refresh, answer = statement, name
        else:
            raise Kept(module, statement, "and does more behind it")
    return _Committing(
        function, commit, call.func.value, refresh, answer, returns=False, flushes=flushes or caught
    )


def _behind(function: Function, commit: s.ExprStmt) -> Iterator[s.Stmt]:
    """Yield what runs behind a statement of a function, to its end."""
    node: s.Stmt = commit
    while True:
        found = next(
            (
                (block, number)
                for block in _all_blocks(function.node.body)
                for number, each in enumerate(block)
                if each is node
            ),
            None,
        )
        if found is None:
            return
        block, number = found
        yield from block[number + 1 :]
        if block is function.node.body:
            return
        node = next(
            each
            for each in s.statements(function.node.body)
            if isinstance(each, (s.If, s.Try, s.With, s.For, s.While))
            and any(inner is block for inner in _blocks_of(each))
        )


def _all_blocks(body: list[s.Stmt]) -> Iterator[list[s.Stmt]]:
    yield body
    for statement in body:
        for block in _blocks_of(statement):
            yield from _all_blocks(block)


def _blocks_of(statement: s.Stmt) -> Iterator[list[s.Stmt]]:
    if isinstance(statement, (s.FunctionDef, s.ClassDef)):
        return
    for part in (statement, *s.children(statement)):
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(part, name, None)
            if isinstance(inner, list) and inner:
                yield inner


def _refreshed(module: Module, statement: s.Stmt, session: str) -> str | None:
    call = _bare(statement.value) if isinstance(statement, s.ExprStmt) else None
    if not isinstance(call, s.Call) or text(module, call.func) != f"{session}.refresh":
        return None
    if len(call.args) != 1 or call.keywords or not isinstance(call.args[0], s.Name):
        return None
    return call.args[0].id


# ---------------------------------------------------------------------- the change


def _proposal(app: App, found: _Committing) -> Proposal:
    function, module = found.function, found.function.module
    if found.refresh is not None:
        _check_refreshed(found)
    sites = _sites(app, function)
    edits: list[Edit] = []
    imports: list[Import] = []
    if found.flushes:
        call = _bare(found.commit.value)
        assert isinstance(call, s.Call)  # noqa: S101 - as it was found
        edits.append(replace(module, call.func, f"{text(module, found.session)}.flush"))
        gone: list[s.Stmt] = []
    else:
        gone = [found.commit]
    gone += [found.refresh] if found.refresh is not None else []
    blocks: dict[int, tuple[list[s.Stmt], list[s.Stmt]]] = {}
    for statement in gone:
        held = block_of(function.node.body, statement)
        assert held is not None  # noqa: S101 - it stands in the function
        blocks.setdefault(id(held[0]), (held[0], []))[1].append(statement)
    for block, statements in blocks.values():
        edits += delete_statements(module, block, statements)
    for site in sites:
        session, given = _session_at(app, site, found)
        edits += given[0]
        imports += given[1]
        edits += _after(app, site, found, session)
    place = f"{module.path}:{module.line(found.commit)}"
    title = f"{function.qualname} of {module.path} leaves it to its callers to commit"
    return Proposal(title, tuple(dict.fromkeys(edits)), tuple(imports), places=(place,))


def _check_refreshed(found: _Committing) -> None:
    """Raise Kept where callers may have no row to refresh."""
    module = found.function.module
    for leaving in found.earlier:
        if not (isinstance(leaving.value, s.Name) and leaving.value.id == found.answer):
            raise Kept(module, leaving, "and gives back something else than it refreshes here")
    for node in s.walk(*found.function.node.body):
        if isinstance(node, s.If) and node.start < found.commit.start < node.end:
            raise Kept(module, found.commit, "and refreshes a row in some cases only")


def _sites(app: App, function: Function) -> list[CallSite]:
    """Return every call of a function. Raises Kept where one may be that is not seen."""
    found = [site for site in callers(app).get(id(function.node), []) if len(site.targets) == 1]
    known = {id(site.node.func): site for sites in callers(app).values() for site in sites}
    if function.owner is not None:
        for cls in app.subclasses(function.owner):
            if function.name in cls.own_methods:
                reason = f"and {cls.name} has a method of its own in its place"
                raise Kept(function.module, function.node, reason)
    for module in app.modules.values():
        if function.name.encode() not in module.source:
            continue
        is_method = function.owner is not None
        if module.kind != "source" and is_method and not _knows(app, module, function):
            continue
        for node in module.walk():
            if not isinstance(node, (s.Name, s.Attribute)) or s.last_name(node) != function.name:
                continue
            site = known.get(id(node))
            if site is not None and len(site.targets) == 1:
                continue
            if isinstance(node, s.Name):
                around = app.function_of(module, node)
                is_local = around is not None and node.id in app.types.locals.of(around)
                symbol = app.linker.expression(node, module, None)
                if not is_local and isinstance(symbol, Function) and symbol.node is function.node:
                    raise Kept(module, node, "and is named here otherwise than in a call")
            elif _may_be(app, module, node, function):
                if not is_method:
                    raise Kept(module, node, "and is used here, outside of requests")
                raise Kept(module, node, "and may be meant here")
    if not found:
        raise Kept(function.module, function.node, "and nobody calls it")
    return found


def _knows(app: App, module: Module, function: Function) -> bool:
    """Whether a test imports the class of a method."""
    return any(
        edge.imported == function.module.path
        and (not edge.names or (function.owner is not None and function.owner.name in edge.names))
        for edge in app.imports.of(module.path)
    )


def _may_be(app: App, module: Module, node: s.Attribute, function: Function) -> bool:
    """Whether an attribute may be a function, by what it is an attribute of."""
    kind = app.types.of(node.value, Where(module, app.function_of(module, node)))
    if function.owner is None:
        symbol = app.linker.expression(node, module, None)
        return isinstance(symbol, Function) and symbol.node is function.node
    if kind is UNKNOWN:
        return True
    return (
        isinstance(kind, Instance)
        and isinstance(kind.cls, Class)
        and any(
            isinstance(each, Class) and each.node is function.owner.node
            for each in app.linker.mro(kind.cls)
        )
    )


def _after(app: App, site: CallSite, found: _Committing, session: str) -> Iterator[Edit]:
    """Yield the edits that commit behind a call, and give its row back as it is then."""
    module, body = site.module, site.caller.node.body
    held = block_of(body, site.node)
    assert held is not None  # noqa: S101 - it stands in the function
    block, statement = held
    value = getattr(statement, "value", None)
    if not isinstance(statement, (s.ExprStmt, s.Assign, s.AnnAssign, s.Return)) or (
        value is None or _bare(value) is not site.node
    ):
        raise Kept(module, site.node, "and what it gives is used at once here")
    if found.is_conditional and _writes_before(app, site):
        raise Kept(module, site.node, "not always, and something is written before it here")
    if found.is_conditional and found.waits and block[-1] is not statement:
        if not _keeps_rows(app):
            raise Kept(module, site.node, "not always, and rows are used behind it here")
    lines = [f"{found.waits}{session}.commit()"]
    given = _given(site, found)
    if isinstance(statement, s.Return):
        name = given if found.returns else None
        if name is None:
            name = _name(app, site)
            yield replace(module, statement, f"{name} = {text(module, value)}")
        else:
            yield replace(module, statement, text(module, value))
        if found.refresh is not None:
            lines.append(f"{found.waits}{session}.refresh({name})")
        yield insert_after(module, statement, "\n".join([*lines, f"return {name}"]))
        return
    target = given
    if isinstance(statement, (s.Assign, s.AnnAssign)) and found.returns:
        first = statement.targets[0] if isinstance(statement, s.Assign) else statement.target
        target = first.id if isinstance(first, s.Name) else None
    if found.refresh is not None and target is not None:
        lines.append(f"{found.waits}{session}.refresh({target})")
    elif found.refresh is not None and not isinstance(statement, s.ExprStmt):
        raise Kept(module, site.node, "and what it refreshes has no name here")
    yield insert_after(module, statement, "\n".join(lines))


def _given(site: CallSite, found: _Committing) -> str | None:
    """Return the variable of the caller that is what a method refreshes or gives back."""
    for number, parameter in enumerate(found.function.parameters):
        if parameter.name == found.answer:
            keyword = site.node.keyword(parameter.name)
            at = site.node.args[number] if number < len(site.node.args) else keyword
            return at.id if isinstance(at, s.Name) else None
    return None


def _name(app: App, site: CallSite) -> str:
    """Return a free name for what a call gives."""
    kind = app.types.awaited(app.types.of(site.node, Where(site.module, site.caller)))
    taken = {n.id for n in s.walk(site.caller.node) if isinstance(n, s.Name)}
    taken |= {parameter.name for parameter in site.caller.node.params}
    taken |= set(module_level_imports(site.module))
    row = snake(kind.cls.name) if isinstance(kind, Instance) and isinstance(kind.cls, Class) else ""
    for name in (row, "result", "saved"):
        if name and name not in taken:
            return name
    raise Kept(site.module, site.node, "and there is no free name for what it gives here")


def _writes_before(app: App, site: CallSite) -> bool:
    """Whether a function has written something before a call."""
    if any(
        each.kind == "write" and each.site.node.start < site.node.start
        for each in app.calls.executions(site.caller)
    ):
        return True
    return any(
        isinstance(node, (s.Assign, s.AugAssign))
        and node.start < site.node.start
        and any(
            isinstance(target, s.Attribute)
            for target in (node.targets if isinstance(node, s.Assign) else [node.target])
        )
        for node in s.walk(*site.caller.node.body)
    )


def _keeps_rows(app: App) -> bool:
    """Whether the sessions of a project keep what they loaded when they commit."""
    return any(
        isinstance(node, s.Keyword)
        and node.arg == "expire_on_commit"
        and isinstance(node.value, s.Constant)
        and node.value.value is False
        for module in app.sources
        if b"expire_on_commit" in module.source
        for node in module.walk()
    )


# --------------------------------------------------------------- the session of a caller

_Given = tuple[list[Edit], list[Import]]


def _session_at(app: App, site: CallSite, found: _Committing) -> tuple[str, _Given]:
    """Return the session of a repository as its caller has it, and what gives it to the caller. Raises Kept."""
    caller, module = site.caller, site.module
    if found.function.owner is None:
        given = _argument(site, found)
        if s.dotted(given) is not None and given is not None:
            return text(module, given), ([], [])
    elif isinstance(site.node.func, s.Attribute):
        receiver = site.node.func.value
        if s.dotted(receiver) == "self":
            return text(found.function.module, found.session), ([], [])
        made = _made(app, caller, receiver)
        if made is not None:
            return text(module, made), ([], [])
        if isinstance(receiver, s.Attribute) and s.dotted(receiver.value) == "self":
            kept = _kept(app, caller, receiver.attr)
            if kept is not None:
                return kept
    raise Kept(module, site.node, f"and {caller.qualname} holds no session to commit")


def _argument(site: CallSite, found: _Committing) -> s.Expr | None:
    name = s.dotted(found.session)
    for number, parameter in enumerate(found.function.parameters):
        if parameter.name == name:
            return site.node.argument(number, parameter.name)
    return None


def _made(app: App, caller: Function, node: s.Expr) -> s.Expr | None:
    """Return the session of ``OrderRepository(session)``, or of a variable that is one."""
    if isinstance(node, s.Name):
        bound = [
            each
            for each in s.walk(*caller.node.body)
            if isinstance(each, s.Assign)
            and isinstance(each.targets[0], s.Name)
            and each.targets[0].id == node.id
        ]
        node = bound[0].value if len(bound) == 1 else node
    if isinstance(node, s.Call) and len(node.args) == 1 and not node.keywords:
        given = node.args[0]
        kind = app.types.of(given, Where(caller.module, caller))
        if s.dotted(given) is not None and app.types.session_kind(kind) is not None:
            return given
    return None


def _kept(app: App, caller: Function, attribute: str) -> tuple[str, _Given] | None:
    """Return the session of an object that keeps a repository, and what makes it keep it."""
    owner = caller.owner
    made = app.linker.method(owner, "__init__") if owner is not None else None
    if owner is None or made is None or made.owner is None or made.owner.node is not owner.node:
        return None
    kept: dict[str, s.Expr] = {}
    for statement in made.node.body:
        if isinstance(statement, s.Assign):
            target = statement.targets[0]
            if isinstance(target, s.Attribute) and s.dotted(target.value) == "self":
                kept[target.attr] = statement.value
    value = kept.get(attribute)
    if value is None:
        return None
    session = _made(app, made, value)
    sessions = {
        each.id: name
        for name, each in kept.items()
        if isinstance(each, s.Name)
        and app.types.session_kind(app.types.of(each, Where(made.module, made))) is not None
    }
    if session is not None:
        name = sessions.get(text(made.module, session))
        if name is not None:
            return f"self.{name}", ([], [])
        given = text(made.module, session)
        line = insert_after(made.module, made.node.body[-1], f"self.session = {given}")
        return ("self.session", ([line], [])) if "session" not in kept else None
    if isinstance(value, s.Name):
        return _handed(app, made, value.id, sessions, set(kept))
    return None


def _handed(
    app: App, made: Function, repository: str, sessions: dict[str, str], kept: set[str]
) -> tuple[str, _Given] | None:
    """Return the session that an object is given beside a repository, or what gives it one."""
    sites = callers(app).get(id(made.node), [])
    number = next((n for n, p in enumerate(made.parameters) if p.name == repository), None)
    if number is None or not sites or made.owner is None:
        return None
    if any(function.node is made.node for function in app.request_roots):
        return None
    edits: list[Edit] = []
    kinds: set[tuple[str, str]] = set()
    for site in sites:
        given = site.node.argument(number, repository)
        session = _made(app, site.caller, given) if given is not None else None
        if session is None:
            return None
        for parameter, name in sessions.items():
            position = next(n for n, p in enumerate(made.parameters) if p.name == parameter)
            other = site.node.argument(position, parameter)
            if other is None or text(site.module, other) != text(site.module, session):
                return None
            if site is sites[-1]:
                return f"self.{name}", ([], [])
        edits.append(add_argument(site.module, site.node, f"session={text(site.module, session)}"))
        try:
            kinds.add(session_class(app, site.caller, session))
        except StaysError:
            return None
    if sessions or len(kinds) != 1 or _is_made_elsewhere(app, made, sites):
        return None
    module, (origin, name) = made.module, kinds.pop()
    brought = bring(module, origin, name)
    taken = "session" in kept or any(p.name == "session" for p in made.parameters)
    if brought is None or taken:
        return None
    parameter_ = add_parameter(module, made.node, f"session: {brought.name}")
    if parameter_ is None:
        return None
    line = insert_after(module, made.node.body[-1], "self.session = session")
    return "self.session", ([*edits, parameter_, line], list(brought.imports))


def _is_made_elsewhere(app: App, made: Function, sites: list[CallSite]) -> bool:
    """Whether a class is made in another place than is seen."""
    owner = made.owner
    assert owner is not None  # noqa: S101 - asked for classes only
    seen = {id(site.node.func) for site in sites}
    if app.subclasses(owner):
        return True
    for module in app.modules.values():
        if owner.name.encode() not in module.source:
            continue
        for node in module.walk():
            if isinstance(node, s.Call) and s.last_name(node.func) == owner.name:
                symbol = app.linker.expression(node.func, module, None)
                is_it = isinstance(symbol, Class) and symbol.node is owner.node
                if is_it and id(node.func) not in seen:
                    return True
    return False
