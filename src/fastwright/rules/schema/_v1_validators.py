"""Validators of Pydantic 1 written as those of version 2, where they mean the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.edit import source as at
from fastwright.edit.builders import add_argument, insert, insert_before, replace
from fastwright.edit.fix import Edit, Fix, Import
from fastwright.edit.names import Brought, bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.schema._v1_items import of_items
from fastwright.rules.schema._v1_values import (
    changes,
    is_only_handed_back,
    of_instance,
    of_validation,
)

_OF_FIELD = frozenset({"pre", "always", "each_item", "allow_reuse", "check_fields"})
_OF_MODEL = frozenset({"pre", "skip_on_failure", "allow_reuse"})
_MORE = frozenset({"values", "field", "config"})
"""What a validator of version 1 can ask for beside the value, by name."""


class Told(NamedTuple):
    """What a decorator says: its fields, and its arguments that are True."""

    fields: tuple[str, ...]
    true: frozenset[str]


class _Parts(NamedTuple):
    edits: list[Edit]
    imports: tuple[Import, ...]


def translated(app: App, cls: Class, decorator: s.Expr, name: str) -> Fix | str:
    """Return the fix for one use of ``validator`` or ``root_validator``, or why there is none."""
    old = name.rpartition(".")[2]
    known = _OF_FIELD if old == "validator" else _OF_MODEL
    told = _told(decorator, known)
    if isinstance(told, str):
        return told
    brought = bring(
        cls.module, "pydantic", "field_validator" if old == "validator" else "model_validator"
    )
    if brought is None:
        return "the name of the new decorator is taken"
    reason = _out_of_order(app, cls, told, old)
    if reason is not None:
        return reason
    function = _function(cls, decorator)
    if function is None:
        parts = _reused(app, cls, decorator, told, brought, old)
    elif old == "validator":
        parts = _of_field(app, cls, function, decorator, told, brought)
    else:
        parts = _of_model(app, cls, function, decorator, told, brought)
    if isinstance(parts, str):
        return parts
    needed = () if "each_item" in told.true else brought.imports
    return Fix("safe", tuple(parts.edits), (*needed, *parts.imports))


def _function(cls: Class, decorator: s.Expr) -> s.FunctionDef | None:
    for node in cls.node.body:
        if isinstance(node, s.FunctionDef) and decorator in node.decorators:
            return node
    return None


def _told(decorator: s.Expr, known: frozenset[str]) -> Told | str:
    """Return what a decorator says; a sentence where its arguments are not plain ones."""
    if not isinstance(decorator, s.Call):
        return Told((), frozenset())
    fields = [s.string(argument) for argument in decorator.args]
    given = {keyword.arg: keyword.value for keyword in decorator.keywords}
    strange = next((arg for arg in given if arg not in known), "")
    if strange != "":
        return f"its argument {strange} has no counterpart"
    values = [value for arg, value in given.items() if arg != "check_fields"]
    if None in fields or not all(isinstance(v, s.Constant) and v.kind == "bool" for v in values):
        return "its arguments are not written out"
    true = (arg for arg, value in given.items() if arg and _is_true(value))
    return Told(tuple(field for field in fields if field), frozenset(true))


def _is_true(node: s.Expr | None) -> bool:
    return isinstance(node, s.Constant) and node.value is True


# ----------------------------------------------------------------- of one field


def _of_field(
    app: App,
    cls: Class,
    function: s.FunctionDef,
    decorator: s.Expr,
    told: Told,
    brought: Brought,
) -> _Parts | str:
    if not isinstance(decorator, s.Call) or not told.fields:
        return "it names no field"
    if "each_item" in told.true:
        return _of_items(app, cls, function, told)
    more = _asked_for(app, cls.module, function)
    if isinstance(more, str):
        return more
    always = _always(app, cls, told)
    if isinstance(always, str):
        return always
    errors = _type_errors(cls.module, function)
    if errors is None:
        return "version 2 does not take a TypeError for a failed check"
    edits = [
        _decorated(cls.module, decorator, told, brought),
        *_classmethod(cls.module, function),
        *more.edits,
        *always.edits,
        *errors,
    ]
    return _Parts(edits, (*more.imports, *always.imports))


def _of_items(app: App, cls: Class, function: s.FunctionDef, told: Told) -> _Parts | str:
    """Return the parts of the fix for ``each_item=True``, which need no decorator any more."""
    if (
        "always" in told.true
        or _is_called(app, function.name)
        or _type_errors(cls.module, function)
    ):
        return "each_item, and it is called by its name or raises TypeError"
    if any(cls in app.linker.mro(each) and each is not cls for each in app.model_classes):
        return "each_item, and other models are derived from its class"
    made = of_items(cls, function, told.fields, before="pre" in told.true)
    return made if isinstance(made, str) else _Parts(made[0], tuple(made[1]))


def _decorated(module: Module, decorator: s.Expr, told: Told, brought: Brought) -> Edit:
    """Return the edit that writes the decorator of version 2."""
    call = decorator if isinstance(decorator, s.Call) else None
    arguments = [at.text(module, argument) for argument in call.args] if call else []
    quote = at.quote(module.source)
    arguments += [f"mode={quote}before{quote}"] if "pre" in told.true else []
    kept = [k for k in call.keywords if k.arg == "check_fields"] if call else []
    arguments += [at.text(module, keyword) for keyword in kept]
    return replace(module, decorator, f"{brought.name}({', '.join(arguments)})")


def _classmethod(module: Module, function: s.FunctionDef) -> list[Edit]:
    if any(s.last_name(other) == "classmethod" for other in function.decorators):
        return []
    line = at.indentation(module.source, function.start)
    return [insert(module, function.start, f"@classmethod{at.newline(module.source)}{line}")]


def _asked_for(app: App, module: Module, function: s.FunctionDef) -> _Parts | str:
    """Return the edits by which ``values`` and ``field`` are taken from ``info``."""
    params = function.params
    if [p.kind for p in params[:2]] != ["plain", "plain"]:
        return "its parameters are not the class and the value"
    rest = params[2:]
    if not rest:
        return _Parts([], ())
    if any(p.name not in _MORE and p.kind != "kwargs" for p in rest):
        return "its parameters are not those of a validator"
    if _is_called(app, function.name):
        return "it is also called by its name, with the arguments that it has now"
    taken = {node.id for node in s.walk(*function.body) if isinstance(node, s.Name)}
    info = "info" if "info" not in taken else "validation_info"
    uses = of_validation(module, function, [p.name for p in rest], info)
    if isinstance(uses, str):
        return uses
    brought = bring(module, "pydantic", "ValidationInfo")
    if info in taken or brought is None:
        return "the names that it would need are taken"
    start, end = params[1].end, rest[-1].end
    between = module.source[start : rest[0].start]
    if b"#" in module.source[start:end]:
        return "a comment stands between its parameters"
    if not uses:
        return _Parts([Edit(module.path, start, end, "")], ())
    comma = between.decode() if between.strip() == b"," else ", "
    written = f"{comma}{info}: {brought.name}"
    return _Parts([Edit(module.path, start, end, written), *uses], brought.imports)


def _is_called(app: App, name: str) -> bool:
    """Whether a validator is called as well: on a class, ``self``, ``cls`` or ``super()``."""
    return any(
        isinstance(node, s.Attribute) and node.attr == name and _may_be_model(node.value)
        for module in app.modules.values()
        if name.encode() in module.source
        for node in module.walk()
    )


def _may_be_model(node: s.Expr) -> bool:
    name = s.last_name(node) or ""
    return name in {"cls", "self", "super"} or name[:1].isupper()


def _always(app: App, cls: Class, told: Told) -> _Parts | str:
    """Return the edits by which the defaults of the fields are validated as well."""
    edits: list[Edit] = []
    imports: tuple[Import, ...] = ()
    for name in told.fields if "always" in told.true else ():
        node = cls.own_attributes.get(name)
        if not isinstance(node, s.AnnAssign):
            return f"always=True, and the field {name} is not declared in this class"
        if "sqlmodel.SQLModel" in app.linker.ancestors(cls):
            return "always=True, which a field of SQLModel cannot say"
        value, module = node.value, cls.module
        if value is None or _is_ellipsis(value):
            continue
        if (
            isinstance(value, s.Call)
            and app.linker.external(value.func, module) == "pydantic.Field"
        ):
            default = value.argument(0, "default")
            factory = value.keyword("default_factory")
            has_default = factory is not None or (default is not None and not _is_ellipsis(default))
            if has_default and value.keyword("validate_default") is None:
                edits.append(add_argument(module, value, "validate_default=True"))
            continue
        brought = bring(module, "pydantic", "Field")
        if brought is None:
            return "always=True, and Field is the name of something else"
        written = f"{brought.name}({at.text(module, value)}, validate_default=True)"
        edits.append(replace(module, value, written))
        imports = brought.imports
    return _Parts(edits, imports)


def _is_ellipsis(node: s.Expr) -> bool:
    return isinstance(node, s.Constant) and node.kind == "ellipsis"


def _type_errors(module: Module, function: s.FunctionDef) -> list[Edit] | None:
    """Return the edits by which a failed check raises ValueError; None where it may be caught."""
    found: list[Edit] = []
    caught = False
    for node in s.walk(*function.body):
        if isinstance(node, s.Raise) and s.last_name(node.exc) == "TypeError":
            raised = node.exc.func if isinstance(node.exc, s.Call) else node.exc
            if raised is not None:
                found.append(replace(module, raised, "ValueError"))
        elif isinstance(node, s.Try):
            caught = caught or bool(node.handlers)
    return None if found and caught else found


# ------------------------------------------------------------------ of the model


def _of_model(
    app: App,
    cls: Class,
    function: s.FunctionDef,
    decorator: s.Expr,
    told: Told,
    brought: Brought,
) -> _Parts | str:
    module = cls.module
    if [p.kind for p in function.params] != ["plain", "plain"]:
        return "its parameters are not the class and the values"
    errors = _type_errors(module, function)
    if errors is None:
        return "version 2 does not take a TypeError for a failed check"
    if "pre" in told.true:
        if _says(app, cls, {"orm_mode", "from_attributes"}):
            return "version 2 hands it the object itself where the model reads attributes"
        edits = [
            _decorated(module, decorator, told, brought),
            *_classmethod(module, function),
            *_guard(module, function),
            *errors,
        ]
        return _Parts(edits, ())
    inside = of_instance(app, cls, function, may_assign=_may_assign(app, cls))
    if isinstance(inside, str):
        return inside
    quote = at.quote(module.source)
    first, last = function.params
    edits = [
        replace(module, decorator, f"{brought.name}(mode={quote}after{quote})"),
        Edit(module.path, first.start, last.end, "self"),
        *_without_classmethod(module, function),
        *inside,
        *errors,
    ]
    if function.returns is not None:
        later = module.imported.get("annotations") == "__future__.annotations"
        own = cls.qualname if later else f"{quote}{cls.qualname}{quote}"
        edits.append(replace(module, function.returns, own))
    return _Parts(edits, ())


def _guard(module: Module, function: s.FunctionDef) -> list[Edit]:
    """Return the lines that make version 2 hand the body what version 1 did: a dictionary of its own.

    Version 2 hands on what was sent, whatever it is, and the caller's own dictionary.
    """
    values = function.params[1].name
    if is_only_handed_back(function, values):
        return []
    first = function.body[1 if function.doc is not None else 0]
    step = at.step(module)
    lines = [f"if not isinstance({values}, dict):", f"{step}return {values}"]
    if changes(function, values):
        lines.append(f"{values} = dict({values})")
    return [insert_before(module, first, "\n".join(lines))]


def _without_classmethod(module: Module, function: s.FunctionDef) -> Iterator[Edit]:
    for decorator in function.decorators:
        if s.last_name(decorator) == "classmethod":
            start = at.line_start(module.source, decorator.start)
            yield Edit(module.path, start, at.next_line(module.source, decorator.end), "")


def _may_assign(app: App, cls: Class) -> bool:
    """Whether a field can be set when a model is made, and nobody sees that it was.

    Version 2 counts it among the fields that were sent; version 1 did not.
    """
    if _says(app, cls, {"allow_mutation", "frozen", "validate_assignment"}):
        return False
    return not any(
        word in module.source
        for module in app.sources
        for word in (b"exclude_unset", b"fields_set")
    )


def _says(app: App, cls: Class, keys: set[str]) -> bool:
    """Whether the configuration of a model, of one above or of one below it has one of these keys."""
    family = [each for each in app.model_classes if cls in app.linker.mro(each) or each is cls] + [
        each for each in app.linker.mro(cls) if isinstance(each, Class)
    ]
    for each in family:
        config = each.own_classes.get("Config")
        if config is not None and (config.node.bases or keys & set(config.own_attributes)):
            return True
        new = each.own_attributes.get("model_config")
        if new is not None and _has_key(new.value, keys):
            return True
    return False


def _has_key(value: s.Expr | None, keys: set[str]) -> bool:
    if isinstance(value, s.Call) and not value.args:
        return any(keyword.arg is None or keyword.arg in keys for keyword in value.keywords)
    return True


# -------------------------------------------------------------------- both kinds


def _reused(
    app: App, cls: Class, decorator: s.Expr, told: Told, brought: Brought, old: str
) -> _Parts | str:
    """``_strip = validator("name", allow_reuse=True)(strip)``: the function must be known."""
    module = cls.module
    given = next(
        (
            node.args[0]
            for statement in cls.node.body
            if isinstance(statement, s.Assign)
            for node in s.walk(statement.value)
            if isinstance(node, s.Call) and node.func is decorator and len(node.args) == 1
        ),
        None,
    )
    found = app.linker.expression(given, module, cls.outer) if given is not None else None
    if not isinstance(found, Function):
        return "the function that it is given is not known"
    params = found.node.params
    if any(p.kind != "plain" for p in params):
        return f"the parameters of {found.name} are not plain ones"
    if _type_errors(found.module, found.node) != []:
        return "version 2 does not take a TypeError for a failed check"
    names = [p.name for p in params]
    if old == "root_validator":
        values = names[1] if len(names) == 2 else ""
        if "pre" not in told.true or names[:1] != ["cls"] or not values:
            return f"{found.name} is not a function of class and values that runs before"
        if not is_only_handed_back(found.node, values):
            return f"{found.name} would have to ask whether it is given a dictionary"
        return _Parts([_decorated(module, decorator, told, brought)], ())
    if "each_item" in told.true:
        return "each_item has no counterpart: validate the items in the field's annotation"
    if len(names) != 1 and (len(names) != 2 or names[0] != "cls"):
        return f"{found.name} asks for more than the value"
    always = _always(app, cls, told)
    if isinstance(always, str):
        return always
    return _Parts([_decorated(module, decorator, told, brought), *always.edits], always.imports)


def _out_of_order(app: App, cls: Class, told: Told, old: str) -> str | None:
    """Say whether another one runs before as well: version 2 runs them in the opposite order."""
    if "pre" not in told.true:
        return None
    others = [
        other
        for each in app.linker.mro(cls)
        if isinstance(each, Class)
        for other in _before(each, old)
        if old == "root_validator" or "*" in {*told.fields, *other} or {*told.fields} & {*other}
    ]
    return "several run before, which version 2 does in the opposite order" if others[1:] else None


def _before(cls: Class, old: str) -> Iterator[tuple[str, ...]]:
    """Yield the fields of each validator of a class that runs before the fields are read."""
    names = {"validator", "field_validator"} if old == "validator" else {
        "root_validator", "model_validator",
    }  # fmt: skip
    for statement in cls.node.body:
        if isinstance(statement, s.FunctionDef):
            calls: list[s.Node] = list(statement.decorators)
        elif isinstance(statement, s.Assign):
            calls = list(s.walk(statement.value))
        else:
            continue
        for call in calls:
            if isinstance(call, s.Call) and s.last_name(call.func) in names:
                mode = s.string(call.keyword("mode"))
                if _is_true(call.keyword("pre")) or mode == "before":
                    yield tuple(filter(None, map(s.string, call.args)))
