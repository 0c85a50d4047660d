"""Modules that import each other only for annotations do not do so at run time any more.

An import that nothing but annotations of plain functions reads goes under `if TYPE_CHECKING:`; `from __future__ import annotations` comes
with it where it is not there, in modules in which nothing evaluates annotations.

Left alone, at the import that is cheapest to cut: cycles that code needs. The message says why it is the cheapest; what both modules need belongs in
a third one. Annotations that FastAPI, Pydantic or SQLAlchemy evaluate (endpoints, dependencies, models, decorated functions) count as code.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.edit.builders import behind_imports, delete_statements, insert_after
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.shared.from_rules import hits_of
from fastwright.rules.finding import Hit

_RULE = "import-cycle"
_PLAIN = frozenset({"property", "staticmethod", "classmethod", "cached_property", "abstractmethod"})
"""Decorators that do not look at annotations."""


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each cycle."""
    for hit in hits_of(app, _RULE):
        if target.holds(hit.place.file):
            yield _cut(app, hit) or Stopped(f"{hit.place.file}:{hit.place.line}", hit.message)


def _cut(app: App, hit: Hit) -> Proposal | None:
    """Return the change that cuts a cycle at one of its imports, None where code needs each of them."""
    for where in (hit.place, *(link.place for link in hit.evidence)):
        module = app.modules[where.file]
        statement = _import_at(module, where.line)
        if statement is None:
            continue
        names = {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
        if _only_for_annotations(app, module, names):
            proposal = _moved(app, module, statement)
            if proposal is not None:
                return proposal
    return None


def _import_at(module: Module, line: int) -> s.Import | s.ImportFrom | None:
    for statement in module.facts.body:
        if isinstance(statement, (s.Import, s.ImportFrom)) and module.line(statement) == line:
            return statement
    return None


# ------------------------------------------------------------------ annotations


def _only_for_annotations(app: App, module: Module, names: set[str]) -> bool:
    """Whether nothing but annotations that nobody evaluates reads any of the names."""
    evaluated = {id(function.node) for function in app.request_roots}
    free: set[int] = set()
    for node in module.walk():
        if isinstance(node, s.FunctionDef) and id(node) not in evaluated and _is_plain(node):
            parts = [parameter.annotation for parameter in node.params]
            found = [part for part in (*parts, node.returns) if part is not None]
            free.update(id(part) for part in s.walk(*found))
    read = [n for n in module.walk() if isinstance(n, s.Name) and n.id in names]
    named = any(s.string(n) in names for n in module.walk() if isinstance(n, s.Constant))
    return bool(read) and not named and all(id(node) in free for node in read)


def _is_plain(node: s.FunctionDef) -> bool:
    return all(s.last_name(decorator) in _PLAIN for decorator in node.decorators)


def _may_wait(app: App, module: Module) -> bool:
    """Whether annotations of a module may stay texts: nothing in it evaluates them."""
    if any(function.module is module for function in app.request_roots):
        return False
    return not any(isinstance(statement, s.ClassDef) for statement in module.facts.body)


# ------------------------------------------------------------------- the change


def _moved(app: App, module: Module, statement: s.Import | s.ImportFrom) -> Proposal | None:
    """Return the change that puts an import under ``TYPE_CHECKING``."""
    imports: list[Import] = []
    if not _has_future(module):
        if not _may_wait(app, module):
            return None
        imports.append(Import(module.path, "__future__", "annotations"))
    edit = _under_type_checking(module, text(module, statement))
    brought = bring(module, "typing", "TYPE_CHECKING")
    gone = delete_statements(module, module.facts.body, [statement])
    if edit is None or brought is None or brought.name != "TYPE_CHECKING":
        return None
    place = f"{module.path}:{module.line(statement)}"
    title = f"{text(module, statement).splitlines()[0]} of {module.path} is for annotations only"
    return Proposal(title, (*gone, edit), (*imports, *brought.imports), places=(place,))


def _has_future(module: Module) -> bool:
    return any(
        isinstance(statement, s.ImportFrom)
        and statement.module == "__future__"
        and any(alias.name == "annotations" for alias in statement.names)
        for statement in module.facts.body
    )


def _under_type_checking(module: Module, line: str) -> Edit | None:
    for statement in module.facts.body:
        if (
            isinstance(statement, s.If)
            and s.last_name(statement.branches[0].test) == "TYPE_CHECKING"
        ):
            return insert_after(module, statement.branches[0].body[-1], line)
    return behind_imports(module, f"\nif TYPE_CHECKING:\n    {line}".lstrip("\n"))


RECIPE = Recipe(
    summary="imports for annotations under TYPE_CHECKING",
    why="In a cycle one module always runs while the other is half made.",
    plan=plan,
    references=("https://docs.python.org/3/library/typing.html#typing.TYPE_CHECKING",),
)
CASES = (
    Case(
        "an import that only an annotation needs",
        {
            "shop/__init__.py": "",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.orders import total

app = FastAPI()


@app.get("/total")
def read_total() -> int:
    return total()
""",
            "shop/orders.py": """\
from shop.mail import send


class Order:
    price = 1


def total() -> int:
    send(Order())
    return 1
""",
            "shop/mail.py": """\
from shop.orders import Order


def send(order: Order) -> None:
    print(order.price)
""",
        },
        {
            "shop/mail.py": """\


from __future__ import annotations

from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from shop.orders import Order


def send(order: Order) -> None:
    print(order.price)
""",
        },
    ),
    Case(
        "beside what is under TYPE_CHECKING already",
        {
            "shop/__init__.py": "",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.orders import total

app = FastAPI()


@app.get("/total")
def read_total() -> int:
    return total()
""",
            "shop/orders.py": """\
from shop.mail import send


class Order:
    def __init__(self) -> None:
        self.price = 1


def total() -> int:
    send(Order())
    return 1
""",
            "shop/mail.py": """\
from __future__ import annotations

from typing import TYPE_CHECKING

from shop.orders import Order

if TYPE_CHECKING:
    from collections.abc import Sequence


def send(order: Order, *copies: Sequence[Order]) -> None:
    print(order.price)
""",
        },
        {
            "shop/mail.py": """\
from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Sequence
    from shop.orders import Order


def send(order: Order, *copies: Sequence[Order]) -> None:
    print(order.price)
""",
        },
    ),
    Case(
        "code needs both: said, and left alone",
        {
            "shop/__init__.py": "",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.orders import total

app = FastAPI()


@app.get("/total")
def read_total() -> int:
    return total()
""",
            "shop/orders.py": """\
from shop.mail import send


def price() -> int:
    return 1


def total() -> int:
    send()
    return price()
""",
            "shop/mail.py": """\
from shop.orders import price


def send() -> None:
    print(price())
""",
        },
        stopped=("shop/mail.py:1",),
    ),
)
