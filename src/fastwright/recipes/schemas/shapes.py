"""Schemas for dictionaries whose keys are written out."""

from __future__ import annotations

import keyword

import msgspec

from fastwright.recipes.schemas.json_types import NONE, Fixed, Many, Plain, Shape, Value, Values

_METHODS = frozenset(
    {"construct", "copy", "dict", "fields", "from_orm", "json", "metadata", "parse_obj", "parse_raw",
     "schema", "schema_json", "validate"}
)  # fmt: skip
"""What models have under that name themselves."""


class Classes(msgspec.Struct, frozen=True):
    """The code of schemas, those first that others name, and what it needs: modules and names."""

    code: str
    needed: tuple[tuple[str, str], ...]


def shape_classes(name: str, words: str, shape: Shape, base: str) -> Classes | str:
    """Return a schema for a dictionary, and those of the dictionaries in it; a sentence where there is none.

    ``words`` is what the names of inner ones begin with, ``base`` what all are derived from.
    """
    code = ""
    lines: list[str] = []
    needed: list[tuple[str, str]] = []
    for field, values in shape.fields:
        if not field.isidentifier() or keyword.iskeyword(field) or field in _METHODS:
            return f"{field} cannot be the name of a field"
        if field.startswith(("_", "model_")):
            return f"{field} cannot be the name of a field"
        inner = f"{words}{''.join(word.capitalize() for word in field.split('_'))}"
        written = annotation(values, inner, base)
        if isinstance(written, str):
            return f"the type of {field} is not known: {written}"
        lines.append(f"    {field}: {written.text}\n")
        code += written.code
        needed += written.needed
    if not lines:
        return "the dictionary is empty"
    return Classes(f"{code}class {name}({base}):\n{''.join(lines)}\n\n", tuple(needed))


class Annotation(msgspec.Struct, frozen=True):
    """A type as it is written, and the schemas and imports that it needs."""

    text: str
    code: str = ""
    needed: tuple[tuple[str, str], ...] = ()


def annotation(values: Values, name: str, base: str) -> Annotation | str:
    """Return what is written for values, a dictionary becoming a schema of that name."""
    something = [value for value in values if value != NONE]
    if len(something) > 1 and any(isinstance(v, Plain) and v.is_decimal for v in something):
        return "a Decimal or something else"
    if len([value for value in something if isinstance(value, (Shape, Fixed))]) > 1:
        return "dictionaries of several forms"
    if not something:
        return "it is always None" if values else "nothing is ever put into it"
    parts = [_one(value, name, base) for value in values]
    found: list[Annotation] = []
    for part in parts:
        if isinstance(part, str):
            return part
        found.append(part)
    text = " | ".join(part.text for part in found)
    code = "".join(part.code for part in found)
    return Annotation(text, code, tuple(need for part in found for need in part.needed))


def _one(value: Value, name: str, base: str) -> Annotation | str:
    match value:
        case Plain():
            return Annotation(value.written, "", (value.needed,) if value.needed else ())
        case Many():
            inner = annotation(value.element, _singular(name), base)
            if isinstance(inner, str):
                return inner
            if value.key is None:
                return Annotation(f"list[{inner.text}]", inner.code, inner.needed)
            if value.key != (Plain("str"),):
                return "a dictionary whose keys are no texts"
            return Annotation(f"dict[str, {inner.text}]", inner.code, inner.needed)
        case Fixed():
            items = [annotation(item, name, base) for item in value.items]
            known = [item for item in items if isinstance(item, Annotation)]
            if len(known) != len(items) or not items:
                return "a tuple of unknown values"
            text = ", ".join(item.text for item in known)
            needed = tuple(need for item in known for need in item.needed)
            return Annotation(f"tuple[{text}]", "".join(item.code for item in known), needed)
        case Shape():
            made = shape_classes(name, name, value, base)
            return made if isinstance(made, str) else Annotation(name, made.code, made.needed)


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
