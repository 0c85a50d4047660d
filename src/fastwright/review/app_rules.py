"""Run the rules about the whole application, on more than one core where that pays off."""

from __future__ import annotations

import multiprocessing
import traceback
from multiprocessing.connection import Connection
from time import perf_counter
from typing import NamedTuple

from fastwright.app.model import App
from fastwright.rules.finding import Hit
from fastwright.rules.registry import RegisteredRule

_PAYS_OFF_FROM = 400
"""Modules from which another process is worth starting."""


class Answer(NamedTuple):
    """What one rule said: its hits, the traceback if it failed, and the seconds that it took."""

    rule: str
    hits: list[Hit]
    failure: str | None
    seconds: float


def run_app_rules(app: App, chosen: list[RegisteredRule], jobs: int) -> list[Answer]:
    """Return the answers of the chosen rules, in their order.

    The application is linked first, so that every rule sees the same model whatever else runs.
    With more than one job on a large application a copy of this process takes every other rule.
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
    except Exception:  # noqa: BLE001 - a rule that fails must not stop the others
        failure = traceback.format_exc()
    return Answer(rule.name, hits, failure, perf_counter() - start)


def _in_two(app: App, chosen: list[RegisteredRule]) -> list[Answer]:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    theirs = chosen[1::2]
    child = context.Process(target=_answer, args=(app, theirs, sender), daemon=True)
    child.start()
    sender.close()
    answers = {rule.name: _ask(app, rule) for rule in chosen[::2]}
    try:
        for answer in receiver.recv():
            answers[answer.rule] = answer
    except (EOFError, OSError):  # the copy was killed: do its part as well
        answers.update({rule.name: _ask(app, rule) for rule in theirs})
    child.join()
    return [answers[rule.name] for rule in chosen]


def _answer(app: App, theirs: list[RegisteredRule], sender: Connection) -> None:
    sender.send([_ask(app, rule) for rule in theirs])
    sender.close()
