"""The difference of two OpenAPI documents, in words, each with what it means for clients.

What a request takes may become wider, what a response gives may become narrower; the other way round a
client that worked before fails. After OpenAPI 3.1 and JSON Schema 2020-12.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["compatible", "breaking"]
Json: TypeAlias = "dict[str, Any]"
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_WORDS = ("summary", "description", "tags", "title", "examples", "example", "externalDocs")
"""Documentation: no client depends on it."""
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_EXACT = ("type", "format", "pattern", "const", "multipleOf", "uniqueItems", "contentMediaType",
          "additionalProperties")  # fmt: skip
_DEEP = 24


class Change(msgspec.Struct, frozen=True, order=True):
    """One difference: where, what, and whether clients that worked before still do."""

    place: str
    """``GET /orders``."""
    what: str
    kind: Kind

    def told(self) -> str:
        """Say it in a line."""
        return f"{self.kind:<10}  {self.place}  {self.what}"


class _At(msgspec.Struct, frozen=True):
    """Where in a schema: in what is sent (``request``) or given, how deep, under which references."""

    where: str
    request: bool
    depth: int = 0
    seen: frozenset[tuple[str, str]] = frozenset()

    def below(self, name: str) -> _At:
        """Return the place of a part."""
        return _At(f"{self.where}{name}", self.request, self.depth + 1, self.seen)


def difference(before: Json, after: Json) -> tuple[Change, ...]:
    """Return what changed between two OpenAPI documents, sorted."""
    found = set(_Comparison(before, after).all())
    return tuple(sorted(found))


def operations(document: Json) -> dict[str, Json]:
    """Return the operations of a document, by ``GET /path``."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in document.get("paths", {}).items()
        for method, operation in item.items()
        if method in _METHODS
    }


class _Comparison:
    """Compares two documents; references are followed in each."""

    def __init__(self, before: Json, after: Json) -> None:
        self._before = before
        self._after = after

    def all(self) -> Iterator[Change]:
        old, new = operations(self._before), operations(self._after)
        for place in {**old, **new}:
            if place not in new:
                yield Change(place, "is gone", "breaking")
            elif place not in old:
                yield Change(place, "is new", "compatible")
            elif old[place] != new[place] or self._before.get("components") != self._after.get(
                "components"
            ):
                for what, kind in self._operation(old[place], new[place]):
                    yield Change(place, what, kind)

    # --------------------------------------------------------------- operations

    def _operation(self, old: Json, new: Json) -> Iterator[tuple[str, Kind]]:
        if old.get("operationId") != new.get("operationId"):
            told = f"operation id {old.get('operationId')} is now {new.get('operationId')}"
            yield told, "breaking"
        if old.get("deprecated", False) != new.get("deprecated", False):
            yield (
                "is deprecated" if new.get("deprecated") else "is no longer deprecated",
                "compatible",
            )
        for word in _WORDS:
            if old.get(word) != new.get(word):
                yield f"{word} reads otherwise", "compatible"
        if old.get("security") != new.get("security"):
            freed = not new.get("security")
            yield "security is otherwise", "compatible" if freed else "breaking"
        yield from self._parameters(old, new)
        yield from self._body(old.get("requestBody"), new.get("requestBody"))
        yield from self._responses(old.get("responses", {}), new.get("responses", {}))

    def _parameters(self, old: Json, new: Json) -> Iterator[tuple[str, Kind]]:
        before = {(p["in"], p["name"]): p for p in map(self._old, old.get("parameters", ()))}
        after = {(p["in"], p["name"]): p for p in map(self._new, new.get("parameters", ()))}
        for key in {**before, **after}:
            named = f"{key[0]} parameter {key[1]}"
            one, other = before.get(key), after.get(key)
            if other is None:
                yield f"{named} is gone", "breaking"
            elif one is None:
                must = other.get("required", False)
                yield f"{named} is new{' and required' if must else ''}", _kind(not must)
            else:
                yield from _required(named, one, other)
                at = _At(named, request=True)
                yield from self._schema(at, one.get("schema"), other.get("schema"))

    def _body(self, old: Json | None, new: Json | None) -> Iterator[tuple[str, Kind]]:
        if old is None and new is None:
            return
        if new is None or old is None:
            must = new is not None and new.get("required", False)
            yield (
                f"the body is {'gone' if new is None else 'new'}",
                _kind(new is not None and not must),
            )
            return
        old, new = self._old(old), self._new(new)
        yield from _required("the body", old, new)
        yield from self._content("body", old, new, request=True)

    def _responses(self, old: Json, new: Json) -> Iterator[tuple[str, Kind]]:
        for status in {**old, **new}:
            if status not in new:
                yield f"answer {status} is gone", "breaking"
            elif status not in old:
                yield f"answer {status} is new", "compatible"
            else:
                one, other = self._old(old[status]), self._new(new[status])
                yield from self._content(f"answer {status}", one, other, request=False)

    def _content(
        self, where: str, old: Json, new: Json, *, request: bool
    ) -> Iterator[tuple[str, Kind]]:
        before, after = old.get("content", {}), new.get("content", {})
        for media in {**before, **after}:
            if media not in after:
                yield f"{where}: {media} is gone", "breaking"
            elif media not in before:
                yield f"{where}: {media} is new", "compatible"
            else:
                one, other = before[media].get("schema"), after[media].get("schema")
                yield from self._schema(_At(where, request), one, other)

    # ------------------------------------------------------------------ schemas

    def _schema(self, at: _At, old: object, new: object) -> Iterator[tuple[str, Kind]]:
        if not isinstance(old, dict) or not isinstance(new, dict) or not old or not new:
            if bool(old) != bool(new):  # true and {} let everything in, and so does no schema
                yield (
                    f"{at.where}: {_said(old)} is now {_said(new)}",
                    _kind(at.request == (not new)),
                )
            return
        names = (old.get("$ref", ""), new.get("$ref", ""))
        if at.depth > _DEEP or (any(names) and names in at.seen):
            return
        at = msgspec.structs.replace(at, seen=at.seen | {names})
        old, new = self._old(old), self._new(new)
        yield from _exact(at, old, new)
        yield from _bounds(at, old, new)
        yield from _choices(at, old, new)
        yield from self._properties(at, old, new)
        for word in ("items", "additionalProperties"):
            if isinstance(old.get(word), dict) or isinstance(new.get(word), dict):
                yield from self._schema(at.below("[]"), old.get(word), new.get(word))
        for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
            yield from self._options(at, old.get(word, []), new.get(word, []), word)

    def _properties(self, at: _At, old: Json, new: Json) -> Iterator[tuple[str, Kind]]:
        before, after = old.get("properties", {}), new.get("properties", {})
        must_before, must_after = set(old.get("required", ())), set(new.get("required", ()))
        for name in {**before, **after}:
            part = at.below(f".{name}")
            must = name in must_after
            if name not in after:
                yield f"{part.where} is gone", "breaking"
            elif name not in before:
                told = f"{part.where} is new{' and required' if must and at.request else ''}"
                yield told, _kind(not at.request or not must)
            else:
                if (name in must_before) != must:
                    told = f"{part.where} is {'now' if must else 'no longer'} required"
                    yield told, _kind(must != at.request)
                yield from self._schema(part, before[name], after[name])

    def _options(
        self, at: _At, old: list[Json], new: list[Json], word: str
    ) -> Iterator[tuple[str, Kind]]:
        if len(old) == len(new):
            for one, other in zip(old, new, strict=True):
                yield from self._schema(at.below(""), one, other)
            return
        more = len(new) > len(old)
        told = (
            f"{at.where}: {'more' if more else 'fewer'} alternatives ({len(old)}, now {len(new)})"
        )
        yield told, _kind(word != "allOf" and more == at.request)

    # --------------------------------------------------------------- references

    def _old(self, node: Json) -> Json:
        return _resolved(self._before, node)

    def _new(self, node: Json) -> Json:
        return _resolved(self._after, node)


def _resolved(document: Json, node: Json) -> Json:
    """Return what a reference stands for, with what is written beside it."""
    for _ in range(_DEEP):
        reference = node.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        found: Any = document
        for part in reference[2:].split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {})
        node = {**found, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def _required(named: str, old: Json, new: Json) -> Iterator[tuple[str, Kind]]:
    before, after = old.get("required", False), new.get("required", False)
    if before != after:
        yield f"{named} is {'now' if after else 'no longer'} required", _kind(not after)


def _exact(at: _At, old: Json, new: Json) -> Iterator[tuple[str, Kind]]:
    for word in _EXACT:
        before, after = old.get(word), new.get(word)
        if before != after and not isinstance(before, dict) and not isinstance(after, dict):
            told = f"{at.where}: {word} {_said(before)} is now {_said(after)}"
            yield told, _kind(after is None and at.request)
    if old.get("default") != new.get("default"):
        told = f"{at.where}: default {_said(old.get('default'))} is now {_said(new.get('default'))}"
        yield told, _kind(not at.request)


def _bounds(at: _At, old: Json, new: Json) -> Iterator[tuple[str, Kind]]:
    for word in (*_UPPER, *_LOWER):
        before, after = old.get(word), new.get(word)
        if before == after:
            continue
        wider = after is None or (
            before is not None and (after > before if word in _UPPER else after < before)
        )
        yield (
            f"{at.where}: {word} {_said(before)} is now {_said(after)}",
            _kind(wider == at.request),
        )


def _choices(at: _At, old: Json, new: Json) -> Iterator[tuple[str, Kind]]:
    before, after = old.get("enum"), new.get("enum")
    if before is None or after is None:
        if before != after:
            told = f"{at.where}: choices {_said(before)} are now {_said(after)}"
            yield told, _kind((after is None) == at.request)
        return
    for value in before:
        if value not in after:
            yield f"{at.where}: {_said(value)} is no longer a choice", _kind(not at.request)
    for value in after:
        if value not in before:
            yield f"{at.where}: {_said(value)} is a new choice", _kind(at.request)


def _kind(compatible: bool) -> Kind:  # noqa: FBT001 - the answer itself
    return "compatible" if compatible else "breaking"


def _said(value: object) -> str:
    if value is None or value == {}:
        return "nothing"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."


_LONG = 60
