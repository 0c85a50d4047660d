"""An outside service stands behind a port of the application's own, which `Depends` fills.

A function that sends a mail, asks another server or a payment service (`def send_mail(to: str, subject: str, text: str)`) is the adapter as it
is; the port is what it is called with: `class SendMail(Protocol)` in `ports/mail.py`. Endpoints take it by `Depends`, the services between them and the
mail as a parameter of the same name, so that not one call changes. A test, or another provider, gives another function.

Left alone, with the line: functions without types, users that are methods, that are named outside of requests, or of which tests patch the function by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename, dirname, join

from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.edit.builders import add_argument, insert, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, is_taken, module_level_imports
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes._ports import keeper_of, packages
from fastwright.recipes._takers import Unported, callers, refuse_other_references
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target

_OUTSIDE = ("smtplib.", "aiosmtplib.", "requests.", "httpx.", "aiohttp.", "urllib.request.", "boto3.",
            "stripe.", "twilio.", "sendgrid.", "fastapi_mail.", "aioboto3.")  # fmt: skip
_LAYERS = frozenset({"dependencies.py", "deps.py"})
_FOLDERS = frozenset(
    {"services", "service", "clients", "adapters", "integrations", "utils", "core"}
)


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each function that asks an outside service."""
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    for step in app.reached:
        function = step.function
        if not target.takes(function) or function.module.kind != "source":
            continue
        if id(function.node) in endpoints or not _is_outside(app, function):
            continue
        try:
            proposal = _proposal(app, function)
        except Unported as stop:
            yield Stopped(stop.place, f"{function.name}: {stop.reason}")
        else:
            if proposal is not None:
                yield proposal


def _is_outside(app: App, function: Function) -> bool:
    """Whether a plain function asks an outside service itself."""
    if function.owner is not None or function.outer is not None or function.node.decorators:
        return False
    if function.node.is_generator or basename(function.module.path) in _LAYERS:
        return False
    return any((site.external or "").startswith(_OUTSIDE) for site in app.calls.sites(function))


def _proposal(app: App, function: Function) -> Proposal | None:
    takers = _takers(app, function)
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    if not takers or not any(key in endpoints for key in takers):
        return None
    _refuse_patches(app, function)
    module = function.module
    folder = dirname(module.path)
    root = dirname(folder) if basename(folder) in _FOLDERS else folder
    port_path = join(root, "ports", basename(module.path))
    if port_path in app.modules:
        raise Unported(module, function.node, f"{port_path} is there already")
    port = "".join(word.capitalize() for word in function.name.strip("_").split("_"))
    keeper = keeper_of(app, module)
    if keeper is None:
        raise Unported(module, function.node, "there is no module for dependencies")
    port_module, alias = app.index.name(port_path), f"{port}Dep"
    edits, imports = _provider(keeper, function, port_module, port, alias)
    for key, taker in takers.items():
        if taker.module is keeper:
            raise Unported(keeper, taker.node, "is used where dependencies are made")
        kind = (keeper.name, alias) if key in endpoints else (port_module, port)
        found = _taken(app, taker, function, kind, takers)
        edits += found[0]
        imports += found[1]
    code, wanted = _port(app, function, port)
    imports += [Import(port_path, origin, name) for origin, name in wanted]
    new = {port_path: code, **packages(app, port_path)}
    place = f"{module.path}:{module.line(function.node)}"
    title = f"{function.name} of {module.path} stands behind the port {port}"
    return Proposal(title, tuple(dict.fromkeys(edits)), tuple(imports), new, places=(place,))


def _takers(app: App, function: Function) -> dict[int, Function]:
    """Return the functions between the endpoints and the outside service, endpoints included, by their nodes."""
    found: dict[int, Function] = {}
    known = callers(app)
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    waiting = [site.caller for site in known.get(id(function.node), [])]
    while waiting:
        caller = waiting.pop()
        if id(caller.node) in found:
            continue
        found[id(caller.node)] = caller
        if id(caller.node) not in endpoints:
            refuse_other_references(app, caller)
            waiting += [site.caller for site in known.get(id(caller.node), [])]
        elif caller.owner is not None:
            raise Unported(caller.module, caller.node, f"{caller.qualname} is a method")
    return found


def _refuse_patches(app: App, function: Function) -> None:
    for module in app.tests:
        for node in module.walk():
            value = s.string(node)
            if value is not None and (
                value == function.name or value.endswith(f".{function.name}")
            ):
                raise Unported(module, node, "a test patches it by its name")


def _taken(
    app: App,
    taker: Function,
    function: Function,
    kind: tuple[str, str],
    takers: dict[int, Function],
) -> tuple[list[Edit], list[Import]]:
    """Return the edits of a function that is given the outside service."""
    module, node, name = taker.module, taker.node, function.name
    if any(parameter.name == name for parameter in node.params):
        raise Unported(module, node, f"has a parameter {name}")
    brought = bring(module, *kind)
    if brought is None:
        raise Unported(module, node, f"{kind[1]} means something else here")
    edits = [_parameter(module, node, f"{name}: {brought.name}")]
    for inner in s.walk(*node.body):
        if isinstance(inner, s.Attribute):
            symbol = app.linker.expression(inner, module, taker)
            if isinstance(symbol, Function) and symbol.node is function.node:
                edits.append(replace(module, inner, name))
    edits += [
        add_argument(module, site.node, f"{name}={name}")
        for site in app.calls.sites(taker)
        if any(id(target.node) in takers for target in site.targets)
    ]
    return edits, list(brought.imports)


def _parameter(module: Module, node: s.FunctionDef, written: str) -> Edit:
    """Return the edit that adds a parameter without default: before the first that has one."""
    if any(parameter.kind not in {"plain", "keyword"} for parameter in node.params):
        raise Unported(module, node, "takes arguments that are not named")
    for parameter in node.params:
        if parameter.default is not None or parameter.kind == "keyword":
            return insert(module, parameter.start, f"{written}, ")
    if node.params:
        return insert(module, node.params[-1].end, f", {written}")
    return insert(module, module.source.index(b"(", node.name_start) + 1, written)


def _provider(
    keeper: Module, function: Function, port_module: str, port: str, alias: str
) -> tuple[list[Edit], list[Import]]:
    provider = f"get_{function.name.strip('_')}"
    for name in (provider, alias, port):
        if is_taken(keeper, name):
            raise Unported(keeper, keeper.facts.body[0], f"{name} means something else here")
    imports: list[Import] = []
    written = []
    for origin, name in (
        (port_module, port),
        (function.module.name, function.name),
        ("typing", "Annotated"),
        ("fastapi", "Depends"),
    ):
        brought = bring(keeper, origin, name)
        if brought is None:
            raise Unported(keeper, keeper.facts.body[0], f"{name} means something else here")
        imports += brought.imports
        written.append(brought.name)
    code = (
        f"\n\ndef {provider}() -> {written[0]}:\n    return {written[1]}\n\n\n"
        f"{alias} = {written[2]}[{written[0]}, {written[3]}({provider})]\n"
    )
    end = len(keeper.source)
    return [
        Edit(keeper.path, end, end, code if keeper.source.endswith(b"\n") else f"\n{code}")
    ], imports


def _port(app: App, function: Function, port: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the code of the protocol, and what it needs."""
    module, node = function.module, function.node
    annotations = [parameter.annotation for parameter in node.params] + [node.returns]
    wanted = [("typing", "Protocol")]
    bound = module_level_imports(module)
    for annotation in annotations:
        if annotation is None:
            raise Unported(module, node, "its parameters or its answer have no types")
        for inner in s.walk(annotation):
            if not isinstance(inner, s.Name):
                continue
            if inner.id in bound:
                origin, _, last = bound[inner.id].rpartition(".")
                if last != inner.id or not origin:
                    raise Unported(
                        module, inner, f"{inner.id} is imported in a way that is not copied"
                    )
                wanted.append((origin, last))
            elif inner.id in app.linker.scope(module).names:
                raise Unported(module, inner, f"{inner.id} is defined beside it")
    if any(
        parameter.default is not None and not isinstance(parameter.default, s.Constant)
        for parameter in node.params
    ):
        raise Unported(module, node, "a default is no plain value")
    given = ", ".join(text(module, parameter) for parameter in node.params)
    returned = text(module, node.returns) if node.returns is not None else "None"
    doc = re.sub(r"\s+", " ", (node.doc or "").strip()).partition(". ")[0].rstrip(".")
    doc = doc or f"What `{function.name}` does for the application"
    head = "async def" if function.is_async else "def"
    return (
        f'"""What the application asks of the outside."""\n\n\nclass {port}(Protocol):\n'
        f'    """{doc}."""\n\n    {head} __call__(self, {given}) -> {returned}: ...\n'
    ), list(dict.fromkeys(wanted))


RECIPE = Recipe(
    summary="outside services behind ports",
    why="Business code that names the mail server can only be tested, or moved, with it.",
    plan=plan,
    references=(
        "https://alistair.cockburn.us/hexagonal-architecture/",
        "https://mypy.readthedocs.io/en/stable/protocols.html#callback-protocols",
    ),
)
CASES = (
    Case(
        "The mail of a shop stands behind a port that Depends fills.",
        {
            "shop/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/dependencies.py": """\
def get_lang() -> str:
    return "en"
""",
            "shop/services/mail.py": """\
import smtplib


def send_mail(to: str, subject: str) -> None:
    \"\"\"Send one mail, and wait for the server.\"\"\"
    with smtplib.SMTP("localhost") as server:
        server.sendmail("shop", to, subject)
""",
            "shop/services/orders.py": """\
from shop.services import mail


def place(email: str) -> None:
    mail.send_mail(email, "Thank you")
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.services import orders
from shop.services.mail import send_mail

app = FastAPI()


@app.post("/orders")
def order(email: str) -> dict[str, str]:
    orders.place(email)
    return {"status": "placed"}


@app.post("/invite")
def invite(email: str) -> None:
    send_mail(email, "Come!")
""",
        },
        {
            "shop/dependencies.py": """\
from typing import Annotated

from fastapi import Depends

from shop.ports.mail import SendMail
from shop.services.mail import send_mail


def get_lang() -> str:
    return "en"


def get_send_mail() -> SendMail:
    return send_mail


SendMailDep = Annotated[SendMail, Depends(get_send_mail)]
""",
            "shop/services/orders.py": """\
from shop.ports.mail import SendMail


def place(email: str, send_mail: SendMail) -> None:
    send_mail(email, "Thank you")
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.dependencies import SendMailDep
from shop.services import orders

app = FastAPI()


@app.post("/orders")
def order(email: str, send_mail: SendMailDep) -> dict[str, str]:
    orders.place(email, send_mail=send_mail)
    return {"status": "placed"}


@app.post("/invite")
def invite(email: str, send_mail: SendMailDep) -> None:
    send_mail(email, "Come!")
""",
            "shop/ports/mail.py": """\
\"\"\"What the application asks of the outside.\"\"\"

from typing import Protocol


class SendMail(Protocol):
    \"\"\"Send one mail, and wait for the server.\"\"\"

    def __call__(self, to: str, subject: str) -> None: ...
""",
            "shop/ports/__init__.py": "",
        },
        target=Target(style="clean"),
    ),
    Case(
        "A function without types has no port.",
        {
            "shop/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/dependencies.py": """\
def get_lang() -> str:
    return "en"
""",
            "shop/services/mail.py": """\
import smtplib


def send_mail(to, subject) -> None:
    \"\"\"Send one mail, and wait for the server.\"\"\"
    with smtplib.SMTP("localhost") as server:
        server.sendmail("shop", to, subject)
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.services.mail import send_mail

app = FastAPI()


@app.post("/orders")
def order(email: str) -> dict[str, str]:
    return {"status": "placed"}


@app.post("/invite")
def invite(email: str) -> None:
    send_mail(email, "Come!")
""",
        },
        stopped=("shop/services/mail.py:4",),
        target=Target(style="clean"),
    ),
    Case(
        "A function that a test patches by its name keeps its name.",
        {
            "shop/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/dependencies.py": """\
def get_lang() -> str:
    return "en"
""",
            "shop/services/mail.py": """\
import smtplib


def send_mail(to: str, subject: str) -> None:
    \"\"\"Send one mail, and wait for the server.\"\"\"
    with smtplib.SMTP("localhost") as server:
        server.sendmail("shop", to, subject)
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.services.mail import send_mail

app = FastAPI()


@app.post("/orders")
def order(email: str) -> dict[str, str]:
    return {"status": "placed"}


@app.post("/invite")
def invite(email: str) -> None:
    send_mail(email, "Come!")
""",
            "tests/test_mail.py": """\
def test_mail(monkeypatch) -> None:
    monkeypatch.setattr("shop.main.send_mail", lambda to, subject: None)
""",
        },
        stopped=("tests/test_mail.py:2",),
        target=Target(style="clean"),
    ),
    Case(
        "A user that is called otherwise than by requests cannot be given the port.",
        {
            "shop/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/dependencies.py": """\
def get_lang() -> str:
    return "en"
""",
            "shop/services/mail.py": """\
import smtplib


def send_mail(to: str, subject: str) -> None:
    \"\"\"Send one mail, and wait for the server.\"\"\"
    with smtplib.SMTP("localhost") as server:
        server.sendmail("shop", to, subject)
""",
            "shop/services/orders.py": """\
from shop.services import mail


def place(email: str) -> None:
    mail.send_mail(email, "Thank you")
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.services import orders
from shop.services.mail import send_mail

app = FastAPI()


@app.post("/orders")
def order(email: str) -> dict[str, str]:
    orders.place(email)
    return {"status": "placed"}


@app.post("/invite")
def invite(email: str) -> None:
    send_mail(email, "Come!")
""",
            "shop/nightly.py": """\
from shop.services.orders import place

JOBS = [place]
""",
        },
        stopped=("shop/nightly.py:3",),
        target=Target(style="clean"),
    ),
)
