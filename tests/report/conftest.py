"""A small review made by hand: three findings in two files, one of them proved across files."""

from pathlib import Path

import pytest

from fastwright.report.report import Report
from fastwright.review.result import (
    BrokenFile,
    HeldBack,
    Review,
    RuleFailure,
    RuleStatistic,
    SkippedFile,
)
from fastwright.review.sources import Sources
from fastwright.rules.finding import Evidence, Finding, Place
from fastwright.rules.registry import RegisteredRule
from fastwright.rules.rule import Rule, case

ORDERS = """\
from fastapi import APIRouter

router = APIRouter()


@router.post("/orders")
async def create_order(data: Order):
    größe = service.place(data, "€|<b>")
    return größe
"""

RATES = """\
import requests


def fetch(url):
\treturn requests.get(url)
"""

FILES = {"app/orders.py": ORDERS, "app/rates.py": RATES}

BLOCKING = RegisteredRule(
    name="blocking-call-in-async",
    family="async",
    rule=Rule(
        summary="a blocking call on the event loop",
        severity="error",
        mend="Use the async equivalent, or run it in a thread.",
        references=("https://fastapi.tiangolo.com/async/",),
    ),
    doc="""A call that waits stops every other request.

While it waits, nobody is served.

More.""",
    cases=(
        case("in an endpoint", "\n        import time\n        time.sleep(1)  # <-\n        "),
        case("in a thread", "x = 1", fastapi="0.100"),
    ),
)
UNTYPED = RegisteredRule(
    name="untyped-parameter",
    family="endpoint",
    rule=Rule(summary="a parameter without a type", severity="info", mend="Give it a type."),
    doc="Without a type\nnothing is validated.\n\nMore.",
    cases=(),
)
RULES = {rule.name: rule for rule in (BLOCKING, UNTYPED)}


def place(file: str, line: int, columns: tuple[int, int], function: str | None = None) -> Place:
    return Place(file, line, columns[0], line, columns[1], function)


def finding(rule: RegisteredRule, where: Place, message: str, *chain: Evidence) -> Finding:
    about = rule.rule
    return Finding(
        rule.name, rule.family, about.severity, about.confidence, where, message, chain, None
    )


CHAIN = (
    Evidence(place("app/orders.py", 6, (2, 24)), "POST /orders"),
    Evidence(place("app/orders.py", 7, (11, 23), "create_order"), "create_order"),
    Evidence(place("app/orders.py", 8, (15, 46), "create_order"), "fetch"),
    Evidence(place("app/rates.py", 5, (9, 26), "fetch"), "requests.get"),
)
FINDINGS = (
    finding(UNTYPED, place("app/orders.py", 7, (24, 28), "create_order"), "data: 100%, a|b"),
    finding(
        BLOCKING,
        place("app/orders.py", 8, (15, 46), "create_order"),
        "service.place waits",
        *CHAIN[:2],
    ),
    finding(BLOCKING, CHAIN[-1].place, "requests.get waits for an answer", *CHAIN),
)


def make(**changes: object) -> Report:
    values: dict[str, object] = {"root": Path("/root"), "findings": FINDINGS, "files": 41}
    review = Review(**(values | changes))  # type: ignore[arg-type]
    return Report(review=review, sources=Sources.of(FILES), rules=RULES)


@pytest.fixture
def report() -> Report:
    return make()


@pytest.fixture
def clean() -> Report:
    return make(findings=())


@pytest.fixture
def stranger() -> Report:
    return make(findings=(), is_fastapi=False)


@pytest.fixture
def incomplete() -> Report:
    return make(
        held_back=(HeldBack("in the baseline", 7, "without --baseline"),),
        stale_baseline=2,
        broken=(BrokenFile("app/old.py", (3, 9)),),
        skipped=(SkippedFile("app/data.py", "holds NUL bytes"),),
        failures=(RuleFailure("untyped-parameter", "Traceback\n  ...\nValueError: no"),),
        statistics=(RuleStatistic("untyped-parameter", 1, 0.0123),),
    )
