"""Routers that libraries make, and what libraries hand to endpoints: the routes that are served, and for whom."""

from __future__ import annotations

from textwrap import dedent

from fastwright.app.memory import app_from
from fastwright.app.model import App
from fastwright.rules.cases import wrong_lines
from fastwright.rules.registry import rules
from fastwright.rules.rule import case


def app_of(**files: str) -> App:
    """Return the App of modules given by name."""
    return app_from({f"{name.replace('__', '/')}.py": dedent(text) for name, text in files.items()})


def table(app: App) -> list[str]:
    """Return routes as lines: ``GET /path``, with ``!`` where the caller must be signed in."""
    return [
        f"{'!' if route.authentication is not None else ''}{','.join(route.methods)} {route.path}"
        for route in app.routes
    ]


USERS = """
    import uuid
    from fastapi_users import FastAPIUsers
    from fastapi_users.authentication import AuthenticationBackend, CookieTransport, JWTStrategy

    class User: ...

    async def get_user_manager():
        yield None

    def get_strategy() -> JWTStrategy:
        return JWTStrategy(secret="s", lifetime_seconds=1)

    backend = AuthenticationBackend(name="jwt", transport=CookieTransport(), get_strategy=get_strategy)
    fastapi_users = FastAPIUsers[User, uuid.UUID](get_user_manager, [backend])
    current_active_user = fastapi_users.current_user(active=True)
    optional_user = fastapi_users.current_user(optional=True)
    """


def test_routers_of_fastapi_users() -> None:
    app = app_of(
        users=USERS,
        main="""
        from fastapi import APIRouter, FastAPI
        from users import User, backend, fastapi_users

        app = FastAPI()
        auth = APIRouter(prefix="/auth")
        auth.include_router(fastapi_users.get_auth_router(backend), prefix="/jwt")
        auth.include_router(fastapi_users.get_register_router(User, User))
        auth.include_router(fastapi_users.get_reset_password_router())
        auth.include_router(fastapi_users.get_verify_router(User))
        auth.include_router(fastapi_users.get_oauth_router(None, backend, "s"), prefix="/google")
        app.include_router(auth)
        app.include_router(fastapi_users.get_users_router(User, User), prefix="/users")
        """,
    )
    assert table(app) == [
        "POST /auth/jwt/login",
        "!POST /auth/jwt/logout",
        "POST /auth/register",
        "POST /auth/forgot-password",
        "POST /auth/reset-password",
        "POST /auth/request-verify-token",
        "POST /auth/verify",
        "GET /auth/google/authorize",
        "GET /auth/google/callback",
        "!GET /users/me",
        "!PATCH /users/me",
        "!GET /users/{id}",
        "!PATCH /users/{id}",
        "!DELETE /users/{id}",
    ]


def test_current_user_of_fastapi_users_refuses_strangers_unless_it_is_optional() -> None:
    app = app_of(
        users=USERS,
        main="""
        from typing import Annotated
        from fastapi import Depends, FastAPI
        from users import User, current_active_user, fastapi_users, optional_user

        app = FastAPI()

        @app.get("/named")
        def named(user: Annotated[User, Depends(current_active_user)]) -> None: ...

        @app.get("/made", dependencies=[Depends(fastapi_users.current_user(superuser=True))])
        def made() -> None: ...

        @app.get("/optional")
        def optional(user: User | None = Depends(optional_user)) -> None: ...
        """,
    )
    assert table(app) == ["!GET /named", "!GET /made", "GET /optional"]


def test_routers_of_fastcrud() -> None:
    app = app_of(
        users=USERS,
        items="""
        from fastcrud import EndpointCreator, crud_router
        from users import current_active_user

        def get_session(): ...
        class Item: ...

        router = crud_router(
            session=get_session, model=Item, create_schema=Item, update_schema=Item, path="/items",
            create_deps=[current_active_user], delete_schema=Item, deleted_methods=["delete"],
        )
        creator = EndpointCreator(
            session=get_session, model=Item, create_schema=Item, update_schema=Item, path="/things"
        )
        creator.add_routes_to_router(included_methods=["read", "read_multi"])
        """,
        main="""
        from fastapi import FastAPI
        from items import creator, router

        app = FastAPI()
        app.include_router(router, prefix="/v1")
        app.include_router(creator.router)
        """,
    )
    assert table(app) == [
        "!POST /v1/items",
        "GET /v1/items/{id}",
        "GET /v1/items",
        "PATCH /v1/items/{id}",
        "DELETE /v1/items/db_delete/{id}",
        "GET /things/{id}",
        "GET /things",
    ]
    assert {route.label for route in app.routes} >= {"POST /v1/items"}


def test_methods_of_classy_fastapi() -> None:
    app = app_of(
        main="""
        from classy_fastapi import Routable, delete, get
        from fastapi import FastAPI

        class Users(Routable):
            def __init__(self, prefix: str) -> None:
                super().__init__(prefix=prefix)

            @get("/{name}")
            async def read(self, name: str) -> str:
                return name

            @delete("/{name}", status_code=204)
            async def erase(self, name: str) -> None: ...

        class Plain(Routable):
            @get("/plain")
            async def plain(self) -> None: ...

        app = FastAPI()
        app.include_router(Users("/users").router)
        app.include_router(Plain().router)
        """,
    )
    assert table(app) == ["DELETE /users/{name}", "GET /users/{name}", "GET /plain"]
    erased = app.routes[0]
    assert erased.endpoint is not None
    assert erased.endpoint.qualname == "Users.erase"
    assert erased.status_code == 204
    assert [parameter.kind for parameter in erased.parameters] == ["path"]


def test_containers_and_class_based_views_are_followed() -> None:
    given = case(
        "what dishka, dependency-injector, fastapi-utils and classy-fastapi hand over",
        """
        import time
        from classy_fastapi import Routable, get
        from dependency_injector import containers, providers
        from dependency_injector.wiring import Provide, inject
        from dishka.integrations.fastapi import DishkaRoute, FromDishka
        from fastapi import APIRouter, Depends, FastAPI
        from fastapi_utils.cbv import cbv

        class Gateway:
            def send(self) -> None:
                time.sleep(1)  # <-

        class Mail:
            def send(self) -> None:
                time.sleep(2)  # <-

        class Push:
            def send(self) -> None:
                time.sleep(3)  # <-

        class Dao:
            def load(self) -> None:
                time.sleep(4)  # <-

        class Container(containers.DeclarativeContainer):
            mail = providers.Singleton(Mail)

        def get_push() -> Push:
            return Push()

        views = APIRouter()
        dished = APIRouter(route_class=DishkaRoute)

        @dished.get("/dish")
        async def dish(gateway: FromDishka[Gateway]) -> None:
            gateway.send()

        @cbv(views)
        class Views:
            push: Push = Depends(get_push)

            @views.get("/view")
            async def view(self) -> None:
                self.push.send()

        class Routes(Routable):
            def __init__(self, dao: Dao) -> None:
                super().__init__()
                self.dao = dao

            @get("/classy")
            async def classy(self) -> None:
                self.dao.load()

        app = FastAPI()
        app.include_router(dished)
        app.include_router(views)
        app.include_router(Routes(Dao()).router)

        @app.get("/inject")
        @inject
        async def injected(mail: Mail = Depends(Provide[Container.mail])) -> None:
            mail.send()
        """,
    )
    assert wrong_lines(rules()["blocking-call-in-async"].rule, given) == []


def test_pages_of_fastapi_pagination_are_bounded() -> None:
    given = case(
        "pages of fastapi-pagination, and all rows",
        """
        from fastapi import Depends, FastAPI
        from fastapi_pagination import LimitOffsetPage, Page, add_pagination
        from fastapi_pagination.ext.sqlalchemy import paginate
        from pydantic import BaseModel
        from sqlalchemy import create_engine, select
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

        app = FastAPI()
        engine = create_engine("sqlite://")

        class Base(DeclarativeBase): ...

        class Item(Base):
            __tablename__ = "items"
            id: Mapped[int] = mapped_column(primary_key=True)

        class ItemOut(BaseModel):
            id: int

        def get_session():
            with Session(engine) as session:
                yield session

        @app.post("/items")
        def add(session: Session = Depends(get_session)) -> None:
            session.add(Item())
            session.commit()

        @app.get("/page", response_model=Page[ItemOut])
        def page(session: Session = Depends(get_session)):
            return paginate(session, select(Item).order_by(Item.id))

        @app.get("/limited")
        def limited(session: Session = Depends(get_session)) -> LimitOffsetPage[ItemOut]:
            return paginate(session, select(Item).order_by(Item.id))

        @app.get("/all", response_model=list[ItemOut])
        def everything(session: Session = Depends(get_session)):  # <-
            return session.scalars(select(Item)).all()

        add_pagination(app)
        """,
    )
    assert wrong_lines(rules()["missing-pagination"].rule, given) == []


FASTCRUD = """
        from fastapi import Depends, FastAPI
        from fastcrud import FastCRUD
        from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        app = FastAPI()
        maker = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))

        async def get_session():
            async with maker() as session:
                yield session

        class Base(DeclarativeBase): ...

        class Item(Base):
            __tablename__ = "items"
            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str]

        CRUDItem = FastCRUD[Item, Item, Item, Item, Item, Item]
        items = CRUDItem(Item)
        plain = FastCRUD(Item)
"""


def test_fastcrud_asks_the_database_each_time() -> None:
    given = case(
        "FastCRUD in loops",
        f"""{FASTCRUD}
        @app.get("/names")
        async def names(ids: list[int], db: AsyncSession = Depends(get_session)) -> list:
            return [await items.get(db, id=key) for key in ids]  # <-

        @app.put("/names")
        async def rename(ids: list[int], db: AsyncSession = Depends(get_session)) -> None:
            for key in ids:
                await plain.update(db, {{"name": "x"}}, id=key)  # <-
        """,
    )
    assert wrong_lines(rules()["n-plus-one-query"].rule, given) == []


def test_fastcrud_reads_a_hundred_rows_unless_it_is_told_otherwise() -> None:
    given = case(
        "FastCRUD without a limit",
        f"""{FASTCRUD}
        @app.post("/items")
        async def add(db: AsyncSession = Depends(get_session)) -> None:
            db.add(Item(name="x"))
            await db.commit()

        @app.get("/hundred")
        async def hundred(db: AsyncSession = Depends(get_session)):
            return await plain.get_multi(db)

        @app.get("/one")
        async def one(db: AsyncSession = Depends(get_session)):
            return await plain.get(db, name="x")

        @app.get("/of-one")
        async def of_one(db: AsyncSession = Depends(get_session)):
            return await items.get_multi(db, name="x", limit=10)

        @app.get("/every")
        async def every(db: AsyncSession = Depends(get_session)):  # <-
            return await plain.get_multi(db, limit=None)
        """,
    )
    assert wrong_lines(rules()["missing-pagination"].rule, given) == []


def test_users_of_fastapi_users_are_tables() -> None:
    app = app_of(
        main="""
        from fastapi import Depends, FastAPI
        from fastapi_users.db import SQLAlchemyBaseOAuthAccountTableUUID, SQLAlchemyBaseUserTableUUID
        from sqlalchemy import create_engine, select
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

        class Base(DeclarativeBase): ...

        class OAuthAccount(SQLAlchemyBaseOAuthAccountTableUUID, Base): ...

        class User(SQLAlchemyBaseUserTableUUID, Base):
            nick: Mapped[str] = mapped_column()

        app = FastAPI()
        """,
    )
    assert {table.name: sorted(table.columns) for table in app.tables} == {
        "oauth_account": [],
        "user": ["nick"],
    }
