"""Run the rules about the whole application, on more than one core where that pays off."""

from __future__ import annotations

import multiprocessing
import traceback
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from fastwright.app.model import App
from fastwright.project.errors import FastwrightError
from fastwright.rules.finding import Hit
from fastwright.rules.registry import RegisteredRule

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.sharedctypes import Synchronized

_PAYS_OFF_FROM = 400
"""Modules from which another process is worth starting."""


Next: TypeAlias = "Synchronized[int]"
"""The place of the next rule to ask."""


class Answer(NamedTuple):
    """What one rule said: its hits, the traceback if it failed, and the seconds that it took."""

    rule: str
    hits: list[Hit]
    failure: str | None
    seconds: float


def run_app_rules(app: App, chosen: list[RegisteredRule], jobs: int) -> list[Answer]:
    """Return the answers of the chosen rules, in their order.

    The application is linked first, so that every rule sees the same model whatever else runs.
    With more than one job on a large application a copy of this process shares the work.
    """
    if not chosen:
        return []
    _ = app.reached
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    if jobs < 2 or len(app.modules) < _PAYS_OFF_FROM or not can_fork:
        return [_ask(app, rule) for rule in chosen]
    return _in_two(app, chosen)


def _ask(app: App, rule: RegisteredRule) -> Answer:
    start = perf_counter()
    hits: list[Hit] = []
    failure = None
    try:
        if rule.rule.app is not None:
            hits.extend(rule.rule.app(app))
    except FastwrightError:
        raise
    except Exception:  # noqa: BLE001 - a rule that fails must not stop the others
        failure = traceback.format_exc()
    return Answer(rule.name, hits, failure, perf_counter() - start)


def _in_two(app: App, chosen: list[RegisteredRule]) -> list[Answer]:
    """Ask the rules in this process and a copy of it; each takes the next one that is left."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    following: Next = context.Value("i", 0)
    child = context.Process(target=_answer, args=(app, chosen, following, sender), daemon=True)
    child.start()
    sender.close()
    answers = {answer.rule: answer for answer in _take(app, chosen, following)}
    try:
        answers.update((answer.rule, answer) for answer in receiver.recv())
    except (EOFError, OSError):  # the copy was killed: do its part as well
        left = [rule for rule in chosen if rule.name not in answers]
        answers.update((rule.name, _ask(app, rule)) for rule in left)
    child.join()
    return [answers[rule.name] for rule in chosen]


def _take(app: App, chosen: list[RegisteredRule], following: Next) -> list[Answer]:
    answers: list[Answer] = []
    while True:
        with following.get_lock():
            at = following.value
            following.value += 1
        if at >= len(chosen):
            return answers
        answers.append(_ask(app, chosen[at]))


def _answer(app: App, chosen: list[RegisteredRule], following: Next, sender: Connection) -> None:
    sender.send(_take(app, chosen, following))
    sender.close()
