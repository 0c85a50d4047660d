"""The text that people read, as a whole and in its details."""

import io

from fastwright.report.frame import frame
from fastwright.report.report import Report
from fastwright.report.styled import clean as cleaned
from fastwright.report.styled import line, plain
from fastwright.report.terminal import show
from fastwright.report.text_report import layout, render
from fastwright.review.sources import Sources
from fastwright.rules.finding import Place

GOLDEN = """\
3 problems in 2 of 41 files: 2 errors, 1 note.

            errors  warnings  notes
  async          2         .      .
  endpoint       .         .      1

Worst  blocking-call-in-async (2), untyped-parameter (1)
Most   app/orders.py (2), app/rates.py (1)

app/orders.py

info untyped-parameter  line 7 in create_order
  data: 100%, a|b

    6 | @router.post("/orders")
  > 7 | async def create_order(data: Order):
      |                        ^^^^
    8 |     größe = service.place(data, "€|<b>")
    9 |     return größe

  why   Without a type nothing is validated.
  mend  Give it a type.

error blocking-call-in-async  line 8 in create_order
  service.place waits

    6 | @router.post("/orders")
    7 | async def create_order(data: Order):
  > 8 |     größe = service.place(data, "€|<b>")
      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    9 |     return größe

  POST /orders     app/orders.py:6  @router.post("/orders")
  -> create_order  app/orders.py:7  async def create_order(data: Order):

  why   A call that waits stops every other request. While it waits, nobody is served.
  mend  Use the async equivalent, or run it in a thread.

app/rates.py

error blocking-call-in-async  line 5 in fetch
  requests.get waits for an answer

    4 | def fetch(url):
  > 5 |     return requests.get(url)
      |            ^^^^^^^^^^^^^^^^^

  POST /orders     app/orders.py:6  @router.post("/orders")
  -> create_order  app/orders.py:7  async def create_order(data: Order):
  -> fetch         app/orders.py:8  größe = service.place(data, "€|<b>")
  -> requests.get  app/rates.py:5   return requests.get(url)

3 problems in 2 of 41 files: 2 errors, 1 note. `fastwright explain RULE` tells more.
"""


def test_whole(report: Report) -> None:
    assert render(report) == GOLDEN


def test_clean_and_no_fastapi(clean: Report, stranger: Report) -> None:
    assert render(clean) == "No problems in 41 files.\n"
    assert render(stranger) == "No FastAPI here: 41 Python files read, none imports it.\n"


def test_what_was_left_out(incomplete: Report) -> None:
    text = render(incomplete)
    assert "Held back: 7 in the baseline (shown without --baseline)." in text
    assert "Baseline: 2 entries match nothing any more" in text
    assert "Read in part, syntax errors in 1 file: app/old.py:3" in text
    assert "Not read, 1 file: app/data.py (holds NUL bytes)" in text
    assert "failed untyped-parameter: ValueError: no" in text
    assert "12.3" not in text


def test_statistics_only_when_asked(incomplete: Report) -> None:
    asked = Report(review=incomplete.review, sources=incomplete.sources, rules={}, statistics=True)
    assert "untyped-parameter      1       12.3" in render(asked)


def test_quiet_is_a_line_each(report: Report) -> None:
    quiet = Report(
        review=report.review, sources=report.sources, rules={}, prefix="src/", quiet=True
    )
    assert render(quiet).splitlines() == [
        "src/app/orders.py:7:24: info untyped-parameter data: 100%, a|b",
        "src/app/orders.py:8:15: error blocking-call-in-async service.place waits",
        "src/app/rates.py:5:9: error blocking-call-in-async requests.get waits for an answer",
    ]


def test_terminal_shows_the_same_text(report: Report) -> None:
    stream = io.StringIO()
    show(layout(report), stream)
    shown = [row.rstrip() for row in stream.getvalue().splitlines()]
    assert shown == GOLDEN.splitlines()


def test_control_characters_never_reach_the_terminal() -> None:
    assert cleaned("a\x1b[31mb\tc\u202e") == "a\\x1b[31mb    c\\u202e"
    hostile = Sources.of({"a.py": "x = '\x1b]0;owned\x07'"})
    assert "\x1b" not in plain(frame(Place("a.py", 1, 1, 1, 2, None), hostile))
    assert plain([line(("file\x1b[2J", "path"))]) == "file\\x1b[2J\n"


def test_frame_cuts_long_lines_around_the_caret() -> None:
    text = "x" * 10_000 + "HERE" + "y" * 10_000
    shown = plain(frame(Place("a.py", 1, 10_001, 1, 10_005, None), Sources.of({"a.py": text})))
    code, carets = shown.splitlines()
    assert len(code) < 120
    assert code[carets.index("^") : carets.rindex("^") + 1] == "HERE"


def test_frame_of_several_lines_and_of_nothing() -> None:
    sources = Sources.of({"a.py": "call(\n    1,\n)\n"})
    shown = plain(frame(Place("a.py", 1, 1, 3, 2, None), sources)).splitlines()
    assert shown[0] == "> 1 | call("
    assert shown[1] == "    | ^^^^^"
    assert not list(frame(Place("gone.py", 1, 1, 1, 2, None), sources))
    assert not list(frame(Place("a.py", 99, 1, 99, 2, None), sources))
    assert list(frame(Place("a.py", 1, 50, 1, 10, None), sources))


def test_wide_characters() -> None:
    sources = Sources.of({"a.py": "値 = bad"})
    code, carets = plain(frame(Place("a.py", 1, 7, 1, 10, None), sources)).splitlines()
    assert code.endswith("値 = bad")
    assert carets.index("^") == code.index("bad") + 1  # the first character is two columns wide
