"""The edits that fixes are made of, each on a line of source."""

from __future__ import annotations

import pytest

from fastwright.app.memory import module_from
from fastwright.edit import builders
from fastwright.edit.apply import edited
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module


def call_of(module: Module) -> s.Call:
    return next(node for node in module.walk() if isinstance(node, s.Call))


def made(module: Module, *edits: builders.Edit) -> str:
    return edited(module.source, edits).decode()


DELETED = {
    "f(a, b=1)": ("a", "f(b=1)"),
    "f(a, b=1,)": ("b", "f(a,)"),
    "f( a , )": ("a", "f()"),
    "f(\n    a,\n    b=1,\n    c=2,\n)": ("b", "f(\n    a,\n    c=2,\n)"),
    "f(\n    a,\n    b=1,\n)": ("b", "f(\n    a,\n)"),
}


@pytest.mark.parametrize("source", DELETED)
def test_delete_argument(source: str) -> None:
    module = module_from(source)
    name, expected = DELETED[source]
    call = call_of(module)
    gone = next(
        node
        for node in builders.arguments(call)
        if s.dotted(node) == name or (isinstance(node, s.Keyword) and node.arg == name)
    )
    assert made(module, builders.delete_argument(module, call, gone)) == expected


ADDED = {
    "f()": "f(timeout=5)",
    "f(a)": "f(a, timeout=5)",
    "f(\n    a,\n)": "f(\n    a,\n    timeout=5,\n)",
    "f(\n    a,  # one)\n)": "f(\n    a,  # one)\n    timeout=5,\n)",
    "f(\n    a\n)": "f(\n    a,\n    timeout=5,\n)",
    "f(\n    a,\n    b\n)": "f(\n    a,\n    b,\n    timeout=5,\n)",
    "f(\n    a, b\n)": "f(\n    a, b, timeout=5\n)",
    "(f)((a))": "(f)((a), timeout=5)",
    "f(g(1), b)(2)": "f(g(1), b)(2, timeout=5)",
}


@pytest.mark.parametrize("source", ADDED)
def test_add_argument(source: str) -> None:
    module = module_from(source)
    assert (
        made(module, builders.add_argument(module, call_of(module), "timeout=5")) == ADDED[source]
    )


def test_statements_go_with_their_lines() -> None:
    module = module_from("def f():\n    a()  # gone as well\n    b()\n    c(); d()\n")
    block = module.functions[0].body
    gone = [block[0], block[2]]
    text = made(module, *builders.delete_statements(module, block, gone))
    assert text == "def f():\n    b()\n    d()\n"


def test_an_empty_block_passes() -> None:
    module = module_from("if x:\n    a()\n    b()\n")
    statement = module.facts.body[0]
    assert isinstance(statement, s.If)
    block = statement.branches[0].body
    text = made(module, *builders.delete_statements(module, block, block))
    assert text == "if x:\n    pass\n"


def test_lines_before_and_after_a_statement() -> None:
    module = module_from("class A:\n    @wrapped\n    def f(self): ...")
    function = module.functions[0]
    text = made(
        module,
        builders.insert_before(module, function, "x = 1\n\n"),
        builders.insert_after(module, function, "y = 2"),
    )
    assert text == "class A:\n    x = 1\n\n    @wrapped\n    def f(self): ...\n    y = 2\n"


NAMES = {
    "from typing import Annotated as A": ("A", False),
    "import typing": ("typing.Annotated", False),
    "import typing as t": ("t.Annotated", False),
    "": ("Annotated", True),
    "def f():\n    from typing import Annotated": (None, False),
    "Annotated = 1": (None, False),
}


@pytest.mark.parametrize("source", NAMES)
def test_bring(source: str) -> None:
    name, imports = NAMES[source]
    brought = bring(module_from(source), "typing", "Annotated")
    assert (brought.name if brought else None) == name
    assert bool(brought and brought.imports) == imports


def test_statements_under_a_head() -> None:
    module = module_from("def f():\n    a()\n\n    # b\n    b(\n        1,\n    )\n    c()\n")
    body = module.functions[0].body
    edits = builders.under(module, body[:2], "try:", "finally:\n    d()")
    assert edits is not None
    assert made(module, *edits) == (
        "def f():\n    try:\n        a()\n\n        # b\n        b(\n            1,\n        )\n"
        "    finally:\n        d()\n    c()\n"
    )


def test_a_text_of_several_lines_is_not_moved() -> None:
    module = module_from('def f():\n    a("""\n""")\n')
    assert builders.under(module, module.functions[0].body, "with b:") is None


PARAMETERS = {
    "def f(): ...": "def f(n): ...",
    "def f(a): ...": "def f(a, n): ...",
    "def f(\n    a,\n    b,  # b\n): ...": "def f(\n    a,\n    b,  # b\n    n,\n): ...",
    "def f(\n    a,\n    b\n): ...": "def f(\n    a,\n    b,\n    n,\n): ...",
    "def f(**rest): ...": None,
}


@pytest.mark.parametrize("source", PARAMETERS)
def test_add_parameter(source: str) -> None:
    module = module_from(source)
    edit = builders.add_parameter(module, module.functions[0], "n")
    assert (made(module, edit) if edit else None) == PARAMETERS[source]
