"""What the App follows: calls and values through everything that real applications put between."""

from __future__ import annotations

import pytest

from fastwright.rules.cases import wrong_lines
from fastwright.rules.registry import rules
from fastwright.rules.rule import case

CASES = (
    case(
        "a generic repository",
        """
        import time
        from typing import Generic, TypeVar
        from fastapi import Depends, FastAPI

        app = FastAPI()
        T = TypeVar("T")

        class User:
            def load(self) -> None:
                time.sleep(1)  # <-

        class Repository(Generic[T]):
            def get(self, key: int) -> T: ...

        class Users(Repository[User]): ...

        @app.get("/a")
        async def a(users: Users = Depends()) -> None:
            users.get(1).load()

        @app.get("/b")
        async def b(users: Repository[User] = Depends()) -> None:
            users.get(1).load()
        """,
    ),
    case(
        "what a port is given is known where a single function promises it, not where several do",
        """
        import time
        from typing import Protocol
        from fastapi import FastAPI

        app = FastAPI()

        class Mail(Protocol):
            def __call__(self, text: str) -> None: ...

        class Model(Protocol):
            def __call__(self, text: str) -> None: ...

        def get_mail() -> Mail:
            def send(text: str) -> None:
                time.sleep(1)  # <-

            return send

        def wrapped(model: Model) -> Model:
            def slow(text: str) -> None:
                time.sleep(2)
                model(text)

            return slow

        def get_model(registry) -> Model:
            return registry.find("model")

        async def tell(mail: Mail) -> None:
            mail("new")

        async def ask(model: Model) -> None:
            model("why")

        @app.get("/mail")
        async def mail() -> None:
            await tell(get_mail())

        @app.get("/model")
        async def model() -> None:
            await ask(get_model(app.state.registry))
        """,
    ),
    case(
        "a task of the loop does not run what a constant that it gives rules out",
        """
        import time
        from fastapi import BackgroundTasks, FastAPI

        app = FastAPI()

        def load(stream: bool = False) -> None:
            if stream:
                wait()
            else:
                time.sleep(1)  # <-

        def wait() -> None:
            time.sleep(2)

        async def audit() -> None:
            load()

        @app.get("/")
        async def index(tasks: BackgroundTasks) -> None:
            tasks.add_task(audit)
        """,
    ),
    case(
        "what a method calls on self stands in the class of the object that the way began with",
        """
        import time
        from abc import ABC, abstractmethod
        from fastapi import FastAPI

        app = FastAPI()

        class Block(ABC):
            def execute_safe(self) -> None:
                self._prepare()

            def _prepare(self) -> None:
                self.execute()

            @abstractmethod
            def execute(self) -> None: ...

            @abstractmethod
            def finish(self) -> None: ...

        class Timed(Block):
            def execute(self) -> None:
                time.sleep(1)

            def finish(self) -> None:
                time.sleep(2)  # <-

        class Quick(Block):
            def execute(self) -> None:
                self.rest()

            def rest(self) -> None:
                super()._prepare()

            def finish(self) -> None: ...

        class Late(Quick):
            def execute(self) -> None:
                time.sleep(3)  # <-

        class Step(ABC):
            def run(self) -> None:
                self.work()

            @abstractmethod
            def work(self) -> None: ...

        class First(Step):
            def work(self) -> None: ...

        class Second(Step):
            def work(self) -> None:
                time.sleep(4)  # <-

        class Third(Step):
            def work(self) -> None:
                time.sleep(5)

        @app.get("/quick")
        async def quick(block: Quick) -> None:
            block.execute_safe()

        @app.get("/any")
        async def any_block(block: Block) -> None:
            block.finish()

        @app.get("/first")
        async def first() -> None:
            First().run()

        @app.get("/second")
        async def second() -> None:
            Second().run()
        """,
    ),
    case(
        "what a port gives is what those behind it give, not all that there is",
        """
        import time
        from abc import ABC, abstractmethod
        from fastapi import FastAPI

        app = FastAPI()

        class Job(ABC):
            def rows(self) -> list:
                return self.read()

            @abstractmethod
            def read(self) -> list: ...

        class FileJob(Job):
            def read(self) -> list:
                time.sleep(1)  # <-
                return []

        class TableJob(Job):
            def read(self) -> list:
                time.sleep(2)  # <-
                return []

        class PlanJob(Job):
            def read(self) -> list:
                time.sleep(3)
                return []

        class Store(ABC):
            @abstractmethod
            def select(self, table: str) -> Job: ...

        class FileStore(Store):
            def select(self, table: str) -> Job:
                return FileJob()

        class TableStore(Store):
            def select(self, table: str) -> Job:
                return TableJob()

        class BothStore(Store):
            def of(self, table: str) -> Store: ...

            def select(self, table: str) -> Job:
                return self.of(table).select(table)

        @app.get("/rows/{table}")
        async def rows(store: Store, table: str) -> list:
            return store.select(table).rows()

        def make_plan() -> PlanJob:
            return PlanJob()
        """,
    ),
    case(
        "what one behind a port gives is not known: then it may be any",
        """
        import time
        from abc import ABC, abstractmethod
        from fastapi import FastAPI
        from plugins import load_job

        app = FastAPI()

        class Job(ABC):
            @abstractmethod
            def read(self) -> None: ...

        class FileJob(Job):
            def read(self) -> None: ...

        class PlanJob(Job):
            def read(self) -> None:
                time.sleep(3)  # <-

        class Store(ABC):
            @abstractmethod
            def select(self) -> Job: ...

        class FileStore(Store):
            def select(self) -> Job:
                return FileJob()

        class PluginStore(Store):
            def select(self) -> Job:
                return load_job()

        @app.get("/rows")
        async def rows(store: Store) -> None:
            store.select().read()
        """,
    ),
    case(
        "type parameters of Python 3.12",
        """
        import time
        from fastapi import Depends, FastAPI

        app = FastAPI()

        class User:
            def load(self) -> None:
                time.sleep(1)  # <-

        class Repository[T]:
            def get(self, key: int) -> T: ...

        @app.get("/a")
        async def a(users: Repository[User] = Depends()) -> None:
            users.get(1).load()
        """,
    ),
    case(
        "cached properties, properties and attributes that __init__ sets",
        """
        import time
        from functools import cached_property
        from fastapi import Depends, FastAPI

        app = FastAPI()

        class Gateway:
            def send(self) -> None:
                time.sleep(1)  # <-

        class Service:
            def __init__(self) -> None:
                self.direct = Gateway()

            @cached_property
            def lazy(self) -> Gateway:
                return Gateway()

            @property
            def plain(self):
                return self.direct

        @app.get("/a")
        async def a(service: Service = Depends()) -> None:
            service.plain.send()

        @app.get("/b")
        async def b(service: Service = Depends()) -> None:
            service.lazy.send()
        """,
    ),
    case(
        "a property that works itself",
        """
        import time
        from functools import cached_property
        from fastapi import Depends, FastAPI

        app = FastAPI()

        class Service:
            @cached_property
            def rates(self) -> dict:
                time.sleep(1)  # <-
                return {}

        @app.get("/a")
        async def a(service: Service = Depends()) -> dict:
            return service.rates
        """,
    ),
    case(
        "factories, also those that choose",
        """
        import time
        from fastapi import Depends, FastAPI

        app = FastAPI()

        class Mail:
            def send(self) -> None:
                time.sleep(1)  # <-

        class Push:
            def send(self) -> None:
                time.sleep(2)  # <-

        def make(kind: str):
            if kind == "mail":
                return Mail()
            return Push()

        @app.get("/a/{kind}")
        async def a(kind: str) -> None:
            make(kind).send()
        """,
    ),
    case(
        "a dictionary of handlers, of functions and of classes",
        """
        import time
        from fastapi import FastAPI

        app = FastAPI()

        def by_mail() -> None:
            time.sleep(1)  # <-

        class Push:
            def send(self) -> None:
                time.sleep(2)  # <-

        HANDLERS = {"mail": by_mail}
        SENDERS = {"push": Push}

        @app.get("/a/{kind}")
        async def a(kind: str) -> None:
            HANDLERS[kind]()
            SENDERS[kind]().send()
        """,
    ),
    case(
        "functools.partial, lambdas and functions that are handed over",
        """
        import time
        from functools import partial
        from fastapi import FastAPI

        app = FastAPI()

        def wait(seconds: int) -> None:
            time.sleep(seconds)  # <-

        def twice(work) -> None:
            work()
            work()

        def other() -> None:
            time.sleep(3)  # <-

        @app.get("/a")
        async def a() -> None:
            later = partial(wait, 2)
            later()

        @app.get("/b")
        async def b() -> None:
            twice(other)
        """,
    ),
    case(
        "decorators that wrap, with functools.wraps and with a class",
        """
        import time
        from functools import wraps
        from fastapi import FastAPI

        app = FastAPI()

        def logged(function):
            @wraps(function)
            def inner(*args, **kwargs):
                return function(*args, **kwargs)
            return inner

        @logged
        def load() -> None:
            time.sleep(1)  # <-

        @app.get("/a")
        async def a() -> None:
            load()
        """,
    ),
    case(
        "context managers, of functions and of classes, async ones too",
        """
        import time
        from contextlib import asynccontextmanager, contextmanager
        from fastapi import FastAPI

        app = FastAPI()

        class Connection:
            def load(self) -> None:
                time.sleep(1)  # <-

        class Opened:
            def __enter__(self) -> Connection:
                time.sleep(2)  # <-
                return Connection()

            def __exit__(self, *args) -> None: ...

        @contextmanager
        def opened():
            yield Connection()

        @asynccontextmanager
        async def opened_async():
            time.sleep(3)  # <-
            yield Connection()

        @app.get("/a")
        async def a() -> None:
            with opened() as connection:
                connection.load()

        @app.get("/b")
        async def b() -> None:
            with Opened() as connection:
                connection.load()

        @app.get("/c")
        async def c() -> None:
            async with opened_async() as connection:
                connection.load()
        """,
    ),
    case(
        "class-based views of fastapi-utils: dependencies as attributes of the class",
        """
        import time
        from fastapi import APIRouter, Depends, FastAPI
        from fastapi_utils.cbv import cbv

        router = APIRouter()

        class Orders:
            def all(self) -> list:
                time.sleep(1)  # <-
                return []

        @cbv(router)
        class OrderViews:
            orders: Orders = Depends()

            @router.get("/orders")
            async def list(self) -> list:
                return self.orders.all()

        app = FastAPI()
        app.include_router(router)
        """,
    ),
    case(
        "controllers that add their own methods as routes",
        """
        import time
        from fastapi import APIRouter, FastAPI

        class Orders:
            def all(self) -> list:
                time.sleep(1)  # <-
                return []

        class Controller:
            def __init__(self, orders: Orders) -> None:
                self.orders = orders
                self.router = APIRouter()
                self.router.add_api_route("/orders", self.list, methods=["GET"])

            async def list(self) -> list:
                return self.orders.all()

        app = FastAPI()
        app.include_router(Controller(Orders()).router)
        """,
    ),
    case(
        "ports: a Protocol, and what stands behind it",
        """
        import time
        from typing import Annotated, Protocol
        from fastapi import Depends, FastAPI

        app = FastAPI()

        class Rates(Protocol):
            def today(self) -> int: ...

        class BankRates:
            def today(self) -> int:
                time.sleep(1)  # <-
                return 1

        def rates() -> Rates:
            return BankRates()

        @app.get("/a")
        async def a(rates: Annotated[Rates, Depends(rates)]) -> int:
            return rates.today()
        """,
    ),
    case(
        "dishka: what a provider makes",
        """
        import time
        from dishka import Provider, Scope, make_async_container, provide
        from dishka.integrations.fastapi import DishkaRoute, FromDishka, inject
        from fastapi import APIRouter, FastAPI

        class Rates:
            def today(self) -> int:
                time.sleep(1)  # <-
                return 1

        class AppProvider(Provider):
            rates = provide(Rates, scope=Scope.APP)

        router = APIRouter(route_class=DishkaRoute)

        @router.get("/a")
        async def a(rates: FromDishka[Rates]) -> int:
            return rates.today()

        app = FastAPI()
        app.include_router(router)
        container = make_async_container(AppProvider())
        """,
    ),
    case(
        "dependency-injector: what a container provides",
        """
        import time
        from dependency_injector import containers, providers
        from dependency_injector.wiring import Provide, inject
        from fastapi import Depends, FastAPI

        app = FastAPI()

        class Rates:
            def today(self) -> int:
                time.sleep(1)  # <-
                return 1

        class Container(containers.DeclarativeContainer):
            rates = providers.Factory(Rates)

        @app.get("/a")
        @inject
        async def a(rates=Depends(Provide[Container.rates])) -> int:
            return rates.today()
        """,
    ),
    case(
        "inheritance: a router class and a route class of one's own",
        """
        import time
        from fastapi import APIRouter, FastAPI
        from fastapi.routing import APIRoute

        class TimedRoute(APIRoute):
            def get_route_handler(self):
                original = super().get_route_handler()

                async def handler(request):
                    time.sleep(1)  # <-
                    return await original(request)

                return handler

        class Router(APIRouter):
            def __init__(self, **kwargs) -> None:
                super().__init__(route_class=TimedRoute, **kwargs)

        router = Router(prefix="/a")

        @router.get("")
        async def a() -> None:
            time.sleep(2)  # <-

        app = FastAPI()
        app.include_router(router)
        """,
    ),
    case(
        "singletons: module-level instances, app.state and lru_cache",
        """
        import time
        from functools import lru_cache
        from fastapi import Depends, FastAPI, Request

        app = FastAPI()

        class Rates:
            def today(self) -> int:
                time.sleep(1)  # <-
                return 1

        class Mail:
            def send(self) -> None:
                time.sleep(2)  # <-

        class Push:
            def send(self) -> None:
                time.sleep(3)  # <-

        rates = Rates()
        app.state.mail = Mail()

        @lru_cache
        def get_push() -> Push:
            return Push()

        @app.get("/a")
        async def a(request: Request, push=Depends(get_push)) -> int:
            request.app.state.mail.send()
            push.send()
            return rates.today()
        """,
    ),
    case(
        "results of gather, comprehensions, dictionaries and tuples",
        """
        import asyncio
        import time
        from fastapi import FastAPI

        app = FastAPI()

        class Row:
            def load(self) -> None:
                time.sleep(1)  # <-

        class Page:
            def load(self) -> None:
                time.sleep(2)  # <-

        async def row() -> Row:
            return Row()

        def both() -> tuple[Row, Page]:
            return Row(), Page()

        @app.get("/a")
        async def a() -> None:
            first, second = await asyncio.gather(row(), row())
            first.load()
            rows = {key: Row() for key in range(3)}
            for key, found in rows.items():
                found.load()
            _, page = both()
            page.load()
        """,
    ),
    case(
        "an entry of a table of functions, and an attribute that only what stands behind a port has",
        """
        import time
        from abc import ABC, abstractmethod
        from fastapi import Depends, FastAPI

        app = FastAPI()

        def workflows():
            async def slow() -> None:
                time.sleep(1)

            async def asked() -> None:
                time.sleep(2)  # <-

            return {"slow": slow, "asked": asked}

        class Connection:
            def wait(self) -> None:
                time.sleep(3)  # <-

        class Store(ABC):
            @abstractmethod
            def get(self, key: str) -> str: ...

        class Rows(Store):
            def __init__(self) -> None:
                self.connection = Connection()

            def get(self, key: str) -> str:
                return key

        class Service:
            def __init__(self, store: Store) -> None:
                self.store = store

            def wait(self) -> None:
                self.store.connection.wait()

        @app.get("/a")
        async def a() -> None:
            await workflows()["asked"]()

        @app.get("/b")
        async def b() -> None:
            Service(Rows()).wait()
        """,
    ),
    case(
        "super, class methods, static methods and __call__",
        """
        import time
        from fastapi import Depends, FastAPI

        app = FastAPI()

        class Base:
            def save(self) -> None:
                time.sleep(1)  # <-

            @classmethod
            def make(cls):
                return cls()

            @staticmethod
            def wait() -> None:
                time.sleep(2)  # <-

        class Row(Base):
            def save(self) -> None:
                super().save()

        class Checker:
            def __call__(self) -> None:
                time.sleep(3)  # <-

        check = Checker()

        @app.get("/a")
        async def a() -> None:
            Row.make().save()
            Row.wait()
            check()
        """,
    ),
    case(
        "what a list or a dictionary is filled with",
        """
        import time
        from fastapi import FastAPI

        app = FastAPI()

        class User:
            def load(self) -> None:
                time.sleep(1)  # <-

        class Guest:
            def load(self) -> None:
                time.sleep(1)  # <-

        class Nobody:
            def load(self) -> None:
                time.sleep(1)

        @app.get("/a")
        async def a() -> None:
            users = []
            for _ in range(3):
                users.append(User())
            for user in users:
                user.load()

        @app.get("/b")
        async def b() -> None:
            guests = {}
            guests["first"] = Guest()
            for guest in guests.values():
                guest.load()

        @app.get("/c")
        async def c(users) -> None:
            nobodies = []
            others = []
            others.append(Nobody())
            for user in nobodies:
                user.load()
        """,
    ),
    case(
        "a locator that is given a factory; a context manager that is one of two",
        """
        import contextlib
        import time
        from fastapi import FastAPI
        from services import locate

        app = FastAPI()

        class Mail:
            def send(self) -> None:
                time.sleep(1)  # <-

        class MailFactory:
            def create(self) -> Mail:
                return Mail()

        class Session:
            def ask(self) -> None:
                time.sleep(1)  # <-

        @contextlib.asynccontextmanager
        async def scope():
            yield Session()

        def get_service(default):
            return locate(default)

        @app.get("/a")
        async def a() -> None:
            get_service(MailFactory()).send()

        @app.get("/b")
        async def b(session=None) -> None:
            async with contextlib.nullcontext(session) if session is not None else scope() as found:
                found.ask()
        """,
    ),
    case(
        "what the arms of an if bind; of a client for both, the asynchronous part",
        """
        import asyncio
        import time
        from fastapi import FastAPI

        app = FastAPI()

        class Slow:
            def work(self) -> None:
                time.sleep(1)  # <-

        class Slower:
            def work(self) -> None:
                time.sleep(2)  # <-

        class Gone:
            def work(self) -> None:
                time.sleep(3)

        @app.get("/a")
        async def a(slowly: bool) -> None:
            worker = Gone()
            if slowly:
                worker = Slower()
            else:
                worker = Slow()
            worker.work()

        class Client:
            def __init__(self, waits: bool) -> None:
                self.waits = waits

            def __getattr__(self, name: str):
                if self.waits:
                    return self.wait()
                return self.sleep()

            def wait(self):
                def run() -> None:
                    time.sleep(1)

                return run

            def sleep(self):
                async def run() -> None:
                    await asyncio.sleep(1)

                return run

        client = Client(False)

        @app.get("/b")
        async def b() -> None:
            await client.ping()
        """,
    ),
    case(
        "arguments that end a function early, also as one of several conditions, in a try, and by keyword",
        """
        import time
        from fastapi import FastAPI

        app = FastAPI()

        def slow() -> None:
            time.sleep(1)  # <-

        def quick() -> None:
            time.sleep(2)

        def complete(text: str, **options) -> str:
            answer = options.get("answer")
            try:
                if answer is not None or options.get("dry"):
                    return answer
                quick()
            except ValueError:
                return ""
            return text

        def ask(text: str, cached=None, known=None) -> str:
            if cached or known:
                return text
            slow()
            return text

        @app.get("/a")
        async def a() -> str:
            return complete("x", answer="y")

        @app.get("/b")
        async def b() -> str:
            return ask("x", known={"x": "y"})

        @app.get("/c")
        async def c() -> str:
            return ask("x")
        """,
    ),
)


@pytest.mark.parametrize("given", CASES, ids=lambda given: given.title)
def test_calls_are_followed(given) -> None:
    assert wrong_lines(rules()["blocking-call-in-async"].rule, given) == []
