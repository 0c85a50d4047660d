"""The JSON document and its schema."""

import json

import pytest
from jsonschema import Draft202012Validator

from fastwright.report.json_report import render
from fastwright.report.report import Report
from fastwright.report.schemas import file_of, schema


def test_fields(report: Report) -> None:
    document = json.loads(render(report))
    assert list(document) == ["version", "findings", "summary"]
    assert document["version"] == 1
    assert document["findings"][2] == {
        "rule": "blocking-call-in-async",
        "family": "async",
        "severity": "error",
        "file": "app/rates.py",
        "line": 5,
        "column": 9,
        "end_line": 5,
        "function": "fetch",
        "message": "requests.get waits for an answer",
        "evidence": [
            {"file": "app/orders.py", "line": 6, "function": None, "note": "POST /orders"},
            {
                "file": "app/orders.py",
                "line": 7,
                "function": "create_order",
                "note": "create_order",
            },
            {"file": "app/orders.py", "line": 8, "function": "create_order", "note": "fetch"},
            {"file": "app/rates.py", "line": 5, "function": "fetch", "note": "requests.get"},
        ],
        "fix": None,
    }
    assert document["summary"]["by_severity"] == {"error": 2, "warning": 0, "info": 1}


@pytest.mark.parametrize("name", ["report", "clean", "stranger", "incomplete"])
def test_documents_fit_the_schema(name: str, request: pytest.FixtureRequest) -> None:
    shipped = json.loads(file_of("review").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(shipped)
    Draft202012Validator(shipped).validate(json.loads(render(request.getfixturevalue(name))))


@pytest.mark.parametrize("name", ["review", "map"])
def test_shipped_schema_is_that_of_the_types(name: str) -> None:
    shipped = json.loads(file_of(name).read_text(encoding="utf-8"))
    assert shipped == schema(name), "run `python -m fastwright.report.schemas`"


def test_schema_refuses_what_is_wrong(report: Report) -> None:
    document = json.loads(render(report))
    document["findings"][0]["line"] = 0
    assert not Draft202012Validator(schema("review")).is_valid(document)


def test_same_every_time(report: Report) -> None:
    assert render(report) == render(report)
