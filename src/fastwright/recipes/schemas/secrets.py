"""Secrets: which names say so, and schemas that go out without them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.models import Schema
from fastwright.app.symbols import Class
from fastwright.edit.builders import delete_member, insert_before, replace
from fastwright.edit.fix import Edit
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.recipes.recipe import Planned, Proposal, Stopped, Target
from fastwright.recipes.shared.from_rules import hits_of
from fastwright.rules.evidence import name_place
from fastwright.rules.schema._dumps import body_schemas

_SECRET = re.compile(
    r"(^|_)(password|passwd|passphrase|secret|token|salt|private_key|api_key|otp|cvv|ssn)"
    r"(_hash|_hashed|_digest|_salt)?$|^hashed_|_hash$|^hash$"
)
_NO_SECRET = re.compile(r"(commit|content|file|image|blur|git|body|etag)_hash$")


def is_secret(name: str) -> bool:
    """Whether the name of a field or column says that its value is for nobody else."""
    name = name.lower()
    return bool(_SECRET.search(name)) and not _NO_SECRET.search(name)


def without_secrets(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each schema that goes out with a secret of its own or of its base."""
    shown = {
        (each.place.file, each.place.line)
        for hit in hits_of(app, "secret-in-response")
        for each in hit.evidence
    }
    for schema in app.schemas:
        cls, place = schema.cls, name_place(schema.cls)
        if (place.file, place.line) not in shown or app.models.table(cls) is not None:
            continue
        if not target.holds(place.file, cls.qualname) or not _secrets(schema):
            continue
        where = f"{place.file}:{place.line}"
        made = _without(app, schema)
        if isinstance(made, str):
            yield Stopped(where, f"{cls.name} goes out with {_secrets(schema)[0]}: {made}")
        else:
            title = f"{cls.name} goes out without {', '.join(_secrets(schema))}"
            yield Proposal(title, tuple(made), places=(where,))


def _secrets(schema: Schema) -> list[str]:
    return [name for name, field in schema.fields.items() if is_secret(name) and not field.excluded]


def _without(app: App, schema: Schema) -> list[Edit] | str:
    cls, module = schema.cls, schema.cls.module
    if any(cls in app.linker.mro(each) and each is not cls for each in app.model_classes):
        return "other schemas are derived from it"
    if _is_made(app, cls):
        return "it is also made or taken in by the application"
    edits: list[Edit] = []
    for name in _secrets(schema):
        field = schema.fields[name]
        if field.owner is cls:
            edits += delete_member(module, cls.node.body, field.node)
    others = {id(f.owner.node): f.owner for n, f in schema.fields.items() if n in _secrets(schema)}
    for owner in others.values():
        if owner is not cls:
            made = _beside(app, schema, owner)
            if isinstance(made, str):
                return made
            edits += made
    return edits


def _beside(app: App, schema: Schema, base: Class) -> list[Edit] | str:
    """Return the edits that derive a schema from what its base is derived from, with the rest of its fields."""
    cls, module = schema.cls, schema.cls.module
    written = next(
        (
            node
            for node, (found, _) in zip(cls.node.bases, _bases(app, cls), strict=True)
            if found is base
        ),
        None,
    )
    fields = [node for node in base.node.body if isinstance(node, s.AnnAssign)]
    is_plain = len(fields) == len(_members(base))
    if written is None or base.module is not module or not is_plain:
        return f"{base.name}, from which it has that, is more than fields beside it"
    if not base.node.bases or base.node.keywords:
        return f"{base.name}, from which it has that, is more than fields beside it"
    above = ", ".join(text(module, node) for node in base.node.bases)
    kept = [
        text(module, node)
        for node in fields
        if not is_secret(s.dotted(node.target) or "")
        and s.dotted(node.target) not in cls.own_attributes
    ]
    edits = [replace(module, written, above)]
    body = _members(cls)
    if not body or not kept:
        return "nothing would be left of it" if not body else edits
    lines = "\n".join(kept)
    if isinstance(body[0], s.Flow):  # pass
        edits.append(replace(module, body[0], lines))
    else:
        edits.append(insert_before(module, body[0], lines + "\n"))
    return edits


def _members(cls: Class) -> list[s.Stmt]:
    """Return what stands in a class but for its docstring."""
    return cls.node.body[1:] if cls.node.doc is not None else cls.node.body


def _bases(app: App, cls: Class) -> list[tuple[object, s.Expr]]:
    return [(found, node) for found, node in app.linker.bases(cls)]


def _is_made(app: App, cls: Class) -> bool:
    """Whether code of the application names a schema other than as what a route answers with."""
    taken_in = {id(body.node) for route in app.routes for _, _, body in body_schemas(app, route)}
    answers = {
        id(n) for route in app.routes if route.response.node for n in s.walk(route.response.node)
    }
    for module in app.sources:
        if cls.name.encode() not in module.source:
            continue
        nested = {
            id(node)
            for each in app.classes([module])
            if app.models.schema(each) is not None and id(each.node) not in taken_in
            for attribute in each.own_attributes.values()
            for node in s.walk(attribute)
        }
        for node in module.walk():
            if (
                isinstance(node, s.Name)
                and node.id == cls.name
                and id(node) not in answers | nested
            ):
                return True
    return False
