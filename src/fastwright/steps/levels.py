"""Verifying a step that is written, by running the user's code: the contract, and the project's tests.

Only done where the user asks for it (`--verify`, or `[tool.fastwright] verify`).
"""

from __future__ import annotations

import os
from typing import Literal, TypeAlias

from fastwright.project.errors import FastwrightError
from fastwright.steps.contract import Reading, where_is
from fastwright.steps.step import Done
from fastwright.steps.tree import Tree
from fastwright.steps.verify import Verdict
from fastwright.verify.difference import Change, difference
from fastwright.verify.interpreter import find_interpreter
from fastwright.verify.openapi import OpenApi, read_openapi
from fastwright.verify.tests import TestRun, run_tests

Level: TypeAlias = Literal["model", "contract", "tests"]
_NAMED = 3


class Levels:
    """What is asked of each step beside the model, and how it was before the first one."""

    def __init__(self, tree: Tree, level: Level, reading: Reading, seconds: float) -> None:
        """Look at the application before anything is changed.

        Raises FastwrightError where it cannot be imported, or its tests cannot be run.
        """
        self._project = tree.project
        self._level = level
        self._seconds = seconds
        self.names: tuple[str, ...] = ()
        if level == "model":
            return
        self._python = find_interpreter(tree.project.root, reading.python, os.environ)
        self._where = where_is(tree.project, reading)
        self._limits = reading.limits
        self._contract = self._openapi()
        self._restless = _places(difference(self._contract, self._openapi()))
        self.names = ("contract",)
        if level == "tests":
            self._tests = self._run()
            self.names = ("contract", f"tests ({len(self._tests.passed)} pass)")

    def check(self, done: Done) -> Verdict:
        """Say whether a step that is on the disk may stay there."""
        if self._level == "model":
            return Verdict()
        try:
            now = self._openapi()
        except FastwrightError as error:
            return Verdict(error.message)
        found = [
            change
            for change in difference(self._contract, now)
            if (change.place, _part(change)) not in self._restless
        ]
        if found and done.step.applicability == "safe":
            told = "; ".join(f"{change.place} {change.what}" for change in found[:_NAMED])
            return Verdict(f"the contract would change: {told}")
        if self._level == "tests":
            broken = self._run_safely()
            if broken:
                return Verdict(f"tests that passed do not: {', '.join(broken[:_NAMED])}")
        self._contract = now
        return Verdict(None, tuple(change.told() for change in found))

    def _run_safely(self) -> tuple[str, ...]:
        try:
            return self._run().broken_since(self._tests)
        except FastwrightError as error:
            return (error.message,)

    def _openapi(self) -> OpenApi:
        return read_openapi(self._project, self._where, self._python, self._limits)

    def _run(self) -> TestRun:
        root = self._project.root
        roots = tuple(root / each for each in self._project.index.roots)
        return run_tests(root, roots, self._python, self._seconds)


def _places(changes: tuple[Change, ...]) -> frozenset[tuple[str, str]]:
    """Return what is otherwise each time that the application is imported: a default that is a time."""
    return frozenset((change.place, _part(change)) for change in changes)


def _part(change: Change) -> str:
    return change.what.partition(":")[0]
