"""Everything about orders, once they have been placed (placing: routers/orders.py)."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import requests
from fastapi import HTTPException
from sqlmodel import Session

from shop.config import settings
from shop.errors import AlreadyShipped, InvalidCoupon
from shop.models import Order, Product, User
from shop.repositories import users as user_repository
from shop.repositories.orders import OrderRepository
from shop.services import catalog, mail, rates

logger = logging.getLogger(__name__)

COUPONS = {"WELCOME10": 0.10, "SPRING25": 0.25}


class OrderService:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.orders = OrderRepository(session)

    # --- reading

    def get(self, order_id: int) -> Order:
        order = self.orders.get(order_id)
        if order is None:
            raise HTTPException(404, "Order not found")
        return order

    def history(self, user_id: int, limit: int, offset: int) -> list[dict[str, Any]]:
        result = []
        for order in self.orders.for_user(user_id, limit, offset):
            items = self.orders.items_of(order.id)
            pieces = sum(item.quantity for item in items)
            result.append({**order.model_dump(), "pieces": pieces})
        return result

    def recent(self, limit: int) -> Sequence[Order]:
        return self.orders.recent(limit)

    def units_sold(self, limit: int) -> Sequence[tuple[int, int]]:
        return self.orders.units_by_product(limit)

    def customers(self) -> list[dict[str, Any]]:
        """Customers with what they spent and their points, for the loyalty programme."""
        rows = []
        for user in user_repository.list_all(self.session, role="customer"):
            spent = self.orders.total_spent(user.id)
            rows.append(
                {
                    "email": user.email,
                    "orders": len(user.orders),
                    "spent": round(spent, 2),
                    "points": self.points(spent),
                }
            )
        return rows

    def points(self, spent: float) -> int:
        return int(spent // 10)

    # --- money

    def discount(self, code: str, total: float) -> float:
        if code not in COUPONS:
            raise InvalidCoupon(code)
        return round(total * COUPONS[code], 2)

    def shipping(self, total: float, currency: str) -> float:
        if total >= rates.convert(settings.free_shipping_from, currency):
            return 0.0
        return rates.convert(settings.shipping_fee, currency)

    # --- changing

    def cancel(self, order_id: int, user: User) -> Order:
        order = self.get(order_id)
        if order.user_id != user.id and user.role == "customer":
            raise HTTPException(403, "Not your order")
        if order.status != "new":
            raise HTTPException(409, f"Order is {order.status}")
        self._put_back(order)
        order.status = "cancelled"
        return self.orders.save(order)

    def ship(self, order_id: int) -> Order:
        order = self.get(order_id)
        if order.status == "shipped":
            raise AlreadyShipped(order_id)
        if order.status != "new":
            raise HTTPException(409, f"Order is {order.status}")
        self._tell_warehouse(order)
        order.status = "shipped"
        self.orders.save(order)
        mail.send(self.session, order.customer.email, f"Order {order.id} is on its way", "")
        return order

    def refund(self, order_id: int) -> Order:
        order = self.get(order_id)
        if order.status == "refunded":
            raise ValueError(f"order {order_id} is refunded, total {order.total}")
        self._put_back(order)
        order.status = "refunded"
        return self.orders.save(order)

    def cancel_stale(self, days: int) -> int:
        """Orders nobody shipped in time."""
        stale = self.orders.unshipped_since(datetime.now(timezone.utc) - timedelta(days=days))
        for order in stale:
            order.status = "cancelled"
            self.session.add(order)
            self.session.commit()
        return len(stale)

    def _put_back(self, order: Order) -> None:
        back: dict[str, int] = {}
        for item in order.items:
            product = self.session.get(Product, item.product_id)
            back[product.sku] = product.stock + item.quantity
        catalog.restock(self.session, back)

    def _tell_warehouse(self, order: Order) -> None:
        if not settings.warehouse_url:
            logger.info("no warehouse configured, order %s stays with us", order.id)
            return
        requests.post(settings.warehouse_url, json={"order": order.id, "note": order.note})
