"""Recipe: how a recipe file describes itself.

A recipe is one file ``recipes/<recipe_name>.py`` with a docstring (its documentation), a ``plan``
function, a ``RECIPE`` that says what kind of recipe it is, and ``CASES``. Its name comes from the file's.
``plan`` only asks the application; what it yields is verified and written by others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias, Union

import msgspec

from fastwright.edit.fix import Edit, Import
from fastwright.read import syntax as s
from fastwright.read.module import Module

if TYPE_CHECKING:
    from fastwright.app.model import App
    from fastwright.app.symbols import Function

Style: TypeAlias = Literal["layered", "clean"]
Paging: TypeAlias = Literal["offset", "page", "cursor"]
"""How a request says which part of a list it wants: rows to skip, a number, or the last row it has."""


class Target(msgspec.Struct, frozen=True):
    """What a recipe is applied to: all of an application, a file, or a function or class in it."""

    file: str | None = None
    name: str | None = None
    """The qualified name: ``create_order``, ``OrderService.create``."""
    style: Style = "layered"
    """Which architecture is wanted, where that makes a difference."""
    by: Literal["kind", "domain"] = "kind"
    """What a module is split by: the kind of things in it, or what they are about."""
    paging: Paging | None = None
    """How lists are paged; None: as the project's other lists are, else by offset."""

    def holds(self, file: str, name: str | None = None) -> bool:
        """Whether something is asked about: a place in a file, in a function of that qualified name."""
        if self.file is not None and file != self.file and not file.startswith(f"{self.file}/"):
            return False
        return self.name is None or name is None or name == self.name

    def takes(self, function: Function) -> bool:
        """Whether a function is asked about."""
        return self.holds(function.module.path, function.qualname)


class Proposal(msgspec.Struct, frozen=True):
    """One change that stands on its own: made and verified as one step."""

    title: str
    """What is done, in one line."""
    edits: tuple[Edit, ...]
    imports: tuple[Import, ...] = ()
    new: Mapping[str, str] = {}
    """New files: path -> source. One that is there already is an error of the recipe."""
    gone: tuple[str, ...] = ()
    """Files that are removed."""
    places: tuple[str, ...] = ()
    """``file:line`` of what is changed for a reason."""


class Stopped(msgspec.Struct, frozen=True):
    """Something that a recipe leaves alone, and the line that stops it."""

    place: str
    reason: str


class Kept(Exception):  # noqa: N818 - what stops it is no error
    """What keeps code as it is: raised where it is found, and told by the recipe's ``plan``."""

    def __init__(self, module: Module, node: s.Node, reason: str) -> None:
        super().__init__(reason)
        self.module = module
        self.node = node
        self.reason = reason

    @property
    def place(self) -> str:
        """``file:line`` of the node."""
        return f"{self.module.path}:{self.module.line(self.node)}"


Planned: TypeAlias = Union[Proposal, Stopped]
Plan: TypeAlias = "Callable[[App, Target], Iterator[Planned]]"


class Case(msgspec.Struct, frozen=True):
    """An example: documentation and test at once.

    The recipe must make ``after`` of ``before`` (paths -> sources; files that are not in ``after`` stay
    as they are, unless ``gone`` names them), and nothing of ``after``. ``stopped``: the places
    (``file:line``) that it must leave alone.
    """

    title: str
    before: Mapping[str, str]
    after: Mapping[str, str] = {}
    gone: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    target: Target = Target()
    installed: Mapping[str, str] = {}


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What a recipe file says of its recipe."""

    summary: str
    """One line: what it does."""
    why: str
    """One or two sentences, for the commit."""
    plan: Plan
    """Yields changes that can be made to the application as it is; it is asked again after each."""
    since: Mapping[str, str] = {}
    """Library -> first version that has what the recipe writes. Unknown versions count as new."""
    contract: bool = False
    """Whether it changes the contract, in the way that its docstring says."""
    references: tuple[str, ...] = ()
