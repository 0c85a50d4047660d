from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, func, select

from shop.models import Order, OrderItem
from shop.repositories.base import Repository


class OrderRepository(Repository[Order]):
    model = Order

    def for_user(self, user_id: int, limit: int, offset: int) -> Sequence[Order]:
        statement = select(Order).where(Order.user_id == user_id).offset(offset).limit(limit)
        return self.session.exec(statement).all()

    def items_of(self, order_id: int) -> Sequence[OrderItem]:
        return self.session.exec(select(OrderItem).where(OrderItem.order_id == order_id)).all()

    def recent(self, limit: int) -> Sequence[Order]:
        return self.session.exec(select(Order).order_by(col(Order.id).desc()).limit(limit)).all()

    def unshipped_since(self, moment: datetime, limit: int = 500) -> Sequence[Order]:
        statement = (
            select(Order)
            .where(Order.status == "new", Order.created_at < moment)
            .order_by(Order.id)
            .limit(limit)
        )
        return self.session.exec(statement).all()

    def total_spent(self, user_id: int) -> float:
        statement = select(func.sum(Order.total)).where(
            Order.user_id == user_id, Order.status != "cancelled"
        )
        return self.session.exec(statement).one() or 0.0

    def units_by_product(self, limit: int) -> Sequence[tuple[int, int]]:
        sold = func.sum(OrderItem.quantity)
        statement = (
            select(OrderItem.product_id, sold)
            .group_by(OrderItem.product_id)
            .order_by(sold.desc(), OrderItem.product_id)
            .limit(limit)
        )
        return self.session.exec(statement).all()
