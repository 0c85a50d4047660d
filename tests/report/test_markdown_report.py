"""Markdown for pull requests."""

from fastwright.report.markdown_report import code, escape, render
from fastwright.report.report import Report


def test_page(report: Report) -> None:
    page = render(report)
    assert page.startswith("## fastwright review\n\n**3 problems in 2 of 41 files")
    assert "| async | 2 | 0 | 0 |" in page
    assert "**error** `blocking-call-in-async`, line 5 in `fetch`" in page
    assert "4. requests.get (`app/rates.py:5`): `return requests.get(url)`" in page
    assert "data: 100%, a\\|b" in page


def test_nothing_is_read_as_markup() -> None:
    assert escape("<img> *x* [a](b) |") == "\\<img\\> \\*x\\* \\[a\\](b) \\|"
    assert code("a`b") == "``a`b``"
    assert code("`a`") == "`` `a` ``"


def test_left_out(incomplete: Report) -> None:
    assert "- 7 in the baseline (shown without --baseline)" in render(incomplete)
