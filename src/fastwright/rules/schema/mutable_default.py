"""A default value is made once, and shared by every call.

`def send(to, cc=[])` has one list for the life of the process: what one request appends, the next
one finds. The same holds for `items = []` in the body of a plain class, which all instances share.

Reported where it does harm: the function changes the default, or keeps it in an attribute that
the methods of the class change; a value in a class body, where the methods change it through
`self` and requests make instances of the class. A default that is only read or passed on, one
that is replaced or copied first, and what is copied for each use (fields of Pydantic models,
parameters that FastAPI fills in) are right. Values marked `ClassVar` or written in capitals are
shared on purpose. Classes with unknown bases are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject
from fastwright.edit.builders import insert, insert_before, replace
from fastwright.edit.fix import Fix
from fastwright.edit.source import is_alone, text
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_MAKERS = frozenset({"list", "dict", "set", "defaultdict", "OrderedDict", "deque", "Counter"})
_CHANGING = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop",
     "popitem", "popleft", "remove", "reverse", "setdefault", "sort", "update"}
)  # fmt: skip
_HARMLESS_BASES = frozenset({"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol"})


def check(app: App) -> Iterator[Hit]:
    """Report mutable defaults that somebody changes, in modules that serve the application."""
    roots = {id(function.node) for function in app.request_roots}
    for function in _functions(app):
        if id(function.node) not in roots:
            yield from _parameters(app, function)
    yield from _attributes(app)


def _functions(app: App) -> Iterator[Function]:
    """Yield what requests reach, and every function of modules that mention the web or models."""
    seen: set[int] = set()
    for step in app.reached:
        seen.add(id(step.function.node))
        yield step.function
    for module in app.model_modules:
        for function in app.functions(module):
            if id(function.node) not in seen:
                yield function


# ------------------------------------------------------------------------ functions


def _parameters(app: App, function: Function) -> Iterator[Hit]:
    for parameter in function.node.params:
        if parameter.default is None or not is_mutable(parameter.default):
            continue
        harm = _harm(app, parameter.name, function)
        if harm is not None:
            by, node = harm
            who = "which" if by is function else f"and {by.qualname}"
            message = (
                f"the default of {parameter.name} is one value for all calls of"
                f" {function.qualname}, {who} changes it"
            )
            chain = (
                evidence(function.module, parameter, f"default of {parameter.name}"),
                evidence(by.module, node, f"{by.qualname} changes it"),
            )
            fix = _made_inside(function, parameter)
            yield Hit(place(function.module, parameter), message, chain, fix)


def _made_inside(function: Function, parameter: s.Parameter) -> Fix | None:
    """Return the fix that makes the value in the body: ``if items is None: items = []``."""
    module, node, default = function.module, function.node, parameter.default
    body = node.body[1:] if node.doc is not None else node.body
    if default is None or not body or not is_alone(module.source, body[0].start, body[0].end):
        return None
    if not isinstance(body[0], _PLAIN_STATEMENTS):
        return None
    edits = [replace(module, default, "None")]
    if (annotation := parameter.annotation) is not None:
        if isinstance(annotation, s.Constant):
            return None
        edits.append(insert(module, annotation.end, " | None"))
    made = text(module, default)
    lines = f"if {parameter.name} is None:\n    {parameter.name} = {made}\n"
    return Fix("safe", (*edits, insert_before(module, body[0], lines)))


_PLAIN_STATEMENTS = (s.ExprStmt, s.Assign, s.AnnAssign, s.AugAssign, s.If, s.For, s.While, s.Return,
                     s.With, s.Try, s.Raise)  # fmt: skip


def is_mutable(node: s.Expr) -> bool:
    """Whether an expression makes a list, dict or set."""
    if isinstance(node, (s.List, s.Dict, s.Set)):
        return True
    if isinstance(node, s.Comp):
        return node.kind != "generator"
    return isinstance(node, s.Call) and isinstance(node.func, s.Name) and node.func.id in _MAKERS


def _harm(app: App, name: str, function: Function) -> tuple[Function, s.Node] | None:
    """Return where what ``name`` holds is changed, there or in an attribute that keeps it."""
    changed: s.Node | None = None
    kept: str | None = None
    for node in s.walk(*function.node.body):
        if _rebinds(node, name):
            return None
        if changed is None and changes(node, name):
            changed = node
        kept = kept or _keeper(node, name, function)
    if changed is not None:
        return function, changed
    if kept is not None and function.owner is not None:
        return _changed_by(app, function.owner, kept, unless_replaced=False)
    return None


def _rebinds(node: s.Node, name: str) -> bool:
    if isinstance(node, s.Assign):
        return any(_is(target, name) for target in node.targets)
    if isinstance(node, (s.AnnAssign, s.NamedExpr)):
        return _is(node.target, name)
    if isinstance(node, (s.For, s.Comp)):
        targets = [g.target for g in node.generators] if isinstance(node, s.Comp) else [node.target]
        return any(_is(inner, name) for target in targets for inner in s.walk(target))
    return False


def changes(node: s.Node, name: str) -> bool:
    """Whether a node changes the value of ``name`` in place."""
    if isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
        return node.func.attr in _CHANGING and _is(node.func.value, name)
    if isinstance(node, s.AugAssign):
        return _is(node.target, name) or _is_item(node.target, name)
    if isinstance(node, s.Assign):
        return any(_is_item(target, name) for target in node.targets)
    return isinstance(node, s.Delete) and any(_is_item(target, name) for target in node.targets)


def _keeper(node: s.Node, name: str, function: Function) -> str | None:
    """Return ``x`` for ``self.x = name``."""
    if function.owner is None or not isinstance(node, (s.Assign, s.AnnAssign)):
        return None
    if not _is(node.value, name):
        return None
    own = function.node.params[0].name if function.node.params else ""
    for target in node.targets if isinstance(node, s.Assign) else [node.target]:
        if isinstance(target, s.Attribute) and _is(target.value, own):
            return target.attr
    return None


def _is(node: s.Node | None, name: str) -> bool:
    return node is not None and s.dotted(node) == name


def _is_item(node: s.Expr, name: str) -> bool:
    return isinstance(node, s.Subscript) and _is(node.value, name)


# -------------------------------------------------------------------------- classes


def _attributes(app: App) -> Iterator[Hit]:
    for cls in _made_by_requests(app):
        if cls.node.decorators or cls.node.keywords or not _is_plain(app, cls):
            continue
        for name, node in cls.own_attributes.items():
            if node.value is None or not is_mutable(node.value) or name.upper() == name:
                continue
            if isinstance(node, s.AnnAssign) and _is_shared_on_purpose(node.annotation):
                continue
            changed = _changed_by(app, cls, name)
            if changed is not None:
                function, where = changed
                message = (
                    f"{cls.name}.{name} is one value for all instances, and"
                    f" {function.name} changes it"
                )
                chain = (
                    evidence(cls.module, node, f"{cls.name}.{name}"),
                    evidence(function.module, where, f"{function.qualname} changes it"),
                )
                yield Hit(place(cls.module, node), message, chain)


def _made_by_requests(app: App) -> list[Class]:
    """Return the classes of which a request makes an instance, and their ancestors."""
    made: dict[int, Class] = {}
    for step in app.reached:
        for site in app.calls.sites(step.function):
            if isinstance(site.callee, ClassObject) and isinstance(site.callee.cls, Class):
                for cls in app.linker.mro(site.callee.cls):
                    if isinstance(cls, Class):
                        made.setdefault(id(cls.node), cls)
    return sorted(made.values(), key=lambda cls: (cls.module.path, cls.node.start))


def _is_plain(app: App, cls: Class) -> bool:
    """Whether all ancestors are known and none of them copies defaults."""
    for ancestor in app.linker.mro(cls):
        if isinstance(ancestor, Class):
            if (
                len(app.linker.bases(ancestor)) != len(ancestor.node.bases)
                or ancestor.node.keywords
            ):
                return False
        elif ancestor.name not in _HARMLESS_BASES:
            return False
    return True


def _is_shared_on_purpose(annotation: s.Expr) -> bool:
    written = annotation.value if isinstance(annotation, s.Subscript) else annotation
    return s.last_name(written) in {"ClassVar", "Final"}


def _changed_by(
    app: App, cls: Class, name: str, *, unless_replaced: bool = True
) -> tuple[Function, s.Node] | None:
    """Return a method that changes ``self.name`` in place; None if a method replaces the value."""
    found: tuple[Function, s.Node] | None = None
    for member in [cls, *app.subclasses(cls)]:
        for method in member.own_methods.values():
            if _is_of_the_class(method):
                continue
            written = f"{method.node.params[0].name}.{name}"
            for node in s.walk(*method.node.body):
                if unless_replaced and _rebinds(node, written):
                    return None
                if found is None and changes(node, written):
                    found = (method, node)
    return found


def _is_of_the_class(method: Function) -> bool:
    decorators = method.decorator_names
    return (
        method.name in {"__new__", "__init_subclass__"}
        or not method.node.params
        or not decorators.isdisjoint({"classmethod", "staticmethod"})
    )


RULE = Rule(
    summary="a mutable default that is shared and changed",
    severity="warning",
    mend="Default to `None` and make the value inside; for a class, assign it in `__init__`.",
    app=check,
    references=(
        "https://docs.python.org/3/faq/programming.html#why-are-default-values-shared-between-objects",
    ),
)

CASES = (
    case(
        "a default that grows with every call",
        """
        from fastapi import FastAPI

        app = FastAPI()

        def send(to: str, cc: list[str] = []) -> None:  # <-
            if to.startswith("stock"):
                cc.append("purchasing@shop.example")

        @app.post("/mail")
        def mail(to: str) -> None:
            send(to)
        """,
        after="""
        from fastapi import FastAPI

        app = FastAPI()

        def send(to: str, cc: list[str] | None = None) -> None:
            if cc is None:
                cc = []
            if to.startswith("stock"):
                cc.append("purchasing@shop.example")

        @app.post("/mail")
        def mail(to: str) -> None:
            send(to)
        """,
    ),
    Case(
        "changed and kept, in a module that an endpoint reaches",
        {
            "app/__init__.py": "",
            "app/main.py": """
            from fastapi import FastAPI
            from app.work import Basket, options

            app = FastAPI()

            @app.post("/")
            def home() -> None:
                options("x")
                Basket().put("x")
            """,
            "app/work.py": """
            def options(name: str, given: dict = {}) -> dict:  # <-
                given[name] = 1
                return given

            class Basket:
                def __init__(self, items=list()) -> None:  # <-
                    self.items: list[str] = items

                def put(self, item: str) -> None:
                    self.items.append(item)
            """,
        },
        after={
            "app/work.py": """
            def options(name: str, given: dict | None = None) -> dict:
                if given is None:
                    given = {}
                given[name] = 1
                return given

            class Basket:
                def __init__(self, items=None) -> None:
                    if items is None:
                        items = list()
                    self.items: list[str] = items

                def put(self, item: str) -> None:
                    self.items.append(item)
            """,
        },
    ),
    case(
        "a list in the body of a plain class",
        """
        from fastapi import FastAPI

        app = FastAPI()

        class Basket:
            items = []  # <-

            def put(self, item: str) -> None:
                self.items.append(item)

        @app.post("/")
        def fill() -> None:
            Basket().put("x")
        """,
    ),
    case(
        "a class of which the process makes one instance",
        """
        from fastapi import FastAPI

        app = FastAPI()

        class Pool:
            tasks: dict[str, object] = {}

            def put(self, name: str) -> None:
                self.tasks[name] = object()

        POOL = Pool()

        @app.post("/")
        def fill() -> None:
            POOL.put("x")
        """,
    ),
    case(
        "only read, replaced or copied first",
        """
        from fastapi import FastAPI

        app = FastAPI()

        def one(names: list[str] = []) -> int:
            return len(names)

        def two(names: list[str] = []) -> list[str]:
            names = list(names)
            names.append("x")
            return names

        def three(names: tuple[str, ...] = ()) -> tuple[str, ...]:
            return names

        class Report:
            def __init__(self, columns: list[str] = []) -> None:
                self.columns = columns

            def text(self) -> str:
                return ",".join(self.columns)
        """,
    ),
    case(
        "what FastAPI and Pydantic copy for each use",
        """
        from fastapi import Depends, FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Order(BaseModel):
            items: list[str] = []

            def put(self, item: str) -> None:
                self.items.append(item)

        def tags(tags: list[str] = []) -> list[str]:
            tags.append("x")
            return tags

        @app.post("/")
        def home(order: Order, names: list[str] = [], more=Depends(tags)) -> list[str]:
            names.append("x")
            return names
        """,
    ),
    case(
        "shared on purpose, made anew by each instance, a class of unknown origin",
        """
        from typing import ClassVar
        from fastapi import FastAPI
        from elsewhere import Model

        app = FastAPI()

        class Registry:
            known: ClassVar[list[str]] = []
            ALL = {}

            def put(self, name: str) -> None:
                self.known.append(name)
                self.ALL[name] = 1

        class Basket:
            items = []

            def __init__(self) -> None:
                self.items = []

            def put(self, name: str) -> None:
                self.items.append(name)

        class Row(Model):
            tags = []

            def put(self, name: str) -> None:
                self.tags.append(name)

        @app.post("/")
        def fill() -> None:
            Registry().put("x")
            Basket().put("x")
            Row().put("x")
        """,
    ),
    case(
        "nothing here has to do with the web",
        """
        def collect(name: str, names: list[str] = []) -> list[str]:
            names.append(name)
            return names
        """,
    ),
)
