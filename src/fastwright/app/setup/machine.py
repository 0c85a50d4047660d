"""Machine: the state of one interpretation, and the verbs that its parts share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from fastwright.app.setup.relevance import Relevance
from fastwright.app.setup.result import Note, Place
from fastwright.app.setup.values import (
    Arguments,
    Frame,
    ModuleValue,
    RouterValue,
    Value,
    least,
)
from fastwright.app.symbols import Function, Linker
from fastwright.read import syntax as s
from fastwright.read.module import Module

MAX_STEPS = 500_000
"""After this many statements and calls the interpretation ends with what it has."""

Version: TypeAlias = tuple[int, ...]

BY_REFERENCE: Version = (0, 137)
"""From this FastAPI on, an included router is kept, not copied."""


class Exhausted(Exception):  # noqa: N818 - not an error: a budget came to its end
    """The steps that a piece of code may take are used up."""


Evaluate: TypeAlias = "Callable[[Machine, s.Expr, Frame], Value]"
Execute: TypeAlias = "Callable[[Machine, list[s.Stmt], Frame], str]"
CallValue: TypeAlias = "Callable[[Machine, Value, Arguments], Value]"
Member: TypeAlias = "Callable[[Machine, Value, str, Place], Value]"


@dataclass(eq=False)
class Machine:
    """One interpretation. ``evaluate``, ``execute``, ``call`` and ``member`` are its verbs."""

    linker: Linker
    relevance: Relevance
    version: Version
    evaluate: Evaluate
    execute: Execute
    call: CallValue
    member: Member
    modules: dict[str, ModuleValue] = field(default_factory=dict)
    """Path -> module."""
    routers: list[RouterValue] = field(default_factory=list)
    read_file: Callable[[str], bytes | None] = lambda _: None
    """Path -> content of a data file of the project."""
    notes: dict[tuple[str, str, int, str], Note] = field(default_factory=dict)
    called: set[Function] = field(default_factory=set)
    """Functions whose body was interpreted."""
    stack: list[Function] = field(default_factory=list)
    offs: int = 0
    """How many conditions that the defaults of settings make false stand around it."""
    least_presence: str = "always"
    """What is declared now is at most this surely there."""
    doubts: int = 0
    """How many conditions that are not known stand around what is running."""
    declaring: list[Place] = field(default_factory=list)
    """The declarations that overridden methods of routers are running for."""
    steps: int = MAX_STEPS
    floor: int = 0
    """Where the steps of what is running now end."""
    solid_floor: int = 0
    """Where they would end without the call around it that sets up nothing."""
    guarded: int = 0
    """How many ``try`` statements with handlers stand around what is running."""
    plain_steps: int = 300
    """How many steps a call may take that sets up nothing."""
    plain_depth: int = 0
    """How many calls that set up nothing are running inside each other."""

    def module(self, module: Module) -> ModuleValue:
        """Return the value that stands for ``module``."""
        found = self.modules.get(module.path)
        if found is None:
            found = self.modules[module.path] = ModuleValue(module)
        return found

    def step(self) -> None:
        """Take one step. Raises Exhausted when there are none left."""
        self.steps -= 1
        if self.steps < self.floor:
            raise Exhausted

    @contextmanager
    def doubt(self) -> Iterator[None]:
        """Run something of which it is not known whether it would run."""
        self.doubts += 1
        try:
            yield
        finally:
            self.doubts -= 1

    @contextmanager
    def budget(self, steps: int) -> Iterator[None]:
        """Allow at most so many steps for what runs inside."""
        before = self.floor
        self.floor = max(before, self.steps - steps)
        try:
            yield
        finally:
            self.floor = before

    @contextmanager
    def plain(self) -> Iterator[None]:
        """Run a call that sets up nothing, in few steps."""
        before = self.solid_floor
        if self.plain_depth == 0:
            self.solid_floor = self.floor
        self.plain_depth += 1
        try:
            with self.budget(self.plain_steps if self.plain_depth == 1 else self.steps):
                yield
        finally:
            self.plain_depth -= 1
            self.solid_floor = before

    @contextmanager
    def solid(self) -> Iterator[None]:
        """Run a call that may set up routers, even if one that sets up nothing makes it."""
        depth, floor, steps = self.plain_depth, self.floor, self.steps
        if depth:
            self.floor, self.plain_depth = self.solid_floor, 0
        try:
            yield
        finally:
            if depth:
                self.plain_depth = depth
                self.floor = max(self.solid_floor, floor - (steps - self.steps))

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Run a module's top level: what surrounds its import does not count there."""
        before = (
            self.floor, self.doubts, self.stack, self.declaring, self.plain_depth, self.guarded,
            self.offs, self.least_presence,
        )  # fmt: skip
        steps = self.steps
        self.floor, self.doubts, self.stack, self.declaring = 0, 0, [], []
        self.plain_depth, self.guarded, self.offs = 0, 0, 0
        self.least_presence = "always"
        try:
            yield
        finally:
            (
                self.floor, self.doubts, self.stack, self.declaring, self.plain_depth,
                self.guarded, self.offs, self.least_presence,
            ) = before  # fmt: skip
            if self.floor:
                self.floor -= steps - self.steps

    @contextmanager
    def guard(self, site: Place) -> Iterator[None]:
        """Run code apart; when it takes too long or cannot be followed, say so and go on."""
        with self.apart():
            try:
                yield
            except Exhausted:
                self.note("exhausted", site, "the set-up code takes too many steps to follow")
            except RecursionError:
                self.note("exhausted", site, "the set-up code is nested too deeply to follow")
            except Exception as error:  # noqa: BLE001 - one module must not hide the others
                self.note("failed", site, f"the set-up code could not be followed: {error!r}")

    def note(self, kind: str, site: Place, message: str, about: Place | None = None) -> None:
        """Keep something that could not be followed."""
        self.notes.setdefault(
            (kind, site.module.path, site.node.start, message),
            Note(kind, site.module, site.function, site.node, message, about),
        )

    @property
    def presence(self) -> str:
        """Whether what is declared now will surely be there."""
        if self.offs:
            return "off"
        return least(self.least_presence, "unknown" if self.doubts else "always")

    @property
    def by_reference(self) -> bool:
        """Whether included routers are kept rather than copied."""
        return self.version >= BY_REFERENCE
