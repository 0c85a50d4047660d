from collections.abc import Sequence
from typing import Generic, TypeVar

from sqlmodel import Session, SQLModel, select

ModelT = TypeVar("ModelT", bound=SQLModel)


class Repository(Generic[ModelT]):
    """What every table needs."""

    model: type[ModelT]

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, row_id: int) -> ModelT | None:
        return self.session.get(self.model, row_id)

    def all(self) -> Sequence[ModelT]:
        return self.session.exec(select(self.model)).all()

    def count(self) -> int:
        return len(self.all())

    def save(self, row: ModelT) -> ModelT:
        self.session.add(row)
        self.session.commit()
        self.session.refresh(row)
        return row

    def delete(self, row: ModelT) -> None:
        self.session.delete(row)
        self.session.commit()
