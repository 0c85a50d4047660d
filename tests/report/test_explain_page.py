"""The page of a rule and the list of rules."""

import json

import pytest

from fastwright.report.explain import json_listing, listing, markdown_listing, page
from fastwright.report.report import Report
from fastwright.report.styled import plain
from fastwright.review.catalogue import by_family, known_rules


def test_page(report: Report) -> None:
    assert (
        page(report.rules["blocking-call-in-async"])
        == """\
# blocking-call-in-async

A blocking call on the event loop.

family: async; severity: error; confidence: high; on by default

## Why

A call that waits stops every other request.

While it waits, nobody is served.

More.

## How to mend it

Use the async equivalent, or run it in a thread.

## Reported: in an endpoint

```python
import time
time.sleep(1)  # <- reported
```

## Not reported: in a thread

With fastapi 0.100:

```python
x = 1
```

## References

- https://fastapi.tiangolo.com/async/

## To leave one in place

```python
...  # fastwright: ignore[blocking-call-in-async] why it is right here
```
"""
    )


@pytest.mark.parametrize("name", sorted(known_rules()))
def test_every_rule_has_a_page(name: str) -> None:
    assert page(known_rules()[name]).startswith(f"# {name}\n")


def test_lists_hold_every_rule() -> None:
    text, table = plain(listing(by_family())), markdown_listing(by_family())
    rows = json.loads(json_listing(by_family()))
    assert {row["rule"] for row in rows} == set(known_rules())
    assert all(name in text and f"`{name}`" in table for name in known_rules())
