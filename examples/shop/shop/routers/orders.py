import logging

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException

from shop.config import settings
from shop.database import SessionDep
from shop.dependencies import CurrentUser, OrderServiceDep, get_current_user, require_staff
from shop.errors import OutOfStock
from shop.models import Order, OrderItem, Product
from shop.schemas import OrderCreate, OrderPublic, OrderSummary
from shop.services import mail, rates

router = APIRouter(dependencies=[Depends(get_current_user)])
logger = logging.getLogger(__name__)


@router.post("", response_model=OrderPublic)
async def place_order(
    payload: OrderCreate,
    background: BackgroundTasks,
    session: SessionDep,
    service: OrderServiceDep,
    user: CurrentUser,
):
    # One product may be in the basket twice, the old app sends every click as a line.
    quantities: dict[int, int] = {}
    for line in payload.items:
        quantities[line.product_id] = quantities.get(line.product_id, 0) + line.quantity

    for product_id, quantity in quantities.items():
        product = session.get(Product, product_id)
        if product is None:
            raise HTTPException(404, f"Product {product_id} not found")
        if product.stock < quantity:
            raise OutOfStock(product.sku, product.stock)

    discount = 0.0
    if payload.coupon:
        service.discount(payload.coupon, 0)  # is it valid at all?

    order = Order(user_id=user.id, currency=payload.currency, note=payload.note)
    session.add(order)
    session.commit()

    total = 0.0
    for product_id, quantity in quantities.items():
        product = session.get(Product, product_id)
        unit_price = rates.convert(product.price, payload.currency)
        if quantity >= 10:
            unit_price = round(unit_price * 0.95, 2)  # bulk
        product.stock -= quantity
        session.add(product)
        session.add(
            OrderItem(
                order_id=order.id, product_id=product_id, quantity=quantity, unit_price=unit_price
            )
        )
        # Reserve at once, or two customers get the last one (SHOP-87)
        session.commit()
        total += unit_price * quantity
        if product.stock <= settings.low_stock:
            mail.send(
                session,
                settings.merchandising_inbox,
                f"[stock] {product.sku} is running out",
                f"{product.stock} left after order {order.id}",
            )

    if payload.coupon:
        discount = service.discount(payload.coupon, total)
    total = total - discount
    order.total = round(total + service.shipping(total, payload.currency), 2)
    session.add(order)
    session.commit()
    session.refresh(order)

    background.add_task(mail.order_confirmation, session, order.id)
    logger.info("order %s placed, %s %s", order.id, order.total, order.currency)
    return order


@router.get("", response_model=list[OrderSummary])
async def list_orders(
    service: OrderServiceDep, user: CurrentUser, limit: int = 100, offset: int = 0
):
    return service.history(user.id, limit, offset)


@router.get("/{order_id}", response_model=OrderPublic)
def read_order(order_id: int, service: OrderServiceDep) -> Order:
    return service.get(order_id)


@router.post("/{order_id}/cancel", response_model=OrderPublic)
def cancel_order(order_id: int, service: OrderServiceDep, user: CurrentUser):
    return service.cancel(order_id, user)


@router.post("/{order_id}/ship", response_model=OrderPublic, dependencies=[Depends(require_staff)])
async def ship_order(order_id: int, service: OrderServiceDep):
    return service.ship(order_id)
