"""An outside service stands behind a port of the application's own, which `Depends` fills.

A function that sends a mail, asks another server or a payment service (`def send_mail(to: str, subject: str, text: str)`) is the adapter as it
is; the port is what it is called with: `class SendMail(Protocol)` in `ports/mail.py`. Several functions of one module that ask the outside belong together:
they become the methods of an adapter (`class StripePayments`), and the port has them all (`class Payments(Protocol)`). A class that asks the outside
and that dependencies make (`class Storage`) is one already: it becomes `AwsStorage`, and its name that of the port.

Endpoints take the port by `Depends`; the functions between them and the outside take it as a parameter, objects when they are made. A test, or another provider, gives
another adapter. Types that are missing in the signature of an adapter are written there first, where all callers give the same.

Left alone, with the line: functions whose types are not known or that ask the database as well, what is named outside of requests or patched by tests, and endpoints
that ask the outside themselves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from posixpath import basename, dirname, join
from typing import NamedTuple

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.setup.result import Application
from fastwright.app.symbols import Class, External, Function, Variable
from fastwright.app.types import Instance, Literal, Type, alternatives
from fastwright.edit.builders import insert
from fastwright.edit.fix import Edit, Import
from fastwright.edit.imports import relative
from fastwright.edit.names import is_taken
from fastwright.edit.source import blank_lines, indented, line_start, next_line, text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.persistence.ports import packages
from fastwright.recipes.recipe import Case, Kept, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.shared.annotations import annotated
from fastwright.recipes.shared.handed import (
    Spelled,
    Use,
    free_name,
    hand_down,
    outermost,
    refuse_names,
    roots,
    spelled,
    takers_of,
    uses,
)
from fastwright.recipes.shared.keepers import KEEPERS
from fastwright.recipes.shared.provided import keeper_of, provided, refuse_cycles
from fastwright.recipes.shared.services import Service, service_of
from fastwright.recipes.shared.words import snake

_FOLDERS = frozenset(
    {"services", "service", "clients", "adapters", "integrations", "utils", "core"}
)
_VAGUE = frozenset({"common", "core", "helpers", "main", "shared", "app", "utils", "util", "misc"})
"""Modules whose name says nothing of what is in them."""
_BUILT_IN = frozenset({"str", "int", "float", "bool", "bytes"})


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each module that asks an outside service."""
    application = next((each for each in app.applications if each.fastapi), None)
    if application is None:
        return
    known = roots(app)
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    found: dict[str, list[Function]] = {}
    for function in _asking(app):
        asked = _asked(app, function) if target.takes(function) else None
        if asked is None:
            continue
        if id(function.node) in endpoints:
            place = f"{function.module.path}:{function.module.line(asked)}"
            yield Stopped(place, f"{function.name} asks an outside service itself")
        elif id(function.node) not in known and _is_plain(function):
            found.setdefault(function.module.path, []).append(function)
    for functions in found.values():
        try:
            proposal = _proposal(app, application, functions)
        except Kept as kept:
            names = " and ".join(function.name for function in functions)
            yield Stopped(kept.place, f"{names}: {kept.reason}")
        else:
            if proposal is not None:
                yield proposal
    yield from _classes(app, target)


def _asking(app: App) -> Iterator[Function]:
    """Yield the functions that requests reach, and those that they hand to a thread or a task."""
    reached = {id(step.function.node): step.function for step in app.reached}
    yield from reached.values()
    for module in app.sources:
        if not any(service_of(f"{origin}.") is not None for origin in module.imported.values()):
            continue
        for function in app.functions(module):
            if id(function.node) not in reached and function.owner is None:
                if _serves(app, function, reached.keys(), set()):
                    yield function


def _serves(app: App, function: Function, reached: Collection[int], seen: set[int]) -> bool:
    """Whether a function is named, over others or not, in one that requests reach."""
    if id(function.node) in reached:
        return True
    if id(function.node) in seen or function.owner is not None:
        return False
    seen.add(id(function.node))
    users = [outermost(use.function) for use in uses(app, function) if use.function is not None]
    return any(_serves(app, user, reached, seen) for user in users)


def _asked(app: App, function: Function) -> s.Node | None:
    """Return where a function asks an outside service itself."""
    for site in app.calls.sites(function):
        if service_of(site.external or "") is not None:
            return site.node
    return None


def _is_plain(function: Function) -> bool:
    if function.owner is not None or function.outer is not None or function.node.decorators:
        return False
    return not function.node.is_generator and basename(function.module.path) not in KEEPERS


def _proposal(app: App, application: Application, functions: list[Function]) -> Proposal | None:
    """Return what puts functions of one module behind a port, None where nothing but their provider uses them."""
    module = functions[0].module
    functions = sorted(functions, key=lambda each: each.node.start)
    places = {each.name: _used(app, each) for each in functions}
    functions = [each for each in functions if places[each.name]]
    if not functions:
        return None
    for function in functions:
        asked = _asked(app, function)
        if asked is not None and app.calls.asks_database(function):
            raise Kept(module, asked, "asks the database as well")
        refuse_names(app, function)
    typed = _typed(app, functions)
    if typed is not None:
        return typed
    needs_object = len(functions) > 1 or _keeps_client(app, functions[0])
    if needs_object and (len(functions) > 1 or _word(app, functions) is not None):
        return _object(app, application, functions, places)
    return _callback(app, application, functions[0], places[functions[0].name])


def _used(app: App, function: Function) -> list[Use]:
    """Return the places that use a function, but for the one that gives it to `Depends`."""
    return [use for use in uses(app, function) if not _gives_port(app, use.function)]


def _gives_port(app: App, function: Function | None) -> bool:
    if function is None or function.node.returns is None:
        return False
    given = app.linker.expression(function.node.returns, function.module)
    return isinstance(given, Class) and app.types.is_port(given)


def _keeps_client(app: App, function: Function) -> bool:
    """Whether a function asks with a client of its module."""
    for node in s.walk(*function.node.body):
        if isinstance(node, s.Name):
            symbol = app.linker.name(node.id, function.module, function)
            made = symbol.value if isinstance(symbol, Variable) else None
            if isinstance(made, s.Call) and isinstance(symbol, Variable):
                if service_of(app.linker.external(made.func, symbol.module) or "") is not None:
                    return True
    return False


# ----------------------------------------------------------------------- classes


def _classes(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each class that asks an outside service and that dependencies make."""
    for cls in app.classes(app.sources):
        methods = [each for each in cls.own_methods.values() if target.takes(each)]
        sites = [site for each in methods for site in app.calls.sites(each)]
        service = next(filter(None, (service_of(site.external or "") for site in sites)), None)
        if service is None or cls.name.startswith(service.prefix) or _has_port(app, cls):
            continue
        try:
            proposal = _renamed(app, cls, service)
        except Kept as kept:
            yield Stopped(kept.place, f"{cls.name}: {kept.reason}")
        else:
            if proposal is not None:
                yield proposal


def _has_port(app: App, cls: Class) -> bool:
    """Whether objects of a class are given as a port already."""
    return any(_gives_port(app, use.function) for use in uses(app, cls))


def _renamed(app: App, cls: Class, service: Service) -> Proposal | None:
    """Return what gives a class a port of its name; None where no dependency gives its objects."""
    module, known = cls.module, roots(app)
    places = uses(app, cls)
    made: list[Use] = []
    named: list[Use] = []
    for use in places:
        is_made = any(
            isinstance(node, s.Call) and node.func is use.node for node in use.module.walk()
        )
        (made if is_made else named).append(use)
    if not any(use.function is not None and id(use.function.node) in known for use in made):
        return None
    named_in = [each for each in app.modules.values() if cls.name.encode() in each.source]
    typed = {node for each in named_in for node in annotated(each)}
    for use in places:
        if use.module.kind != "source":
            raise Kept(use.module, use.node, "is named by what is not the application")
        is_given = use.function is not None and id(use.function.node) in known
        if (use in made and not is_given) or (use in named and id(use.node) not in typed):
            raise Kept(use.module, use.node, "is made or used outside of dependencies")
    if cls.node.bases or cls.node.decorators or app.subclasses(cls):
        raise Kept(module, cls.node, "is no plain class")
    adapter = f"{service.prefix}{cls.name}"
    if any(is_taken(use.module, adapter) for use in places):
        raise Kept(module, cls.node, f"{adapter} means something else")
    path = _port_path(app, module, snake(cls.name))
    port_module = app.index.name(path)
    methods, imports = [], [Import(path, "typing", "Protocol")]
    for method in cls.own_methods.values():
        if not method.name.startswith("_"):
            if method.node.decorators or any(p.annotation is None for p in method.parameters):
                raise Kept(module, method.node, "a method is decorated, or lacks types")
            if method.node.returns is None:
                raise Kept(module, method.node, "a method is decorated, or lacks types")
            signature, needed = _signature(app, method, path)
            doc = _doc(method)
            body = f'\n        """{doc}"""\n        ...' if doc else " ..."
            methods.append(f"\n    {signature}{body}\n")
            imports += needed
    start = cls.node.name_start
    edits = [Edit(module.path, start, start + len(cls.name.encode()), adapter)]
    for use in places:
        written, needed_there = _written_there(use, cls, adapter, port_module, is_made=use in made)
        edits += written
        imports += needed_there
    for user in {use.module.path: use.module for use in places}.values():
        given = any(use.module is user for use in named)
        edits += _unimported(app, user, cls, port_module if given else None)
    doc = re.sub(r"\s+", " ", (cls.node.doc or "").strip()).partition(". ")[0].rstrip(".")
    code = (
        f'"""What the application asks of the outside."""\n\n\nclass {cls.name}(Protocol):\n'
        f'    """{doc or "What the application asks of the outside"}."""\n{"".join(methods)}'
    )
    place = f"{module.path}:{module.line(cls.node)}"
    title = f"{cls.name} of {module.path} becomes a port and its adapter {adapter}"
    new = {path: code, **packages(app, path)}
    return Proposal(title, tuple(dict.fromkeys(edits)), tuple(imports), new, places=(place,))


def _written_there(
    use: Use, cls: Class, adapter: str, port_module: str, *, is_made: bool
) -> tuple[list[Edit], list[Import]]:
    """Return how a place names the adapter that it makes, or the port that it is given."""
    module, node = use.module, use.node
    name = adapter if is_made else cls.name
    origin = cls.module.name if is_made else port_module
    if isinstance(node, s.Attribute) and is_made:
        end = node.end
        return [Edit(module.path, end - len(node.attr.encode()), end, name)], []
    edits = [Edit(module.path, node.start, node.end, name)]
    is_home = is_made and module is cls.module
    return edits, [] if is_home else [Import(module.path, origin, name)]


def _unimported(app: App, module: Module, cls: Class, port: str | None) -> list[Edit]:
    """Return the edits that take the import of a class away: its name is that of the port now. Raises Kept.

    ``port``: the module of the port, where it is needed here.
    """
    edits = []
    for statement in module.import_statements:
        if not isinstance(statement, s.ImportFrom):
            continue
        gone = [alias for alias in statement.names if _is_class(app, module, statement, alias, cls)]
        if not gone:
            continue
        if any(alias.asname for alias in gone) or statement not in module.facts.body:
            raise Kept(module, statement, "is imported in a way that is not changed")
        kept = [text(module, alias) for alias in statement.names if alias not in gone]
        start, end = (
            line_start(module.source, statement.start),
            next_line(module.source, statement.end - 1),
        )
        if kept:
            dots = "." * statement.level
            written = f"from {dots}{statement.module} import {', '.join(kept)}"
            edits.append(Edit(module.path, statement.start, statement.end, written))
        elif port is not None:
            origin = relative(port, module.package) if statement.level else port
            written = f"from {origin} import {cls.name}"
            edits.append(Edit(module.path, statement.start, statement.end, written))
        else:
            edits.append(Edit(module.path, start, end, ""))
    return edits


def _is_class(
    app: App, module: Module, statement: s.ImportFrom, alias: s.Alias, cls: Class
) -> bool:
    origin = module.absolute(statement.module, statement.level)
    found = app.linker.dotted(f"{origin}.{alias.name}", module.path)
    return isinstance(found, Class) and found.node is cls.node


# ------------------------------------------------------------------------- types


def _typed(app: App, functions: list[Function]) -> Proposal | None:
    """Return what writes the types that signatures lack, None where they lack none. Raises Kept."""
    edits: list[Edit] = []
    for function in functions:
        module, node = function.module, function.node
        for number, parameter in enumerate(node.params):
            if parameter.kind not in {"plain", "keyword"}:
                raise Kept(module, node, "takes arguments that are not named")
            if parameter.annotation is None:
                kind = _given(app, function, number, parameter)
                end = parameter.start + len(parameter.name.encode())
                edits.append(insert(module, end, f": {kind}"))
        if node.returns is None:
            last = node.params[-1].end if node.params else node.name_start
            closed = module.source.index(b")", last)
            edits.append(insert(module, closed + 1, f" -> {_returned(app, function)}"))
    if not edits:
        return None
    names = " and ".join(function.name for function in functions)
    module = functions[0].module
    place = f"{module.path}:{module.line(functions[0].node)}"
    return Proposal(f"types of {names}, as all callers have them", tuple(edits), places=(place,))


def _given(app: App, function: Function, number: int, parameter: s.Parameter) -> str:
    """Return the type of what every caller gives for a parameter. Raises Kept."""
    found: set[str | None] = set()
    if parameter.default is not None:
        found.add(_name_of(app.types.of(parameter.default, Where(function.module))))
    for use in uses(app, function):
        call = next(
            (
                node
                for node in use.module.walk()
                if isinstance(node, s.Call)
                and (node.func is use.node or any(each is use.node for each in node.args))
            ),
            None,
        )
        if call is None or any(isinstance(each, s.Starred) for each in call.args):
            raise Kept(use.module, use.node, "what it is called with is not seen")
        shifted = 0 if call.func is use.node else 1  # `run_in_threadpool(notify, text)`
        keyword = next((each for each in call.keywords if each.arg == parameter.name), None)
        positional = call.args[shifted:]
        given = keyword.value if keyword is not None else None
        if given is None and number < len(positional):
            given = positional[number]
        if given is not None:
            found.add(_name_of(app.types.of(given, Where(use.module, use.function))))
        elif parameter.default is None:
            found.add(None)
    if len(found) != 1 or None in found:
        raise Kept(function.module, function.node, f"the type of {parameter.name} is not known")
    return str(next(iter(found)))


def _name_of(found: Type) -> str | None:
    """Return the name of a built-in type, None for others."""
    names = set()
    for option in alternatives(found):
        if isinstance(option, Literal):
            names.add(type(option.value).__name__)
        elif isinstance(option, Instance) and isinstance(option.cls, str):
            names.add(option.cls.removeprefix("builtins."))
        else:
            return None
    name = next(iter(names)) if len(names) == 1 else ""
    return name if name in _BUILT_IN else None


def _returned(app: App, function: Function) -> str:
    values = [
        node.value
        for node in s.statements(function.node.body)
        if isinstance(node, s.Return) and node.value is not None
    ]
    if not values:
        return "None"
    names = {_name_of(app.types.of(value, Where(function.module, function))) for value in values}
    last = function.node.body[-1]
    if len(names) != 1 or None in names or not isinstance(last, (s.Return, s.Raise)):
        raise Kept(function.module, function.node, "the type of its answer is not known")
    return str(next(iter(names)))


# ------------------------------------------------------------------- one function


def _callback(
    app: App, application: Application, function: Function, places: list[Use]
) -> Proposal:
    """Return what puts a function behind a port that is called as it is."""
    module = function.module
    plain = function.name.strip("_")
    port = "".join(word.capitalize() for word in plain.split("_"))
    path = _port_path(app, module, plain)
    signature, imports = _signature(app, function, path)
    doc = _doc(function) or f"What `{plain}` does for the application."
    code = (
        f'"""What the application asks of the outside."""\n\n\nclass {port}(Protocol):\n'
        f'    """{doc}"""\n\n    {signature.replace(f"def {function.name}(", "def __call__(")} ...\n'
    )
    public = function.name if is_taken(module, plain) else plain
    given = (module.name, public)
    title = f"{function.name} of {module.path} stands behind the port {port}"
    names = (plain, f"{plain}_port")
    wiring = _wired(app, application, places, (path, port), names, (given, "{given}"), {})
    place = f"{module.path}:{module.line(function.node)}"
    start, end = function.node.name_start, function.node.name_start + len(function.name.encode())
    edits = [
        *wiring.edits,
        *([Edit(module.path, start, end, public)] if public != function.name else []),
    ]
    return Proposal(
        title,
        tuple(dict.fromkeys(edits)),
        (*wiring.imports, *imports),
        {path: code, **packages(app, path), **wiring.new},
        places=(place,),
    )


class _Wiring(NamedTuple):
    """What gives a port to all who need it."""

    edits: list[Edit]
    imports: list[Import]
    new: dict[str, str]


def _wired(
    app: App,
    application: Application,
    places: list[Use],
    port: tuple[str, str],
    names: Sequence[str],
    made: tuple[tuple[str, str], str],
    member: dict[int, str],
) -> _Wiring:
    """Return what gives a port to the functions around places. Raises Kept.

    ``port``: the module's path and the class; ``made``: what the provider gives, where that is from and how it is written.
    """
    path, kind = port
    takers = takers_of(app, places)
    name = free_name(takers, places, names)
    keeper = keeper_of(app, application, takers)
    alias, provider = f"{kind}Dep", f"get_{snake(kind)}"
    port_module = app.index.name(path)
    written = provided(
        app,
        keeper,
        (provider, alias),
        {"port": (port_module, kind), "given": made[0],
         "annotated": ("typing", "Annotated"), "depends": ("fastapi", "Depends")},
        f"def {provider}() -> {{port}}:\n    return {made[1]}\n\n\n"
        f"{alias} = {{annotated}}[{{port}}, {{depends}}({provider})]\n",
    )  # fmt: skip
    edits, imports = hand_down(
        takers, places, name, (port_module, kind), (keeper.name, alias), member
    )
    imports = [*imports, *written.imports]
    refuse_cycles(app, imports, keeper)
    return _Wiring([*edits, *written.edits], imports, written.new)


def _port_path(app: App, module: Module, name: str) -> str:
    """Return where a port is to be: named after the module, or after what is asked. Raises Kept."""
    folder = dirname(module.path)
    root = dirname(folder) if basename(folder) in _FOLDERS else folder
    named = basename(module.path).removesuffix(".py")
    wanted = [name] if named in _VAGUE else [named, name]
    for each in wanted:
        path = join(root, "ports", f"{each}.py")
        if path not in app.modules:
            return path
    raise Kept(module, module.facts.body[0], f"{path} is there already")


def _doc(function: Function) -> str:
    doc = re.sub(r"\s+", " ", (function.node.doc or "").strip()).partition(". ")[0].rstrip(".")
    return f"{doc}." if doc else ""


def _signature(app: App, function: Function, path: str) -> tuple[str, list[Import]]:
    """Return ``def ask(self, city: str) -> str:`` as a port has it, and what it needs. Raises Kept."""
    module, node = function.module, function.node
    imports = [Import(path, "typing", "Protocol")]
    given = ["self"]
    for parameter in function.parameters:
        if parameter.default is not None and not isinstance(parameter.default, s.Constant):
            raise Kept(module, parameter, "a default is no plain value")
        if parameter.kind == "keyword" and "*" not in given:
            given.append("*")
        kind, needed = _annotation(app, function, parameter.annotation, path)
        default = f" = {text(module, parameter.default)}" if parameter.default is not None else ""
        given.append(f"{parameter.name}: {kind}{default}")
        imports += needed
    returned, needed = _annotation(app, function, node.returns, path)
    head = "async def" if function.is_async else "def"
    return f"{head} {function.name}({', '.join(given)}) -> {returned}:", [*imports, *needed]


def _annotation(
    app: App, function: Function, node: s.Expr | None, path: str
) -> tuple[str, tuple[Import, ...]]:
    module = function.module
    assert node is not None  # noqa: S101 - the caller has seen to it
    for inner in s.walk(node):
        if s.string(inner) is not None:
            raise Kept(module, inner, "an annotation is in quotes")
        if isinstance(inner, s.Name):
            symbol = app.linker.name(inner.id, module)
            if isinstance(symbol, (Class, Variable)) and symbol.module is module:
                raise Kept(module, inner, f"{inner.id} is defined beside it")
            if isinstance(symbol, External) and service_of(f"{symbol.name}.") is not None:
                raise Kept(module, inner, f"{inner.id} is of the service itself")
    return spelled(app, Spelled(module, node), None, path)


# --------------------------------------------------------------- several functions


def _word(app: App, functions: list[Function]) -> str | None:
    """Return what functions of a module are about, None where neither module nor service says it."""
    module = functions[0].module
    named = basename(module.path).removesuffix(".py").strip("_")
    sites = [site for each in functions for site in app.calls.sites(each)]
    service = next(filter(None, (service_of(site.external or "") for site in sites)))
    is_service = named.startswith(service.name.lower()) or named in _VAGUE
    if is_service:
        return service.asked or None
    return "".join(part.capitalize() for part in named.split("_"))


def _object(
    app: App, application: Application, functions: list[Function], places: dict[str, list[Use]]
) -> Proposal:
    """Return what makes an adapter of functions, their port, and gives it to all who need it."""
    module = functions[0].module
    sites = [site for each in functions for site in app.calls.sites(each)]
    service = next(filter(None, (service_of(site.external or "") for site in sites)))
    port = _word(app, functions)
    if port is None:
        raise Kept(module, functions[0].node, "there is no word for what they are about")
    name = snake(port)
    adapter = f"{service.prefix}{port}"
    if is_taken(module, adapter) or is_taken(module, port):
        raise Kept(module, functions[0].node, f"{adapter} means something else here")
    path = _port_path(app, module, name)
    imports: list[Import] = []
    methods = []
    for function in functions:
        signature, needed = _signature(app, function, path)
        doc = _doc(function)
        body = f'\n        """{doc}"""\n        ...' if doc else " ..."
        methods.append(f"\n    {signature}{body}\n")
        imports += needed
    code = (
        f'"""What the application asks of the outside."""\n\n\nclass {port}(Protocol):\n'
        f'    """What the application asks of its {name.replace("_", " ")}."""\n{"".join(methods)}'
    )
    inside = {id(function.node) for function in functions}
    outside, member, own = [], {}, []
    for function in functions:
        for use in places[function.name]:
            if use.function is not None and id(use.function.node) in inside:
                own.append(Edit(module.path, use.node.start, use.node.end, f"self.{function.name}"))
            else:
                outside.append(use)
                member[id(use.node)] = f".{function.name}"
    if not outside:
        raise Kept(module, functions[0].node, "nothing else uses it")
    wiring = _wired(
        app,
        application,
        outside,
        (path, port),
        (name, f"{name}_port"),
        ((module.name, adapter), "{given}()"),
        member,
    )
    place = f"{module.path}:{module.line(functions[0].node)}"
    edits = [
        *wiring.edits,
        *_class(module, functions, adapter, f"{port} through {service.name}.", own),
    ]
    return Proposal(
        f"{adapter} of {module.path} stands behind the port {port}",
        tuple(dict.fromkeys(edits)),
        (*wiring.imports, *imports),
        {path: code, **packages(app, path), **wiring.new},
        places=(place,),
    )


def _class(
    module: Module, functions: list[Function], name: str, doc: str, own: list[Edit]
) -> list[Edit]:
    """Return the edits that make functions the methods of a class, where the last of them is."""
    source, edits = module.source, []
    lines = [f'class {name}:\n    """{doc}"""\n']
    for function in functions:
        node = function.node
        start = line_start(source, node.start)
        while start > 0 and source[line_start(source, start - 1) : start].startswith(b"#"):
            start = line_start(source, start - 1)
        stop = next_line(source, node.end - 1)
        opened = source.index(b"(", node.name_start) + 1
        comma = ", " if node.params else ""
        changes = [Edit(module.path, opened, opened, f"self{comma}"), *own]
        lines.append("\n" + indented(module, start, stop, node, changes))
        is_last = function is functions[-1]
        edits.append(Edit(module.path, start, stop if is_last else blank_lines(source, stop), ""))
    last = next_line(source, functions[-1].node.end - 1)
    return [*edits, Edit(module.path, last, last, "".join(lines))]


RECIPE = Recipe(
    summary="outside services behind ports",
    why="Business code that names the mail server can only be tested, or moved, with it.",
    plan=plan,
    since={"fastapi": "0.95"},
    references=(
        "https://alistair.cockburn.us/hexagonal-architecture/",
        "https://mypy.readthedocs.io/en/stable/protocols.html#callback-protocols",
    ),
)
CASES = (
    Case(
        "The mail of a shop stands behind a port that Depends fills.",
        {
            "shop/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/dependencies.py": """\
def get_lang() -> str:
    return "en"
""",
            "shop/services/mail.py": """\
import smtplib


def send_mail(to: str, subject: str) -> None:
    \"\"\"Send one mail, and wait for the server.\"\"\"
    with smtplib.SMTP("localhost") as server:
        server.sendmail("shop", to, subject)
""",
            "shop/services/orders.py": """\
from shop.services import mail


def place(email: str) -> None:
    mail.send_mail(email, "Thank you")
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.services import orders
from shop.services.mail import send_mail

app = FastAPI()


@app.post("/orders")
def order(email: str) -> dict[str, str]:
    orders.place(email)
    return {"status": "placed"}


@app.post("/invite")
def invite(email: str) -> None:
    send_mail(email, "Come!")
""",
        },
        {
            "shop/dependencies.py": """\
from typing import Annotated

from fastapi import Depends

from shop.ports.mail import SendMail
from shop.services.mail import send_mail


def get_lang() -> str:
    return "en"


def get_send_mail() -> SendMail:
    return send_mail


SendMailDep = Annotated[SendMail, Depends(get_send_mail)]
""",
            "shop/services/orders.py": """\
from shop.ports.mail import SendMail


def place(email: str, send_mail: SendMail) -> None:
    send_mail(email, "Thank you")
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.dependencies import SendMailDep
from shop.services import orders

app = FastAPI()


@app.post("/orders")
def order(email: str, send_mail: SendMailDep) -> dict[str, str]:
    orders.place(email, send_mail=send_mail)
    return {"status": "placed"}


@app.post("/invite")
def invite(email: str, send_mail: SendMailDep) -> None:
    send_mail(email, "Come!")
""",
            "shop/ports/mail.py": """\
\"\"\"What the application asks of the outside.\"\"\"

from typing import Protocol


class SendMail(Protocol):
    \"\"\"Send one mail, and wait for the server.\"\"\"

    def __call__(self, to: str, subject: str) -> None: ...
""",
            "shop/ports/__init__.py": "",
        },
        target=Target(style="clean"),
    ),
    Case(
        "A function whose callers do not say what they give has no port.",
        {
            "shop/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/dependencies.py": """\
def get_lang() -> str:
    return "en"
""",
            "shop/services/mail.py": """\
import smtplib


def send_mail(to, subject) -> None:
    \"\"\"Send one mail, and wait for the server.\"\"\"
    with smtplib.SMTP("localhost") as server:
        server.sendmail("shop", to, subject)
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.services.mail import send_mail

app = FastAPI()


@app.post("/orders")
def order(email: str) -> dict[str, str]:
    return {"status": "placed"}


@app.post("/invite")
def invite(data: dict) -> None:
    send_mail(data["email"], "Come!")
""",
        },
        stopped=("shop/services/mail.py:4",),
        target=Target(style="clean"),
    ),
    Case(
        "A function that a test patches by its name keeps its name.",
        {
            "shop/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/dependencies.py": """\
def get_lang() -> str:
    return "en"
""",
            "shop/services/mail.py": """\
import smtplib


def send_mail(to: str, subject: str) -> None:
    \"\"\"Send one mail, and wait for the server.\"\"\"
    with smtplib.SMTP("localhost") as server:
        server.sendmail("shop", to, subject)
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.services.mail import send_mail

app = FastAPI()


@app.post("/orders")
def order(email: str) -> dict[str, str]:
    return {"status": "placed"}


@app.post("/invite")
def invite(email: str) -> None:
    send_mail(email, "Come!")
""",
            "tests/test_mail.py": """\
def test_mail(monkeypatch) -> None:
    monkeypatch.setattr("shop.main.send_mail", lambda to, subject: None)
""",
        },
        stopped=("tests/test_mail.py:2",),
        target=Target(style="clean"),
    ),
    Case(
        "A user that is called otherwise than by requests cannot be given the port.",
        {
            "shop/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/dependencies.py": """\
def get_lang() -> str:
    return "en"
""",
            "shop/services/mail.py": """\
import smtplib


def send_mail(to: str, subject: str) -> None:
    \"\"\"Send one mail, and wait for the server.\"\"\"
    with smtplib.SMTP("localhost") as server:
        server.sendmail("shop", to, subject)
""",
            "shop/services/orders.py": """\
from shop.services import mail


def place(email: str) -> None:
    mail.send_mail(email, "Thank you")
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.services import orders
from shop.services.mail import send_mail

app = FastAPI()


@app.post("/orders")
def order(email: str) -> dict[str, str]:
    orders.place(email)
    return {"status": "placed"}


@app.post("/invite")
def invite(email: str) -> None:
    send_mail(email, "Come!")
""",
            "shop/nightly.py": """\
from shop.services.orders import place

JOBS = [place]
""",
        },
        stopped=("shop/nightly.py:3",),
        target=Target(style="clean"),
    ),
    Case(
        "Functions of a payment service become an adapter with a port of their own.",
        {
            "shop/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/services/payments.py": """\
\"\"\"Money.\"\"\"

import stripe

from shop.config import settings

stripe.api_key = settings.stripe_key
CURRENCY = "eur"


def charge(amount: int, token: str, *, note: str = "") -> str:
    \"\"\"Charge a card. In cents.\"\"\"
    answer = stripe.Charge.create(amount=amount, source=token, currency=CURRENCY, description=note)
    return answer.id


def _log(text: str) -> None:
    print(text)


# gives everything back
def refund(charge_id: str) -> None:
    _log(charge_id)
    stripe.Refund.create(charge=charge_id)


def replace(charge_id: str, amount: int, token: str) -> str:
    new = charge(amount, token)
    stripe.Refund.create(charge=charge_id, metadata={"new": new})
    return new
""",
            "shop/config.py": """\
class Settings:
    stripe_key = "x"


settings = Settings()
""",
            "shop/services/orders.py": """\
from fastapi.concurrency import run_in_threadpool

from shop.services import payments
from shop.services.payments import refund


class OrderService:
    def __init__(self, currency: str) -> None:
        self.currency = currency

    def pay(self, token: str) -> str:
        return payments.charge(100, token)

    async def cancel(self, charge_id: str) -> None:
        await run_in_threadpool(refund, charge_id)
""",
            "shop/main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI

from shop.services.orders import OrderService
from shop.services.payments import replace

app = FastAPI()


def get_orders() -> OrderService:
    return OrderService("eur")


@app.post("/orders")
def order(token: str, orders: Annotated[OrderService, Depends(get_orders)]) -> str:
    return orders.pay(token)


@app.post("/orders/{charge_id}")
def change(charge_id: str, token: str) -> str:
    return replace(charge_id, 1, token)


@app.delete("/orders/{charge_id}")
async def cancel(charge_id: str, orders: Annotated[OrderService, Depends(get_orders)]) -> None:
    await orders.cancel(charge_id)
""",
        },
        {
            "shop/services/payments.py": """\
\"\"\"Money.\"\"\"

import stripe

from shop.config import settings

stripe.api_key = settings.stripe_key
CURRENCY = "eur"


def _log(text: str) -> None:
    print(text)


class StripePayments:
    \"\"\"Payments through Stripe.\"\"\"

    def charge(self, amount: int, token: str, *, note: str = "") -> str:
        \"\"\"Charge a card. In cents.\"\"\"
        answer = stripe.Charge.create(amount=amount, source=token, currency=CURRENCY, description=note)
        return answer.id

    # gives everything back
    def refund(self, charge_id: str) -> None:
        _log(charge_id)
        stripe.Refund.create(charge=charge_id)

    def replace(self, charge_id: str, amount: int, token: str) -> str:
        new = self.charge(amount, token)
        stripe.Refund.create(charge=charge_id, metadata={"new": new})
        return new
""",
            "shop/services/orders.py": """\
from fastapi.concurrency import run_in_threadpool

from shop.ports.payments import Payments


class OrderService:
    def __init__(self, currency: str, payments: Payments) -> None:
        self.currency = currency
        self.payments = payments

    def pay(self, token: str) -> str:
        return self.payments.charge(100, token)

    async def cancel(self, charge_id: str) -> None:
        await run_in_threadpool(self.payments.refund, charge_id)
""",
            "shop/main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI

from shop.ports.payments import Payments
from shop.services.orders import OrderService
from shop.services.payments import StripePayments

app = FastAPI()


def get_payments() -> Payments:
    return StripePayments()


PaymentsDep = Annotated[Payments, Depends(get_payments)]


def get_orders(payments: PaymentsDep) -> OrderService:
    return OrderService("eur", payments=payments)


@app.post("/orders")
def order(token: str, orders: Annotated[OrderService, Depends(get_orders)]) -> str:
    return orders.pay(token)


@app.post("/orders/{charge_id}")
def change(charge_id: str, token: str, payments: PaymentsDep) -> str:
    return payments.replace(charge_id, 1, token)


@app.delete("/orders/{charge_id}")
async def cancel(charge_id: str, orders: Annotated[OrderService, Depends(get_orders)]) -> None:
    await orders.cancel(charge_id)
""",
            "shop/ports/payments.py": """\
\"\"\"What the application asks of the outside.\"\"\"

from typing import Protocol


class Payments(Protocol):
    \"\"\"What the application asks of its payments.\"\"\"

    def charge(self, amount: int, token: str, *, note: str = "") -> str:
        \"\"\"Charge a card.\"\"\"
        ...

    def refund(self, charge_id: str) -> None: ...

    def replace(self, charge_id: str, amount: int, token: str) -> str: ...
""",
            "shop/ports/__init__.py": "",
        },
        target=Target(style="clean"),
    ),
    Case(
        "Functions that ask with a client of their module, and types that are missing.",
        {
            "weather/__init__.py": "",
            "weather/forecast.py": """\
import httpx

client = httpx.AsyncClient(timeout=5)


async def forecast(city: str) -> dict[str, float]:
    answer = await client.get(f"/{city}")
    return answer.json()
""",
            "weather/files.py": """\
import boto3

s3 = boto3.client("s3")


def put(name, data: bytes):
    s3.put_object(Bucket="files", Key=name, Body=data)
""",
            "weather/main.py": """\
from fastapi import FastAPI

from weather import files, forecast

app = FastAPI()


@app.get("/{city}")
async def read(city: str) -> dict[str, float]:
    return await forecast.forecast(city)


@app.put("/{city}")
def write(city: str) -> None:
    files.put(city, b"")
""",
        },
        {
            "weather/forecast.py": """\
import httpx

client = httpx.AsyncClient(timeout=5)


class HttpForecast:
    \"\"\"Forecast through HTTP.\"\"\"

    async def forecast(self, city: str) -> dict[str, float]:
        answer = await client.get(f"/{city}")
        return answer.json()
""",
            "weather/files.py": """\
import boto3

s3 = boto3.client("s3")


class AwsFiles:
    \"\"\"Files through AWS.\"\"\"

    def put(self, name: str, data: bytes) -> None:
        s3.put_object(Bucket="files", Key=name, Body=data)
""",
            "weather/main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI

from weather import files, forecast
from weather.ports.files import Files
from weather.ports.forecast import Forecast

app = FastAPI()


def get_forecast() -> Forecast:
    return forecast.HttpForecast()


ForecastDep = Annotated[Forecast, Depends(get_forecast)]


@app.get("/{city}")
async def read(city: str, forecast: ForecastDep) -> dict[str, float]:
    return await forecast.forecast(city)


def get_files() -> Files:
    return files.AwsFiles()


FilesDep = Annotated[Files, Depends(get_files)]


@app.put("/{city}")
def write(city: str, files: FilesDep) -> None:
    files.put(city, b"")
""",
            "weather/ports/forecast.py": """\
\"\"\"What the application asks of the outside.\"\"\"

from typing import Protocol


class Forecast(Protocol):
    \"\"\"What the application asks of its forecast.\"\"\"

    async def forecast(self, city: str) -> dict[str, float]: ...
""",
            "weather/ports/__init__.py": "",
            "weather/ports/files.py": """\
\"\"\"What the application asks of the outside.\"\"\"

from typing import Protocol


class Files(Protocol):
    \"\"\"What the application asks of its files.\"\"\"

    def put(self, name: str, data: bytes) -> None: ...
""",
        },
        target=Target(style="clean"),
    ),
    Case(
        "Objects keep the port, threads and tasks are given it.",
        {
            "blog/__init__.py": "",
            "blog/dependencies.py": """\
from blog.services.posts import PostService


def get_posts() -> PostService:
    return PostService()
""",
            "blog/services/__init__.py": "",
            "blog/services/mail.py": """\
import smtplib


def _deliver(to: str) -> None:
    with smtplib.SMTP("localhost") as server:
        server.sendmail("blog", to, "News")


def news(to: str, times: int = 1) -> None:
    for _ in range(times):
        _deliver(to)
""",
            "blog/services/previews.py": """\
import requests


def preview(link: str) -> str:
    return requests.get(link, timeout=5).text
""",
            "blog/services/posts.py": """\
from fastapi.concurrency import run_in_threadpool

from blog.services.previews import preview


class PostService:
    async def create(self, link: str) -> str:
        return await run_in_threadpool(preview, link)
""",
            "blog/main.py": """\
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI

from blog.dependencies import get_posts
from blog.services import mail
from blog.services.posts import PostService

app = FastAPI()


@app.post("/posts")
async def create(
    link: str,
    tasks: BackgroundTasks,
    posts: Annotated[PostService, Depends(get_posts)],
) -> str:
    tasks.add_task(mail.news, "ada@example.org", times=2)
    return await posts.create(link)
""",
        },
        {
            "blog/dependencies.py": """\
from typing import Annotated

from fastapi import Depends

from blog.ports.mail import Deliver
from blog.ports.previews import Preview
from blog.services.mail import deliver
from blog.services.posts import PostService
from blog.services.previews import preview


def get_preview() -> Preview:
    return preview


PreviewDep = Annotated[Preview, Depends(get_preview)]


def get_posts(preview: PreviewDep) -> PostService:
    return PostService(preview=preview)


def get_deliver() -> Deliver:
    return deliver


DeliverDep = Annotated[Deliver, Depends(get_deliver)]
""",
            "blog/services/mail.py": """\
import smtplib

from blog.ports.mail import Deliver


def deliver(to: str) -> None:
    with smtplib.SMTP("localhost") as server:
        server.sendmail("blog", to, "News")


def news(to: str, times: int = 1, *, deliver: Deliver) -> None:
    for _ in range(times):
        deliver(to)
""",
            "blog/services/posts.py": """\
from fastapi.concurrency import run_in_threadpool

from blog.ports.previews import Preview


class PostService:
    def __init__(self, preview: Preview) -> None:
        self.preview = preview

    async def create(self, link: str) -> str:
        return await run_in_threadpool(self.preview, link)
""",
            "blog/main.py": """\
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI

from blog.dependencies import DeliverDep, get_posts
from blog.services import mail
from blog.services.posts import PostService

app = FastAPI()


@app.post("/posts")
async def create(
    link: str,
    tasks: BackgroundTasks,
    posts: Annotated[PostService, Depends(get_posts)],
    deliver: DeliverDep,
) -> str:
    tasks.add_task(mail.news, "ada@example.org", times=2, deliver=deliver)
    return await posts.create(link)
""",
            "blog/ports/mail.py": """\
\"\"\"What the application asks of the outside.\"\"\"

from typing import Protocol


class Deliver(Protocol):
    \"\"\"What `deliver` does for the application.\"\"\"

    def __call__(self, to: str) -> None: ...
""",
            "blog/ports/__init__.py": "",
            "blog/ports/previews.py": """\
\"\"\"What the application asks of the outside.\"\"\"

from typing import Protocol


class Preview(Protocol):
    \"\"\"What `preview` does for the application.\"\"\"

    def __call__(self, link: str) -> str: ...
""",
        },
        target=Target(style="clean"),
    ),
    Case(
        "What asks the database as well, what an endpoint asks itself, what jobs need, and types of the service.",
        {
            "shop/__init__.py": "",
            "shop/dependencies.py": """\
from collections.abc import Iterator

from sqlalchemy.orm import Session, sessionmaker

make = sessionmaker()


def get_session() -> Iterator[Session]:
    with make() as session:
        yield session
""",
            "shop/stock.py": """\
import requests
from sqlalchemy import text
from sqlalchemy.orm import Session


def refresh(session: Session) -> None:
    for row in session.execute(text("SELECT sku FROM product")):
        requests.get(f"https://stock/{row.sku}", timeout=5)
""",
            "shop/rates.py": """\
import httpx


def rate(currency: str) -> float:
    return httpx.get(f"https://rates/{currency}").json()


def nightly() -> None:
    rate("EUR")
""",
            "shop/weather.py": """\
import httpx


def weather(city: str) -> httpx.Response:
    return httpx.get(f"https://weather/{city}")
""",
            "shop/main.py": """\
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from shop import rates, stock, weather
from shop.dependencies import get_session

app = FastAPI()


@app.post("/stock")
def stocks(session: Annotated[Session, Depends(get_session)]) -> None:
    stock.refresh(session)


@app.get("/rates/{currency}")
def rate(currency: str) -> float:
    return rates.rate(currency)


@app.get("/news")
def news() -> str:
    return httpx.get("https://news").text


@app.get("/weather/{city}")
def read_weather(city: str) -> str:
    return weather.weather(city).text
""",
        },
        stopped=(
            "shop/main.py:25",
            "shop/rates.py:8",
            "shop/stock.py:8",
            "shop/weather.py:4",
        ),
        target=Target(style="clean"),
    ),
    Case(
        "A class that asks an object store, which a dependency makes.",
        {
            "shop/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/services/storage.py": """\
import boto3


class Storage:
    \"\"\"Files of customers. By name.\"\"\"

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.s3 = boto3.client("s3")

    def put(self, name: str, data: bytes) -> None:
        \"\"\"Keep a file.\"\"\"
        self.s3.put_object(Bucket=self.bucket, Key=self._key(name), Body=data)

    def _key(self, name: str) -> str:
        return name.lower()
""",
            "shop/services/orders.py": """\
from shop.services.storage import Storage


class Invoices:
    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def write(self, number: int) -> None:
        self.storage.put(f"{number}.pdf", b"")
""",
            "shop/dependencies.py": """\
from typing import Annotated

from fastapi import Depends

from shop.services.orders import Invoices
from shop.services.storage import Storage


def get_storage() -> Storage:
    return Storage("files")


StorageDep = Annotated[Storage, Depends(get_storage)]


def get_invoices(storage: StorageDep) -> Invoices:
    return Invoices(storage)
""",
            "shop/main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI

from shop.dependencies import StorageDep, get_invoices
from shop.services.orders import Invoices

app = FastAPI()


@app.put("/files/{name}")
def put(name: str, storage: StorageDep) -> None:
    storage.put(name, b"")


@app.put("/invoices/{number}")
def invoice(number: int, invoices: Annotated[Invoices, Depends(get_invoices)]) -> None:
    invoices.write(number)
""",
        },
        {
            "shop/services/storage.py": """\
import boto3


class AwsStorage:
    \"\"\"Files of customers. By name.\"\"\"

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.s3 = boto3.client("s3")

    def put(self, name: str, data: bytes) -> None:
        \"\"\"Keep a file.\"\"\"
        self.s3.put_object(Bucket=self.bucket, Key=self._key(name), Body=data)

    def _key(self, name: str) -> str:
        return name.lower()
""",
            "shop/services/orders.py": """\
from shop.ports.storage import Storage


class Invoices:
    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def write(self, number: int) -> None:
        self.storage.put(f"{number}.pdf", b"")
""",
            "shop/dependencies.py": """\
from typing import Annotated

from fastapi import Depends

from shop.services.orders import Invoices
from shop.ports.storage import Storage
from shop.services.storage import AwsStorage


def get_storage() -> Storage:
    return AwsStorage("files")


StorageDep = Annotated[Storage, Depends(get_storage)]


def get_invoices(storage: StorageDep) -> Invoices:
    return Invoices(storage)
""",
            "shop/ports/storage.py": """\
\"\"\"What the application asks of the outside.\"\"\"

from typing import Protocol


class Storage(Protocol):
    \"\"\"Files of customers.\"\"\"

    def put(self, name: str, data: bytes) -> None:
        \"\"\"Keep a file.\"\"\"
        ...
""",
            "shop/ports/__init__.py": "",
        },
        target=Target(style="clean"),
    ),
    Case(
        "A class that a job makes as well, and one whose methods lack types.",
        {
            "shop/__init__.py": "",
            "shop/mail.py": """\
import smtplib


class Mailer:
    def send(self, to: str) -> None:
        with smtplib.SMTP("localhost") as server:
            server.sendmail("shop", to, "News")


def nightly() -> None:
    Mailer().send("ada@example.org")
""",
            "shop/payments.py": """\
import stripe


class Gateway:
    def charge(self, amount):
        stripe.Charge.create(amount=amount)
""",
            "shop/main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI

from shop.mail import Mailer
from shop.payments import Gateway

app = FastAPI()


def get_mailer() -> Mailer:
    return Mailer()


def get_gateway() -> Gateway:
    return Gateway()


@app.post("/news")
def news(to: str, mailer: Annotated[Mailer, Depends(get_mailer)]) -> None:
    mailer.send(to)


@app.post("/orders")
def order(gateway: Annotated[Gateway, Depends(get_gateway)]) -> None:
    gateway.charge(1)
""",
        },
        stopped=("shop/mail.py:11", "shop/payments.py:5"),
        target=Target(style="clean"),
    ),
)
