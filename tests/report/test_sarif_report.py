"""SARIF: what code scanning services rely on."""

import json
from typing import Any

from fastwright.report.report import Report
from fastwright.report.sarif_report import render


def run_of(report: Report) -> dict[str, Any]:
    log = json.loads(render(report))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    found: dict[str, Any] = run
    return found


def test_rules_and_their_indices(report: Report) -> None:
    run = run_of(report)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["blocking-call-in-async", "untyped-parameter"]
    assert rules[0]["helpUri"] == "https://fastapi.tiangolo.com/async/"
    assert rules[0]["defaultConfiguration"] == {"level": "error", "enabled": True}
    assert "Use the async equivalent" in rules[0]["help"]["markdown"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_places_are_relative_and_columns_count_characters(report: Report) -> None:
    umlauts = run_of(report)["results"][1]["locations"][0]
    physical = umlauts["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": "app/orders.py", "uriBaseId": "%SRCROOT%"}
    line = '    größe = service.place(data, "€|<b>")'
    start, end = physical["region"]["startColumn"], physical["region"]["endColumn"]
    assert line[start - 1 : end - 1] == 'service.place(data, "€|<b>")'
    assert umlauts["logicalLocations"] == [
        {"fullyQualifiedName": "create_order", "kind": "function"}
    ]


def test_evidence_is_a_code_flow(report: Report) -> None:
    flow = run_of(report)["results"][2]["codeFlows"][0]["threadFlows"][0]["locations"]
    notes = [step["location"]["message"]["text"] for step in flow]
    assert notes == ["POST /orders", "create_order", "fetch", "requests.get"]


def test_uris_are_escaped_and_prefixed(report: Report) -> None:
    other = Report(
        review=report.review, sources=report.sources, rules=report.rules, prefix="my api/ü#/"
    )
    location = run_of(other)["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "my%20api/%C3%BC%23/app/orders.py"


def test_fingerprints_differ_and_stay(report: Report) -> None:
    prints = [r["partialFingerprints"]["fastwright/v1"] for r in run_of(report)["results"]]
    assert len(set(prints)) == 3
    assert prints == [r["partialFingerprints"]["fastwright/v1"] for r in run_of(report)["results"]]


def test_notifications(incomplete: Report) -> None:
    invocation = run_of(incomplete)["invocations"][0]
    assert invocation["executionSuccessful"] is False
    texts = [note["message"]["text"] for note in invocation["toolExecutionNotifications"]]
    assert texts == [
        "read in part: syntax error in line 3",
        "not read: holds NUL bytes",
        "rule untyped-parameter failed",
    ]
