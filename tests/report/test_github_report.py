"""Workflow commands: a wrong escape lets a message write commands of its own."""

from fastwright.report.github_report import render
from fastwright.report.report import Report


def test_annotations(report: Report) -> None:
    rows = render(report).splitlines()
    assert rows[0] == (
        "::notice file=app/orders.py,line=7,endLine=7,title=untyped-parameter,col=24,endColumn=28"
        "::data: 100%25, a|b%0AGive it a type."
    )
    assert rows[1].startswith("::error file=app/orders.py,line=8,endLine=8,")
    assert "col=13,endColumn=41" in rows[1]  # characters, not bytes
    assert "POST /orders (app/orders.py:6) -> create_order -> fetch" in rows[2]
    assert rows[3] == "3 problems in 2 of 41 files: 2 errors, 1 note."


def test_properties_are_escaped(report: Report) -> None:
    odd = Report(review=report.review, sources=report.sources, rules={}, prefix="a:b,c%/")
    assert render(odd).startswith("::notice file=a%3Ab%2Cc%25/app/orders.py,")


def test_no_message_can_start_a_line(incomplete: Report) -> None:
    assert all(
        row.startswith("::") or row.endswith("note.") for row in render(incomplete).splitlines()
    )
    assert "::error title=fastwright failed::untyped-parameter: ValueError: no" in render(
        incomplete
    )
