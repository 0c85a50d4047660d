"""One statement for all rows, not one statement for each row.

A query in a loop over rows, or over items of the request, costs a round trip to the database for
each of them: a page of a hundred orders asks a hundred and one times. The query is often some
functions away from the loop, where nobody sees both.

Reported is the call in the loop, when a read or a changing statement is executed there or in what
it calls, and that statement depends on the loop's variable. Left alone are loops that something
bounds (literals, constants, enums, ranges, chunks, pages), searches for the first item that fits,
lookups that are remembered (`if key not in cache`), what is cached, loops for one dialect where the
function asks the others once for all, calls whose failure the loop catches for each item, which are units of their
own, and `session.add`, which asks nothing. Where it is not known what a call runs, more than five calls below the
endpoint, and in background tasks, for which nobody waits, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from fastwright.app import orm
from fastwright.app.calls import CallSite, Execution
from fastwright.app.model import App
from fastwright.app.on_loop import Loop, served
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import Literal
from fastwright.read import syntax as s
from fastwright.rules.data._loops import (
    Chain,
    Leading,
    Memory,
    PerItem,
    depends,
    of_loop,
    of_request,
    per_item,
    request_label,
    written,
)
from fastwright.rules.evidence import call_name, evidence, of_calls, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_FAR = 5
"""Calls between a request and a loop: of what is further away, half did not hold when it was read."""
_MORE = 8
"""Further statements of a loop that are named."""
_STATEMENTS = ("select", "insert", "update", "delete", "with")
_OUTSIDE = re.compile(r"_*(upload|download|send|transcribe|embed)(_|$)")
_GROUPING = frozenset({"items", "values", "groupby"})


def check(app: App) -> Iterator[Hit]:
    """Report each call that asks the database once for each item of a loop."""
    running = served(app)
    memory: Memory = {}
    leads = _Leads(app)
    for step in running.reached:
        if len(step.chain) > _FAR or running.entry(step.root).kind == "task":
            continue  # nobody waits for a task
        found_in: dict[int, list[_Found]] = {}
        further: list[_Found] = []
        own = {id(e.site.node): e for e in app.calls.executions(step.function) if asks(app, e)}
        for site in app.calls.sites(step.function):
            if not site.around.loops or not (site.targets or id(site.node) in own):
                continue
            if _is_handed_over(app, site) or _is_for_dialect(app, site) or _is_kept_open(app, site):
                continue
            repeated = per_item(app, site, memory)
            if repeated is None:
                continue
            execution = own.get(id(site.node))
            if execution is not None and not depends(execution, set(repeated.names)):
                continue
            found = ((), execution) if execution is not None else leads.first(site, repeated)
            if found is None:
                if (change := leads.change(site, repeated)) is not None:
                    further.append(_Found(site, repeated, *change))
                continue
            if _is_for_groups(repeated, found[1]) or _handles_groups(app, site, repeated):
                continue
            if _fails_alone(site, repeated) or _is_for_more(app, site, repeated, found[0]):
                continue
            hits = found_in.setdefault(id(repeated.loop), [])
            hits.append(_Found(site, repeated, *found))
        for hits in found_in.values():
            others = [each for each in further if each.repeated.loop is hits[0].repeated.loop]
            others = sorted([*hits[1:], *others], key=lambda each: each.site.node.start)
            yield _hit(app, running, step.function, hits[0], others)


def _is_for_more(app: App, site: CallSite, repeated: PerItem, chain: Chain) -> bool:
    """``for file in files: upload(file)``: beside what leaves the machine, the query is the least."""
    loop = repeated.loop
    here = (
        (inner, loop.start)
        for inner in app.calls.sites(site.caller)
        if loop.start <= inner.node.start < loop.end
    )
    below = (
        (inner, 0)
        for step in (site, *chain)
        for target in step.targets[:1]
        for inner in app.calls.sites(target)
    )
    return any(
        _OUTSIDE.match(s.last_name(inner.node.func) or "")
        and not any(branch.start > start for branch in inner.around.branches)
        for inner, start in (*here, *below)
    )


def _fails_alone(site: CallSite, repeated: PerItem) -> bool:
    """``for item in items: try: work(item) except ...``: what each turn does is a unit of its own."""
    return any(
        each.start > repeated.loop.start
        and any(not isinstance(h.body[-1], (s.Raise, s.Return)) for h in each.handlers if h.body)
        for each in site.around.tries
    )


class _Leads:
    """What calls lead to, as far as it counts here."""

    def __init__(self, app: App) -> None:
        self._asking = Leading(app, lambda execution: asks(app, execution))
        self._reading = Leading(app, lambda e: e.kind == "read" and asks(app, e))
        self._changing = Leading(app, lambda e: asks(app, e) or _is_sent(app, e))

    def first(self, site: CallSite, repeated: PerItem) -> tuple[Chain, Execution] | None:
        """Return the statement that a call leads to: a change far away only with what is read there.

        A change further away is a step of its own, not to be joined with others.
        """
        found = self._asking.from_site(site, repeated.names)
        if found is not None and found[0] and found[1].kind == "write":
            return self._reading.from_site(site, repeated.names)
        return found

    def change(self, site: CallSite, repeated: PerItem) -> tuple[Chain, Execution] | None:
        """Return the change that a call leads to: worth a word where the loop asks anyway."""
        return self._changing.from_site(site, repeated.names)


def _is_sent(app: App, execution: Execution) -> bool:
    """``session.add(row)`` that the same function flushes or commits."""
    return execution.kind == "write" and any(
        other.kind == "commit" for other in app.calls.executions(execution.site.caller)
    )


class _Found(NamedTuple):
    """A call in a loop, and how it leads to a statement."""

    site: CallSite
    repeated: PerItem
    chain: Chain
    execution: Execution


def _is_kept_open(app: App, site: CallSite) -> bool:
    """``stack.enter_async_context(lock(item))``: all of them stay open together, each for itself."""
    return any(
        other.method in _ENTERING and any(argument is site.node for argument in other.node.args)
        for other in app.calls.sites(site.caller)
    )


_ENTERING = frozenset({"enter_context", "enter_async_context"})


def _is_handed_over(app: App, site: CallSite) -> bool:
    """``create_task(work(item))``: what runs in a task is no step of the loop."""
    names = {
        target.id
        for node, _ in app.calls.of_kind(site.caller, s.Assign)
        if node.value is site.node
        for target in node.targets
        if isinstance(target, s.Name)
    }
    return any(
        s.last_name(call.func) in {"create_task", "ensure_future", "add_task"}
        and any(a is site.node or (isinstance(a, s.Name) and a.id in names) for a in call.args)
        for call, _ in app.calls.of_kind(site.caller, s.Call)
    )


def _is_for_dialect(app: App, site: CallSite) -> bool:
    """``if dialect.name == "sqlite": for ...``, where other databases are asked once for all."""
    outer = site.around.loops[0]
    chosen = any(
        branch.start <= outer.start < branch.end
        and any(isinstance(n, (s.Name, s.Attribute)) and s.last_name(n) == "dialect"
                for n in s.walk(branch.test))
        for branch in site.around.branches
    )  # fmt: skip
    return chosen and any(
        not execution.site.around.loops and execution.kind != "commit"
        for execution in app.calls.executions(site.caller)
    )


def _is_for_groups(repeated: PerItem, execution: Execution) -> bool:
    """``for table, ids in groups.items(): ... Table.id.in_(ids)``: a statement for each group."""
    source = repeated.source
    if not isinstance(source, s.Call) or s.last_name(source.func) not in _GROUPING:
        return False
    filters = execution.query.filters if execution.query is not None else ()
    return any(
        isinstance(node, s.Call)
        and s.last_name(node.func) == "in_"
        and node.args
        and isinstance(node.args[0], s.Name)
        for node in s.walk(*filters)
    )


def _handles_groups(app: App, site: CallSite, repeated: PerItem) -> bool:
    """``for owner, ids in by_owner.items(): sync(owner, ids)``: what was grouped is done by groups."""
    source = repeated.source
    if not isinstance(source, s.Call) or not isinstance(source.func, s.Attribute):
        return False
    given = {node.id for node in s.walk(site.node) if isinstance(node, s.Name)}
    target = repeated.loop.target if isinstance(repeated.loop, s.For) else None
    if source.func.attr == "items":
        target = target.elts[-1] if isinstance(target, s.Tuple) and target.elts else None
    elif source.func.attr != "values":
        return False
    return (
        isinstance(target, s.Name)
        and target.id in given
        and _is_grouped(app, site.caller, s.dotted(source.func.value))
    )


def _is_grouped(app: App, function: Function, name: str | None) -> bool:
    """``groups.setdefault(key, []).append(item)``, or ``groups[key].append(item)``."""
    for node, _ in app.calls.of_kind(function, s.Call):
        if not isinstance(node.func, s.Attribute) or node.func.attr not in {"append", "add"}:
            continue
        group = node.func.value
        if isinstance(group, s.Call) and isinstance(group.func, s.Attribute):
            if group.func.attr == "setdefault" and s.dotted(group.func.value) == name:
                return True
        if isinstance(group, s.Subscript) and s.dotted(group.value) == name:
            return True
    return False


def _hit(
    app: App,
    running: Loop,
    function: Function,
    found: _Found,
    others: list[_Found],
) -> Hit:
    """Report the first statement of a loop; the further ones are named with it."""
    site, repeated, chain, execution = found
    last = execution.site
    known = execution.table is not None and app.models.table(execution.table) is not None
    table = f" on {execution.table.name}" if known and execution.table is not None else ""
    through = f" (through {site.targets[0].qualname})" if site.targets else ""
    message = (
        f"{_verb(execution)}{table} runs once for each {repeated.each} {written(site, repeated.source)}"
        f"{through}{request_label(running, function)}"
    )
    calls = of_calls((site, *chain)) if execution.site is not site else ()
    proof = (
        *of_request(running, function),
        of_loop(site, repeated),
        *calls,
        evidence(last.module, last.node, call_name(last)),
        *(
            evidence(o.site.module, o.site.node, f"also {call_name(o.site)}")
            for o in others[:_MORE]
        ),
    )
    return Hit(place(site.module, site.node), message, proof)


def _verb(execution: Execution) -> str:
    if execution.query is not None and execution.query.kind in {"insert", "update", "delete"}:
        article = "a" if execution.query.kind == "delete" else "an"
        return f"{article} {execution.query.kind.upper()}"
    return "a query" if execution.kind == "read" else "a statement"


def asks(app: App, execution: Execution) -> bool:
    """Whether an execution sends a statement of its own."""
    site = execution.site
    if site.method == "executemany":
        return False
    if execution.session == "raw":
        given = site.node.argument(0, "query")
        found = app.types.of(_head(given), Where(site.module, site.caller))
        text = found.value if isinstance(found, Literal) else ""
        return not text or str(text).strip().lower().startswith(_STATEMENTS)
    if (
        execution.session != "raw"
        and len(site.node.args) > 1
        and site.method in {"execute", "exec"}
    ):
        if not isinstance(site.node.args[1], s.Dict):
            return False  # many rows at once
    if execution.query is not None and execution.query.kind == "text":
        return not any(
            isinstance(node, s.Constant) and "advisory" in str(node.value)
            for node in s.walk(execution.query.node)
        )
    if execution.kind == "read":
        return True
    return execution.kind == "write" and (
        site.method in orm.EXECUTING
        or (
            execution.query is not None
            and (execution.query.legacy or execution.query.node is site.node)
        )
    )


def _head(node: s.Expr | None) -> s.Expr | None:
    return node.values[0] if isinstance(node, s.JoinedStr) and node.values else node


RULE = Rule(
    summary="a query for each item of a loop",
    severity="warning",
    mend="Ask once before the loop (`select(...).where(Table.id.in_(ids))`, a join, or"
    " `selectinload`) and look the rows up in a dictionary; aggregate in the database.",
    profiles=("performance",),
    app=check,
    recipe="eager-load",
    references=("https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html",),
)

_MODELS = """
    from sqlmodel import Field, Session, SQLModel

    class Order(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)

    class Item(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)
        order_id: int = Field(foreign_key="order.id")

    def get_session() -> Session: ...
    """

CASES = (
    Case(
        "the query is two functions below the loop",
        {
            "app/models.py": _MODELS,
            "app/repository.py": """
                from sqlmodel import Session, select
                from app.models import Item, Order

                class Orders:
                    def __init__(self, session: Session):
                        self.session = session

                    def recent(self):
                        return self.session.exec(select(Order).limit(50)).all()

                    def items_of(self, order_id: int):
                        return self.session.exec(select(Item).where(Item.order_id == order_id)).all()
                """,
            "app/main.py": """
                from fastapi import Depends, FastAPI
                from sqlmodel import Session
                from app.models import get_session
                from app.repository import Orders

                app = FastAPI()

                class Service:
                    def __init__(self, session: Session = Depends(get_session)):
                        self.orders = Orders(session)

                    def history(self):
                        return [
                            {"id": order.id, "items": self.orders.items_of(order.id)}  # <-
                            for order in self.orders.recent()
                        ]

                @app.get("/orders")
                def orders(service: Service = Depends(Service)):
                    return service.history()
                """,
        },
    ),
    Case(
        "over the ids of the request",
        {
            "app/models.py": _MODELS,
            "app/main.py": """
                from fastapi import Depends, FastAPI, HTTPException
                from sqlalchemy import update
                from sqlmodel import Session
                from app.models import Order, get_session

                app = FastAPI()

                @app.post("/orders/close")
                def close(ids: list[int], session: Session = Depends(get_session)):
                    for order_id in ids:
                        order = session.get(Order, order_id)  # <-
                        if order is None:
                            raise HTTPException(404)
                    for order_id in ids:
                        session.execute(update(Order).where(Order.id == order_id))  # <-
                    session.commit()
                """,
        },
    ),
    Case(
        "one query before the loop; adding asks nothing",
        {
            "app/models.py": _MODELS,
            "app/main.py": """
                from fastapi import Depends, FastAPI
                from sqlalchemy import insert
                from sqlmodel import Session, select
                from app.models import Item, Order, get_session

                app = FastAPI()

                @app.post("/orders/{order_id}/items")
                def add(order_id: int, names: list[str], session: Session = Depends(get_session)):
                    known = session.exec(select(Item).where(Item.order_id == order_id)).all()
                    for item in known:
                        item.order_id = order_id
                    for name in names:
                        session.add(Item(order_id=order_id))
                    session.commit()

                @app.post("/segments")
                def segments(parts: list[list[dict]], session: Session = Depends(get_session)):
                    for rows in parts:
                        session.execute(insert(Item), rows)
                """,
        },
    ),
    Case(
        "bounded by nature: constants, enums, ranges, chunks, the first hit",
        {
            "app/models.py": _MODELS,
            "app/main.py": """
                from enum import Enum
                from fastapi import Depends, FastAPI
                from sqlmodel import Session, SQLModel, col, func, select
                from app.models import Item, Order, get_session

                app = FastAPI()
                TABLES = (Order, Item)

                class Kind(Enum):
                    new = "new"
                    old = "old"

                def chunks(ids: list[int], size: int): ...

                @app.get("/tables")
                def tables(models: list, session: Session = Depends(get_session)):
                    for model in models:
                        session.exec(select(model).limit(1)).all()
                    for table in SQLModel.metadata.sorted_tables:
                        session.exec(table.select().limit(1)).all()

                @app.get("/stats")
                def stats(ids: list[int], session: Session = Depends(get_session)):
                    for model in TABLES:
                        session.exec(select(func.count()).select_from(model)).one()
                    for kind in Kind:
                        session.exec(select(Order).where(Order.id == kind.value)).all()
                    for day in range(7):
                        session.exec(select(Order).where(Order.id == day)).all()
                    for some in chunks(ids, 500):
                        session.exec(select(Order).where(col(Order.id).in_(some))).all()
                    for start in range(0, len(ids), 500):
                        session.exec(select(Order).where(col(Order.id).in_(ids[start:]))).all()
                    for order_id in ids:
                        order = session.get(Order, order_id)
                        if order is not None:
                            return order
                """,
        },
    ),
    Case(
        "remembered, cached, or the same for every item",
        {
            "app/models.py": _MODELS,
            "app/main.py": """
                from functools import lru_cache
                from fastapi import Depends, FastAPI
                from sqlmodel import Session, select
                from app.models import Order, get_session

                app = FastAPI()

                def currency(session: Session) -> str:
                    return session.exec(select(Order)).first().currency

                def priced(order_id: int, session: Session) -> str:
                    return f"{order_id} {currency(session)}"

                @app.get("/priced")
                def all_priced(ids: list[int], session: Session = Depends(get_session)):
                    return [priced(order_id, session) for order_id in ids]

                @lru_cache
                def order_of(order_id: int):
                    return get_session().get(Order, order_id)

                @app.get("/orders")
                def orders(ids: list[int], session: Session = Depends(get_session)):
                    known = {}
                    for order_id in ids:
                        if order_id not in known:
                            known[order_id] = session.get(Order, order_id)
                    for order_id in ids:
                        order_of(order_id)
                    for attempt in range(3):
                        session.exec(select(Order)).first()
                    return known
                """,
        },
    ),
    case(
        "while there are pages",
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy import select
        from sqlalchemy.orm import Session

        app = FastAPI()

        def get_session() -> Session: ...

        @app.get("/export")
        def export(session: Session = Depends(get_session)):
            offset = 0
            while True:
                rows = session.execute(select().limit(100).offset(offset)).all()
                if not rows:
                    return offset
                offset += 100
        """,
    ),
    case(
        "one statement for each group, one for each kind, and work handed to tasks",
        """
        import asyncio
        from enum import Enum
        from fastapi import Depends, FastAPI
        from sqlmodel import Field, Session, SQLModel, create_engine, select

        app = FastAPI()
        engine = create_engine("sqlite://")

        class Kind(Enum):
            USER = "user"
            GROUP = "group"

        class Flow(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            folder_id: int

        def get_session():
            with Session(engine) as session:
                yield session

        @app.post("/move")
        def move(flows: list[tuple[int, int]], session: Session = Depends(get_session)):
            by_folder: dict[int, list[int]] = {}
            for flow, folder in flows:
                by_folder.setdefault(folder, []).append(flow)
            for folder, ids in by_folder.items():
                session.exec(select(Flow).where(Flow.id.in_(ids), Flow.folder_id == folder)).all()

        @app.post("/kinds")
        def kinds(chosen: dict[Kind, int], session: Session = Depends(get_session)):
            return [session.exec(select(Flow).where(Flow.id == key)).first() for key in chosen.values()]

        async def follow(key: int, session: Session) -> None:
            session.exec(select(Flow).where(Flow.id == key)).first()

        @app.post("/follow")
        async def start(keys: list[int], session: Session = Depends(get_session)):
            for key in keys:
                asyncio.create_task(follow(key, session))
            for key in keys:
                await follow(key, session)  # <-
        """,
    ),
    case(
        "a tree that is walked row by row; pages and retries are no rows",
        """
        from fastapi import Depends, FastAPI
        from sqlmodel import Field, Session, SQLModel, create_engine, select

        app = FastAPI()
        engine = create_engine("sqlite://")

        class Folder(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            parent_id: int | None = None

        def get_session():
            with Session(engine) as session:
                yield session

        @app.get("/subtree/{key}")
        def subtree(key: int, session: Session = Depends(get_session)) -> list[int]:
            found, pending = [], [key]
            while pending:
                parent = pending.pop()
                children = session.exec(select(Folder).where(Folder.parent_id == parent)).all()  # <-
                pending.extend(child.id for child in children)
                found.append(parent)
            return found

        @app.get("/path/{key}")
        def path(key: int, session: Session = Depends(get_session)) -> list[int]:
            names = []
            folder = session.get(Folder, key)
            while folder is not None:
                names.append(folder.id)
                folder = session.get(Folder, folder.parent_id)  # <-
            return names

        @app.get("/all")
        def pages(session: Session = Depends(get_session)) -> int:
            offset, count = 0, 0
            while True:
                page = session.exec(select(Folder).offset(offset).limit(100)).all()
                if not page:
                    return count
                offset, count = offset + 100, count + len(page)
        """,
    ),
    case(
        "lists that are written out by hand, here or in a function",
        """
        from fastapi import Depends, FastAPI
        from sqlmodel import Field, Session, SQLModel, create_engine, select

        app = FastAPI()
        engine = create_engine("sqlite://")

        class Token(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            text: str

        def get_session():
            with Session(engine) as session:
                yield session

        def given(header: str | None, cookie: str | None) -> list[str]:
            found = []
            if header:
                found.append(header)
            if cookie:
                found.append(cookie)
            return found

        def parsed(texts: list[str]) -> tuple[list[str], int]:
            return [text.strip() for text in texts], len(texts)

        @app.post("/logout")
        def logout(header: str, cookie: str, session: Session = Depends(get_session)) -> None:
            for text in given(header, cookie):
                session.exec(select(Token).where(Token.text == text)).first()

        @app.post("/revoke")
        def revoke(texts: list[str], session: Session = Depends(get_session)) -> None:
            wanted, _ = parsed(texts)
            for text in wanted:
                session.exec(select(Token).where(Token.text == text)).first()  # <-
        """,
    ),
    case(
        "a policy that is made for each item; a change far away counts only with what is asked anyway",
        """
        from collections.abc import Awaitable, Callable
        from fastapi import Depends, FastAPI
        from sqlalchemy import insert
        from sqlalchemy.ext.asyncio import AsyncSession
        from sqlmodel import Field, SQLModel, select

        app = FastAPI()

        class Member(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            team_id: int

        class Log(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            text: str

        Action = Callable[[AsyncSession], Awaitable[bool]]

        async def get_session() -> AsyncSession: ...

        def can_read(team_id: int) -> Action:
            async def is_allowed(session: AsyncSession) -> bool:
                found = await session.execute(select(Member).where(Member.team_id == team_id))
                return found.first() is not None
            return is_allowed

        def is_positive(team_id: int) -> Action:
            async def is_allowed(session: AsyncSession) -> bool:
                return team_id > 0
            return is_allowed

        async def authorize(session: AsyncSession, action: Action) -> None:
            if not await is_authorized(session, action):
                raise PermissionError

        async def is_authorized(session: AsyncSession, action: Action) -> bool:
            return await action(session)

        @app.post("/read")
        async def read(teams: list[int], session: AsyncSession = Depends(get_session)) -> None:
            for team in teams:
                await authorize(session, can_read(team))  # <-

        @app.post("/positive")
        async def positive(teams: list[int], session: AsyncSession = Depends(get_session)) -> None:
            for team in teams:
                await authorize(session, is_positive(team))

        async def write(session: AsyncSession, text: str) -> None:
            await session.execute(insert(Log).values(text=text))

        async def log(session: AsyncSession, text: str) -> None:
            await write(session, text)

        async def join(session: AsyncSession, team: int) -> None:
            await log(session, str(team))
            await members(session, team)

        async def members(session: AsyncSession, team: int) -> list[Member]:
            found = await session.execute(select(Member).where(Member.team_id == team))
            return list(found.scalars())

        @app.post("/log")
        async def log_all(texts: list[str], session: AsyncSession = Depends(get_session)) -> None:
            for text in texts:
                await log(session, text)

        @app.post("/join")
        async def join_all(teams: list[int], session: AsyncSession = Depends(get_session)) -> None:
            for team in teams:
                await join(session, team)  # <-

        @app.post("/groups")
        async def by_kind(teams: list[int], session: AsyncSession = Depends(get_session)) -> None:
            groups: dict[bool, list[int]] = {}
            for team in teams:
                groups.setdefault(team > 9, []).append(team)
            for large, some in groups.items():
                await members(session, some)
        """,
    ),
    case(
        "whether any of the rows fits: where none does, all are asked for",
        """
        from fastapi import Depends, FastAPI
        from sqlmodel import Field, Session, SQLModel, create_engine, func, select

        app = FastAPI()
        engine = create_engine("sqlite://")

        class Folder(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            file_id: int

        class Grant(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            folder_id: int

        def get_session():
            with Session(engine) as session:
                yield session

        def is_granted(folder: Folder, session: Session) -> bool:
            found = session.exec(select(Grant).where(Grant.folder_id == folder.id)).first()
            return found is not None

        @app.get("/readable/{file_id}")
        def readable(file_id: int, session: Session = Depends(get_session)) -> bool:
            for folder in session.exec(select(Folder).where(Folder.file_id == file_id)).all():
                if is_granted(folder, session):  # <-
                    return True
            return False

        @app.get("/folder/{file_id}")
        def folder(file_id: int, session: Session = Depends(get_session)) -> Folder | None:
            for folder in session.exec(select(Folder).where(Folder.file_id == file_id)).all():
                if is_granted(folder, session):
                    return folder
            return None

        @app.get("/used")
        def used(tables: list[str], session: Session = Depends(get_session)) -> bool:
            for table in tables:
                if session.query(func.count()).select_from(table).scalar() > 0:
                    return True
            return False
        """,
    ),
    case(
        "jobs, which nobody waits for: handed to a queue, or started by no request",
        """
        import dramatiq
        from celery import Celery
        from fastapi import FastAPI
        from sqlmodel import Field, Session, SQLModel, create_engine

        app = FastAPI()
        queue = Celery("queue")
        engine = create_engine("sqlite://")

        class User(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)

        class Welcome:
            def __call__(self, keys: list[int]) -> None:
                self.run(keys)

            def run(self, keys: list[int]) -> None:
                with Session(engine) as session:
                    for key in keys:
                        session.get(User, key)

        welcome = dramatiq.actor(Welcome())

        @queue.task
        def clean(keys: list[int]) -> None:
            with Session(engine) as session:
                for key in keys:
                    session.get(User, key)

        @queue.task
        def nightly(keys: list[int]) -> None:
            with Session(engine) as session:
                for key in keys:
                    session.get(User, key)

        def send(job, *args) -> None:
            job.send(*args)

        @app.post("/users")
        async def users(keys: list[int]) -> None:
            send(welcome, keys)
            clean.delay(keys)
        """,
    ),
    case(
        "a statement for each group that groupby makes; a loop for the databases that cannot do better",
        """
        from itertools import groupby
        from fastapi import FastAPI
        from sqlalchemy import create_engine, delete, select
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

        app = FastAPI()
        engine = create_engine("sqlite://")

        class Base(DeclarativeBase): ...

        class Run(Base):
            __tablename__ = "runs"
            id: Mapped[int] = mapped_column(primary_key=True)
            flow_id: Mapped[int]

        def latest(session: Session, flow: int) -> list[Run]:
            return list(session.scalars(select(Run).where(Run.flow_id == flow).limit(9)))

        @app.post("/latest")
        def latest_of(flows: list[int]) -> dict[int, list[Run]]:
            found = {}
            with Session(engine) as session:
                if session.get_bind().dialect.name == "sqlite":
                    for flow in flows:
                        found[flow] = latest(session, flow)
                    return found
                for run in session.scalars(select(Run).where(Run.flow_id.in_(flows))):
                    found.setdefault(run.flow_id, []).append(run)
            return found

        @app.post("/one-by-one")
        def one_by_one(flows: list[int]) -> list[list[Run]]:
            with Session(engine) as session:
                if session.get_bind().dialect.name == "sqlite":
                    return [latest(session, flow) for flow in flows]  # <-
                raise NotImplementedError

        @app.post("/clean")
        def clean(runs: list[tuple[int, int]]) -> None:
            with Session(engine) as session:
                for flow, some in groupby(runs, key=lambda run: run[0]):
                    ids = [run[1] for run in some]
                    session.execute(delete(Run).where(Run.flow_id == flow, Run.id.in_(ids)))
        """,
    ),
    case(
        "a lock for each, held together",
        """
        from contextlib import AsyncExitStack, asynccontextmanager
        from fastapi import FastAPI
        from sqlmodel import Field, SQLModel
        from sqlmodel.ext.asyncio.session import AsyncSession

        class Item(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)

        app = FastAPI()

        def make() -> AsyncSession: ...

        @asynccontextmanager
        async def locked(key: int):
            async with make() as session:
                yield await session.get(Item, key, with_for_update=True)

        @app.post("/items")
        async def change(keys: list[int]) -> None:
            async with AsyncExitStack() as stack:
                for key in sorted(keys):
                    await stack.enter_async_context(locked(key))
        """,
    ),
    case(
        "rows that are at hand are handed on: nothing is asked for them",
        """
        from fastapi import FastAPI
        from sqlmodel import Field, Session, SQLModel, col, select

        class Item(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)

        app = FastAPI()

        def load(session: Session, key: int, item: Item | None = None) -> Item | None:
            if item is None:
                item = session.get(Item, key)
            return item

        @app.post("/items")
        def warm(session: Session, keys: list[int]) -> None:
            items = {x.id: x for x in session.exec(select(Item).where(col(Item.id).in_(keys))).all()}
            for key, item in items.items():
                load(session, key, item=item)
        """,
    ),
    case(
        "what a constant rules out on the way; work beside which the query is the least",
        """
        from enum import Enum
        from fastapi import FastAPI
        from sqlmodel import Field, Session, SQLModel

        class Kind(Enum):
            LOG = "log"
            PAGE = "page"

        class Item(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)

        app = FastAPI()

        def upload(item: Item) -> None: ...

        def save(session: Session, key: int, kind: Kind) -> None:
            write(session, key, kind)

        def write(session: Session, key: int, kind: Kind) -> None:
            if kind != Kind.LOG:
                session.get(Item, key)
            session.add(Item(id=key))

        @app.post("/logs")
        def logs(session: Session, keys: list[int]) -> None:
            for key in keys:
                save(session, key, Kind.LOG)

        @app.post("/pages")
        def pages(session: Session, keys: list[int]) -> None:
            for key in keys:
                save(session, key, Kind.PAGE)  # <-

        class Config:
            @classmethod
            def get(cls, key: str, default: list[int]) -> list[int]: ...

        @app.get("/servers")
        def servers(session: Session) -> list[Item | None]:
            return [session.get(Item, key) for key in Config.get("servers", [])]

        @app.post("/uploads")
        def uploads(session: Session, keys: list[int]) -> None:
            for key in keys:
                upload(session.get(Item, key))

        @app.post("/some")
        def some(session: Session, keys: list[int]) -> None:
            for key in keys:
                item = session.get(Item, key)  # <-
                if item.id == 7:
                    upload(item)
        """,
    ),
    case(
        "what a loop over a few things gathers is few",
        """
        from fastapi import FastAPI, Request
        from sqlmodel import Field, Session, SQLModel

        class Token(SQLModel, table=True):
            id: str = Field(primary_key=True)

        app = FastAPI()

        def tokens_of(request: Request) -> list[str]:
            candidates = []
            candidates.append(request.headers.get("authorization"))
            candidates.append(request.cookies.get("token"))
            tokens = []
            for candidate in candidates:
                if candidate:
                    tokens.append(candidate)
            return tokens

        @app.post("/logout")
        def log_out(request: Request, session: Session) -> None:
            for token in tokens_of(request):
                session.merge(Token(id=token))
        """,
    ),
)
