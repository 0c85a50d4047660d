"""Who knows the whole change commits it: the service, not the repository.

When each method of a repository commits, a service that calls two of them makes two transactions of one change: an
error between them leaves the first half in the database, and no caller can undo it. Let repositories add and
flush, and commit once in the service, in the dependency that opens the session, or in a unit of work.

Reported are commits in methods of repository modules, on a session that the method was given, where a function outside of the
repositories surely calls at least two such methods one after the other. Methods that open their own session, and
methods that are always the only one to write, are left alone. Off by default: whether the second half must stand or
fall with the first is known to the application only.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite, Step
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.symbols import Function
from fastwright.read import syntax as s
from fastwright.rules.data._loops import of_request, request_label
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule

_SEVERAL = 2


def check(app: App) -> Iterator[Hit]:
    """Report commits of repositories of which one function runs several."""
    if not app.tables or all(layer.name != "repository" for layer in app.layers.values()):
        return
    running = served(app)
    reported: set[int] = set()
    for step in running.reached:
        if _is_repository(app, step.function):
            continue
        calls = _committing(app, step)
        if len(calls) < _SEVERAL:
            continue
        for call, commit in calls:
            if id(commit.node) in reported:
                continue
            reported.add(id(commit.node))
            others = [other for other, _ in calls if other is not call]
            message = (
                f"{commit.caller.qualname} commits, and {step.function.qualname} calls"
                f" {len(calls)} such methods for one change{request_label(running, step.function)}"
            )
            proof = (
                *of_request(running, step.function),
                evidence(call.module, call.node, f"commits in {commit.caller.qualname}"),
                evidence(others[0].module, others[0].node, f"commits in {others[0].method}"),
            )
            yield Hit(place(commit.module, commit.node), message, proof)


def _is_repository(app: App, function: Function) -> bool:
    layer = app.layers.get(function.module.path)
    return layer is not None and layer.name == "repository"


def _committing(app: App, step: Step) -> list[tuple[CallSite, CallSite]]:
    """Return the calls that a function surely makes of repository methods that commit, with the commits."""
    found: list[tuple[CallSite, CallSite]] = []
    for site in app.calls.sites(step.function):
        around = site.around
        if around.branches or around.handled or around.deferred or len(site.targets) != 1:
            continue
        target = site.targets[0]
        if target.owner is None or not _is_repository(app, target):
            continue
        commit = _commit(app, target)
        if commit is not None:
            found.append((site, commit))
    return found


def _commit(app: App, function: Function) -> CallSite | None:
    """Return the commit that a method always makes on a session from outside."""
    for run in app.calls.executions(function):
        around = run.site.around
        if run.kind != "commit" or run.site.method != "commit" or around.branches or around.handled:
            continue
        if _is_given(app, function, run.site):
            return run.site
    return None


def _is_given(app: App, function: Function, site: CallSite) -> bool:
    """Whether the session of a commit is a parameter, or an attribute of the repository."""
    func = site.node.func
    if not isinstance(func, s.Attribute):
        return False
    root = (s.dotted(func.value) or "").partition(".")[0]
    bounds = app.types.locals.of(function).get(root, [])
    return len(bounds) == 1 and bounds[0].how == "parameter"


RULE = Rule(
    summary="repositories commit, and one change needs several of them",
    severity="warning",
    confidence="medium",
    default=False,
    mend="Let the repositories `flush()`, and commit once where the change is complete.",
    profiles=("architecture",),
    app=check,
    recipe="unit-of-work",
    references=(
        "https://docs.sqlalchemy.org/en/20/orm/session_basics.html#when-do-i-construct-a-session-when-do-i-commit-it-and-when-do-i-close-it",
    ),
)

_MODELS = """
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

    class Base(DeclarativeBase): ...

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
    """

_REPOSITORY = """
    from sqlalchemy.orm import Session
    from app.models import Order

    class Orders:
        def __init__(self, session: Session):
            self.session = session

        def add(self, order: Order) -> None:
            self.session.add(order)
            self.session.commit()MARK

        def remove(self, order: Order) -> None:
            self.session.delete(order)
            self.session.commit()MARK

        def find(self, id: int) -> Order | None:
            return self.session.get(Order, id)
    """

_MAIN = """
    from fastapi import Depends, FastAPI
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session
    from app.repositories.orders import Orders
    from app.services.orders import Service

    engine = create_engine("sqlite://")
    app = FastAPI()

    def get_service():
        with Session(engine) as session:
            yield Service(Orders(session))

    @app.post("/{id}")
    def replace(id: int, service: Service = Depends(get_service)) -> None:
        service.replace(id)
    """

CASES = (
    Case(
        "a service that calls two methods that commit",
        {
            "app/models.py": _MODELS,
            "app/repositories/orders.py": _REPOSITORY.replace("MARK", "  # <-"),
            "app/services/orders.py": """
                from app.models import Order
                from app.repositories.orders import Orders

                class Service:
                    def __init__(self, orders: Orders):
                        self.orders = orders

                    def replace(self, id: int) -> None:
                        self.orders.remove(self.orders.find(id))
                        self.orders.add(Order(id=id))
                """,
            "app/main.py": _MAIN,
        },
    ),
    Case(
        "one commit for each change",
        {
            "app/models.py": _MODELS,
            "app/repositories/orders.py": _REPOSITORY.replace("MARK", ""),
            "app/services/orders.py": """
                from app.models import Order
                from app.repositories.orders import Orders

                class Service:
                    def __init__(self, orders: Orders):
                        self.orders = orders

                    def replace(self, id: int) -> None:
                        if self.orders.find(id):
                            self.orders.remove(self.orders.find(id))
                        else:
                            self.orders.add(Order(id=id))
                """,
            "app/main.py": _MAIN,
        },
    ),
    Case(
        "the service commits",
        {
            "app/models.py": _MODELS,
            "app/repositories/orders.py": _REPOSITORY.replace("commit()MARK", "flush()"),
            "app/services/orders.py": """
                from app.models import Order
                from app.repositories.orders import Orders

                class Service:
                    def __init__(self, orders: Orders):
                        self.orders = orders

                    def replace(self, id: int) -> None:
                        self.orders.remove(self.orders.find(id))
                        self.orders.add(Order(id=id))
                        self.orders.session.commit()
                """,
            "app/main.py": _MAIN,
        },
    ),
)
