"""The difference of two contracts: each line says what a client meets."""

from __future__ import annotations

from typing import Any

import pytest

from fastwright.verify.difference import difference

Json = dict[str, Any]


def document(operation: Json, **schemas: Json) -> Json:
    return {"paths": {"/items": {"post": operation}}, "components": {"schemas": schemas}}


def query(name: str, schema: Json, *, required: bool = False) -> Json:
    return {"parameters": [{"name": name, "in": "query", "required": required, "schema": schema}]}


def body(schema: Json, *, required: bool = True) -> Json:
    return {
        "requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}
    }


def answer(schema: Json, status: str = "200") -> Json:
    return {"responses": {status: {"content": {"application/json": {"schema": schema}}}}}


def fields(required: tuple[str, ...] = (), **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


INT, TEXT = {"type": "integer"}, {"type": "string"}
ITEM = {"$ref": "#/components/schemas/Item"}

CASES = {
    "a parameter is new": ({}, query("q", TEXT), ["compatible query parameter q is new"]),
    "a parameter is new and required": (
        {},
        query("q", TEXT, required=True),
        ["breaking query parameter q is new and required"],
    ),
    "a parameter is gone": (query("q", TEXT), {}, ["breaking query parameter q is gone"]),
    "a parameter must be sent now": (
        query("q", TEXT),
        query("q", TEXT, required=True),
        ["breaking query parameter q is now required"],
    ),
    "a request is limited": (
        query("limit", INT),
        query("limit", {**INT, "maximum": 100}),
        ["breaking query parameter limit: maximum nothing is now 100"],
    ),
    "a request may hold more": (
        query("limit", {**INT, "maximum": 100}),
        query("limit", {**INT, "maximum": 200}),
        ["compatible query parameter limit: maximum 100 is now 200"],
    ),
    "another type": (
        query("limit", INT),
        query("limit", TEXT),
        ['breaking query parameter limit: type "integer" is now "string"'],
    ),
    "an answer holds one field more": (
        answer(fields(a=INT)),
        answer(fields(a=INT, b=INT)),
        ["compatible answer 200.b is new"],
    ),
    "an answer holds one field less": (
        answer(fields(a=INT, b=INT)),
        answer(fields(a=INT)),
        ["breaking answer 200.b is gone"],
    ),
    "a body takes one field more": (
        body(fields(a=INT)),
        body(fields(a=INT, b=INT)),
        ["compatible body.b is new"],
    ),
    "a body needs one field more": (
        body(fields(a=INT)),
        body(fields(("b",), a=INT, b=INT)),
        ["breaking body.b is new and required"],
    ),
    "an answer may leave a field out": (
        answer(fields(("a",), a=INT)),
        answer(fields(a=INT)),
        ["breaking answer 200.a is no longer required"],
    ),
    "a new choice in an answer": (
        answer({"enum": ["a"]}),
        answer({"enum": ["a", "b"]}),
        ['breaking answer 200: "b" is a new choice'],
    ),
    "a new choice in a request": (
        body({"enum": ["a"]}),
        body({"enum": ["a", "b"]}),
        ['compatible body: "b" is a new choice'],
    ),
    "another status": (
        answer(INT),
        answer(INT, "201"),
        ["breaking answer 200 is gone", "compatible answer 201 is new"],
    ),
    "documentation": (
        {"summary": "Make"},
        {"summary": "Make one"},
        ["compatible summary reads otherwise"],
    ),
    "generated clients call it by its id": (
        {"operationId": "make"},
        {"operationId": "make_item"},
        ["breaking operation id make is now make_item"],
    ),
    "the order of things is nothing": (
        {"summary": "a", "operationId": "b"},
        {"operationId": "b", "summary": "a"},
        [],
    ),
}


@pytest.mark.parametrize(("before", "after", "told"), CASES.values(), ids=CASES)
def test_difference(before: Json, after: Json, told: list[str]) -> None:
    found = difference(document(before), document(after))
    assert [f"{change.kind} {change.what}" for change in found] == told
    assert {change.place for change in found} <= {"POST /items"}


def test_operations_come_and_go() -> None:
    found = difference(
        {"paths": {"/a": {"get": {}}, "/b": {"get": {}}}},
        {"paths": {"/b": {"get": {}, "post": {}}}},
    )
    assert [change.told() for change in found] == [
        "breaking    GET /a  is gone",
        "compatible  POST /b  is new",
    ]


def test_references_are_followed() -> None:
    before = document(answer(ITEM), Item=fields(price=INT, inner=ITEM))
    after = document(answer(ITEM), Item=fields(price=TEXT, inner=ITEM))
    (change,) = difference(before, after)
    assert change.what == 'answer 200.price: type "integer" is now "string"'


def test_a_schema_with_another_name_is_the_same_to_clients() -> None:
    before = document(answer(ITEM), Item=fields(price=INT))
    after = document(
        answer({"$ref": "#/components/schemas/ItemPublic"}), ItemPublic=fields(price=INT)
    )
    assert difference(before, after) == ()
