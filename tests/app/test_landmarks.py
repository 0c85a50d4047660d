"""Landmarks are found by what code does; None where there is no such place."""

from __future__ import annotations

import textwrap

import msgspec

from fastwright.app.landmarks import Landmark, landmarks
from fastwright.app.memory import app_from

SHOP = {
    "shop/config.py": """
    from pydantic_settings import BaseSettings

    class Settings(BaseSettings):
        name: str = "shop"
        debug: bool = False
    """,
    "shop/models.py": """
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

    class Base(DeclarativeBase): ...

    class Person(Base):
        __tablename__ = "people"
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str]
        password_hash: Mapped[str]

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
    """,
    "shop/deps.py": """
    from typing import Annotated
    from fastapi import Depends, Header, HTTPException
    from sqlalchemy.orm import Session
    from shop.models import Person

    def database():
        with Session() as session:
            yield session

    def whoever(
        session: Annotated[Session, Depends(database)], authorization: Annotated[str, Header()]
    ) -> Person:
        person = session.get(Person, authorization)
        if person is None:
            raise HTTPException(401)
        return person

    def boss(person: Annotated[Person, Depends(whoever)]) -> Person:
        if person.id != 1:
            raise HTTPException(403)
        return person
    """,
    "shop/orders.py": """
    from typing import Annotated
    from fastapi import APIRouter, Depends
    from shop.deps import boss, database, whoever

    router = APIRouter()

    @router.get("/orders")
    def orders(person=Depends(whoever), session=Depends(database)): ...

    @router.delete("/orders", dependencies=[Depends(boss)])
    def clear(session=Depends(database)): ...
    """,
    "shop/main.py": """
    from fastapi import FastAPI
    from shop import orders

    def create_app() -> FastAPI:
        app = FastAPI()
        app.include_router(orders.router)
        return app
    """,
    "tests/conftest.py": """
    import pytest
    from fastapi.testclient import TestClient
    from shop.main import create_app

    @pytest.fixture
    def api():
        with TestClient(create_app()) as client:
            yield client
    """,
    "tests/test_orders.py": """
    def test_orders(api): ...
    """,
}


def found(files: dict[str, str]) -> dict[str, Landmark | None]:
    app = app_from({path: textwrap.dedent(text) for path, text in files.items()})
    return msgspec.structs.asdict(landmarks(app))


def names(files: dict[str, str]) -> dict[str, str | None]:
    return {what: mark and f"{mark.module.path}:{mark.name}" for what, mark in found(files).items()}


def test_every_landmark_of_an_application() -> None:
    assert names(SHOP) == {
        "application": "shop/main.py:create_app",
        "includes": "shop/main.py:create_app",
        "session": "shop/deps.py:database",
        "settings": "shop/config.py:Settings",
        "metadata": "shop/models.py:Base",
        "user": "shop/models.py:Person",
        "current_user": "shop/deps.py:whoever",
        "test_client": "tests/conftest.py:api",
    }


def test_each_says_why() -> None:
    marks = found(SHOP)
    assert all(mark is not None and mark.reason for mark in marks.values())
    assert marks["application"] is not None
    assert marks["application"].reason == "made by create_app(), serves 2 routes"
    assert marks["application"].function is not None
    assert marks["includes"] is not None
    assert marks["includes"].reason == "includes 1 router"


def test_none_where_there_is_none() -> None:
    assert set(found({"main.py": "x = 1"}).values()) == {None}


def test_a_base_in_a_variable() -> None:
    files = {
        "db.py": """
        from sqlalchemy.orm import declarative_base

        Base = declarative_base()
        """,
        "models.py": """
        from sqlalchemy import Column, Integer
        from db import Base

        class Order(Base):
            __tablename__ = "orders"
            id = Column(Integer, primary_key=True)
        """,
    }
    assert names(files)["metadata"] == "db.py:Base"


def test_sqlmodel_without_a_base_of_its_own() -> None:
    files = {
        "models.py": """
        from sqlmodel import Field, SQLModel

        class Order(SQLModel, table=True):
            id: int = Field(primary_key=True)
        """
    }
    mark = found(files)["metadata"]
    assert mark is not None
    assert mark.name == "Order"
    assert "SQLModel" in mark.reason


def test_routers_are_included_where_most_of_them_are() -> None:
    files = {
        "api.py": """
        from fastapi import APIRouter
        import a, b

        router = APIRouter()
        for module in (a, b):
            router.include_router(module.router)
        """,
        "a.py": """
        from fastapi import APIRouter
        router = APIRouter()

        @router.get("/a")
        def one(): ...
        """,
        "b.py": """
        from fastapi import APIRouter
        router = APIRouter()

        @router.get("/b")
        def one(): ...
        """,
        "main.py": """
        from fastapi import FastAPI
        import api

        app = FastAPI()
        app.include_router(api.router, prefix="/api")
        """,
    }
    mark = found(files)["includes"]
    assert mark is not None
    assert (mark.module.path, mark.reason) == ("api.py", "includes 2 routers")
