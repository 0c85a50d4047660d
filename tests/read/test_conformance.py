"""What we read of Python is what CPython's own parser reads: the standard library as a corpus."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections import Counter
from pathlib import Path

import pytest

from fastwright.read import syntax as s
from fastwright.read.facts import decode_facts, encode
from fastwright.read.reader import read, to_utf8

STDLIB = Path(sysconfig.get_path("stdlib"))
SAMPLE = [
    "asyncio/base_events.py",
    "argparse.py",
    "ast.py",
    "contextlib.py",
    "dataclasses.py",
    "datetime.py",
    "decimal.py",
    "email/message.py",
    "enum.py",
    "functools.py",
    "http/client.py",
    "inspect.py",
    "json/encoder.py",
    "logging/__init__.py",
    "pathlib.py",
    "pickle.py",
    "subprocess.py",
    "tarfile.py",
    "typing.py",
    "unittest/mock.py",
    "urllib/request.py",
]

SAME = {
    ast.FunctionDef: s.FunctionDef,
    ast.AsyncFunctionDef: s.FunctionDef,
    ast.ClassDef: s.ClassDef,
    ast.Call: s.Call,
    ast.Attribute: s.Attribute,
    ast.Name: s.Name,
    ast.Subscript: s.Subscript,
    ast.BinOp: s.BinOp,
    ast.UnaryOp: s.UnaryOp,
    ast.BoolOp: s.BoolOp,
    ast.Compare: s.Compare,
    ast.IfExp: s.IfExp,
    ast.Lambda: s.Lambda,
    ast.Await: s.Await,
    ast.Yield: s.Yield,
    ast.YieldFrom: s.Yield,
    ast.Starred: s.Starred,
    ast.List: s.List,
    ast.Set: s.Set,
    ast.Dict: s.Dict,
    ast.ListComp: s.Comp,
    ast.SetComp: s.Comp,
    ast.DictComp: s.Comp,
    ast.GeneratorExp: s.Comp,
    ast.NamedExpr: s.NamedExpr,
    ast.Return: s.Return,
    ast.Assign: s.Assign,
    ast.AnnAssign: s.AnnAssign,
    ast.AugAssign: s.AugAssign,
    ast.For: s.For,
    ast.AsyncFor: s.For,
    ast.While: s.While,
    ast.With: s.With,
    ast.AsyncWith: s.With,
    ast.Raise: s.Raise,
    ast.Try: s.Try,
    ast.TryStar: s.Try,
    ast.Import: s.Import,
    ast.ImportFrom: s.ImportFrom,
    ast.Delete: s.Delete,
    ast.Assert: s.Assert,
}
IN_F_STRINGS_AND_PATTERNS = (ast.JoinedStr, ast.Match)


def theirs(tree: ast.AST) -> Counter[str]:
    """Count CPython's nodes; f-strings and patterns, which are ours to simplify, are left out."""
    counted: Counter[str] = Counter()
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, IN_F_STRINGS_AND_PATTERNS):
            continue
        if (ours := SAME.get(type(node))) is not None:
            counted[ours.__name__] += 1
        stack.extend(ast.iter_child_nodes(node))
    return counted


def ours(body: list[s.Stmt]) -> Counter[str]:
    counted: Counter[str] = Counter()
    stack: list[s.Node] = list(body)
    names = {kind.__name__ for kind in SAME.values()}
    while stack:
        node = stack.pop()
        if isinstance(node, (s.JoinedStr, s.Match)):
            continue
        if type(node).__name__ in names:
            counted[type(node).__name__] += 1
        stack.extend(s.children(node))
    return counted


def compare(path: Path) -> None:
    source = to_utf8(path.read_bytes())
    assert isinstance(source, bytes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    header, facts = read(source)
    assert header.broken == []
    assert ours(decode_facts(encode(facts)).body) == theirs(tree)


@pytest.mark.parametrize("name", SAMPLE)
def test_standard_library_module(name: str) -> None:
    compare(STDLIB / name)


def test_with_in_parentheses(tmp_path: Path) -> None:
    """One manager with a name reads like several: ``with (opened() as file):``."""
    source = tmp_path / "managers.py"
    source.write_text(
        "with (a.opened() as x):\n    pass\n"
        "with (\n    a.opened() as x  # why\n):\n    pass\n"
        "with (a.opened() as x, b() as y,):\n    pass\n"
        "with (a.opened()):\n    pass\n"
    )
    compare(source)


@pytest.mark.slow
def test_whole_standard_library() -> None:
    """Every module of the standard library that this interpreter can parse; others only must not fail."""
    differing: list[str] = []
    for path in sorted(STDLIB.rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        source = to_utf8(path.read_bytes())
        if not isinstance(source, bytes):
            continue
        header, facts = read(source)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        if header.broken or ours(decode_facts(encode(facts)).body) != theirs(tree):
            differing.append(path.relative_to(STDLIB).as_posix())
    assert set(differing) <= set(KNOWN_DIFFERENCES)


KNOWN_DIFFERENCES = {
    "test/test_compile.py": "the grammar cannot read one of its deliberately odd functions",
    "test/test_future_stmt/badsyntax_future8.py": "from __future__ import *, which no Python runs",
    "test/test_grammar.py": "`with manager() as x, manager(): pass` in every possible spelling",
    "test/test_print.py": "`print >> x`, read as Python 2's statement",
}
"""Files that tree-sitter's grammar reads otherwise than CPython, each with the reason."""


STRINGS = [
    r"'a\nb\t\\'",
    r"'it\'s'",
    r'"\x41\u00e9\U0001F600\101\0"',
    r"'\N{BULLET} \d \(' ",
    r"r'\n\d'",
    "'a' \"b\" '''c\nd'''",
    "'line \\\ncontinued'",
    "b'\\x41' b'c'",
    "u'x'",
    "''",
]


@pytest.mark.parametrize("literal", STRINGS)
def test_string_literal_means_what_python_says(literal: str) -> None:
    _, facts = read(f"x = {literal}\n".encode())
    assign = facts.body[0]
    assert isinstance(assign, s.Assign)
    assert isinstance(assign.value, s.Constant)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = ast.literal_eval(literal.strip())
    if isinstance(expected, bytes):
        return  # kept as text, escapes resolved
    assert assign.value.value == expected
