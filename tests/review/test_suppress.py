"""Comments that hide findings, and comments that hide nothing."""

from make import finding, rule

from fastwright.read.reader import read
from fastwright.review.select import Chosen
from fastwright.review.sources import Sources
from fastwright.review.suppress import UNUSED_SUPPRESSION, Outcome, suppress

UNUSED = UNUSED_SUPPRESSION.name
RULES = {
    **{name: rule(name, "data", "error") for name in ("lazy-load", "no-limit")},
    UNUSED: UNUSED_SUPPRESSION,
}


def outcome(source: str, *found: tuple[str, int], ran: set[str] | None = None) -> Outcome:
    header, _ = read(source.encode())
    return suppress(
        [finding(name, "a.py", line) for name, line in found],
        {"a.py": header.suppressions},
        Sources.of({"a.py": source}),
        RULES,
        Chosen(frozenset(RULES if ran is None else ran)),
    )


def shown(result: Outcome) -> list[tuple[str, int, str]]:
    return [(f.rule, f.place.line, f.message) for f in result.findings]


def test_on_the_line() -> None:
    result = outcome("x = 1  # fastwright: ignore[lazy-load] small table\n", ("lazy-load", 1))
    assert result == Outcome([], 1)


def test_alone_on_the_line_above() -> None:
    source = "# fastwright: ignore[lazy-load] why\n\n# another comment\nx = 1\n"
    assert outcome(source, ("lazy-load", 4)) == Outcome([], 1)
    assert outcome(source, ("no-limit", 4)).hidden == 0


def test_a_comment_after_code_says_nothing_of_the_next_line() -> None:
    source = "x = 1  # fastwright: ignore[lazy-load]\ny = 2\n"
    assert [f.rule for f in outcome(source, ("lazy-load", 2)).findings] == ["lazy-load", UNUSED]


def test_stacked_comments() -> None:
    source = "# fastwright: ignore[lazy-load]\n# fastwright: ignore[no-limit]\nx = 1\n"
    assert outcome(source, ("lazy-load", 3), ("no-limit", 3)) == Outcome([], 2)


def test_whole_file_and_every_rule() -> None:
    found = (("lazy-load", 2), ("no-limit", 3))
    assert outcome("# fastwright: ignore-file generated\nx\ny\n", *found) == Outcome([], 2)
    some = outcome("# fastwright: ignore-file[no-limit]\nx\ny\n", *found)
    assert (some.hidden, [f.rule for f in some.findings]) == (1, ["lazy-load"])


def test_unused() -> None:
    result = outcome("x = 1  # fastwright: ignore[lazy-load, no-limit] why\n", ("lazy-load", 1))
    message = "this comment hides nothing: no-limit does not report here"
    assert shown(result) == [(UNUSED, 1, message)]
    place = result.findings[0].place
    assert (place.column, place.end_column) == (8, 53)


def test_unused_without_names_only_if_all_default_rules_ran() -> None:
    source = "x = 1  # fastwright: ignore\n"
    assert [f.rule for f in outcome(source).findings] == [UNUSED]
    assert outcome(source, ran={"lazy-load", UNUSED}).findings == []


def test_rules_that_did_not_run_are_not_judged() -> None:
    source = "x = 1  # fastwright: ignore[lazy-load]\n"
    assert outcome(source, ran={"no-limit", UNUSED}).findings == []
    assert outcome(source, ran={"lazy-load"}).findings == []


def test_unknown_name() -> None:
    result = outcome("x = 1  # fastwright: ignore[lazy-laod]\n")
    message = "there is no rule 'lazy-laod'. Did you mean 'lazy-load'?"
    assert shown(result) == [(UNUSED, 1, message)]


def test_the_report_of_comments_can_be_hidden_itself() -> None:
    assert outcome(f"x = 1  # fastwright: ignore[lazy-load, {UNUSED}]\n") == Outcome([], 0)


def test_in_a_string_it_is_no_comment() -> None:
    result = outcome("x = '# fastwright: ignore[lazy-load]'\n", ("lazy-load", 1))
    assert [f.rule for f in result.findings] == ["lazy-load"]
