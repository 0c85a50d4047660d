from fastapi import APIRouter, Depends, HTTPException
from sqlmodel import Session, col, func, select

from shop.database import SessionDep
from shop.dependencies import OrderServiceDep, get_db, require_admin
from shop.models import Category, EmailLog, Order, User
from shop.repositories import users as user_repository
from shop.repositories.products import ProductRepository
from shop.schemas import CategoryPublic, NewsletterIn, OrderPublic
from shop.services import audit, mail

router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(require_admin)])


@router.get("/stats")
def stats(session: SessionDep) -> dict[str, int]:
    return {
        "products": ProductRepository(session).count(),
        "orders": session.exec(select(func.count()).select_from(Order)).one(),
    }


@router.post("/categories", status_code=201, response_model=CategoryPublic)
def create_category(category: Category, session: SessionDep) -> Category:
    session.add(category)
    session.commit()
    session.refresh(category)
    return category


@router.get("/orders", response_model=list[OrderPublic])
async def list_orders(service: OrderServiceDep, limit: int = 50):
    return service.recent(limit)


@router.get("/customers")
def list_customers(service: OrderServiceDep):
    return service.customers()


@router.post("/orders/{order_id}/refund", response_model=OrderPublic)
def refund_order(order_id: int, service: OrderServiceDep):
    try:
        return service.refund(order_id)
    except Exception as e:
        raise HTTPException(status_code=500, detail=str(e))


@router.post("/orders/cancel-stale")
def cancel_stale_orders(service: OrderServiceDep, days: int = 30) -> dict[str, int]:
    return {"cancelled": service.cancel_stale(days)}


@router.put("/users/{user_id}/role")
async def change_role(
    user_id: int, role: str, db: Session = Depends(get_db), admin: User = Depends(require_admin)
) -> dict[str, str]:
    user = user_repository.get(db, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    if role not in ("customer", "staff", "admin"):
        raise HTTPException(422, f"Unknown role {role}")
    user.role = role
    user_repository.save(db, user)
    audit.record(admin.email, f"role of {user.email} is {role}")
    return {"email": user.email, "role": user.role}


@router.delete("/users/{user_id}", status_code=204)
async def deactivate_user(
    user_id: int, db: Session = Depends(get_db), admin: User = Depends(require_admin)
) -> None:
    user = user_repository.get(db, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    user.is_active = False
    user_repository.save(db, user)
    await audit.record(admin.email, f"deactivated {user.email}")


@router.post("/newsletter")
async def newsletter(data: NewsletterIn, session: SessionDep) -> dict[str, int]:
    return {"sent": mail.send_newsletter(session, data.subject, data.body)}


@router.get("/outbox")
def outbox(session: SessionDep, recipient: str | None = None) -> list[EmailLog]:
    statement = select(EmailLog).order_by(col(EmailLog.id).desc()).limit(50)
    if recipient:
        statement = statement.where(EmailLog.recipient == recipient)
    return list(session.exec(statement).all())
