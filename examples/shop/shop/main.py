import logging

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from sqlmodel import Session, SQLModel

from shop.config import API_PREFIX, settings
from shop.database import engine
from shop.errors import InvalidCoupon, OutOfStock
from shop.models import Tenant, User
from shop.repositories import users as user_repository
from shop.routers import admin, auth, orders, products, reports, users
from shop.services import security

logging.basicConfig(level=logging.INFO)

# TODO(jo): Alembic. Until then this is good enough.
SQLModel.metadata.create_all(engine)

app = FastAPI(title=settings.app_name, debug=settings.debug)

app.add_middleware(
    CORSMiddleware,
    allow_origins=settings.cors_origins,
    allow_credentials=settings.cors_credentials,
    allow_methods=["*"],
    allow_headers=["*"],
)

for module in (auth, users, admin):
    app.include_router(module.router, prefix=API_PREFIX)

app.include_router(orders.router, prefix=f"{API_PREFIX}/orders", tags=["orders"])
app.include_router(products.router, prefix=f"{API_PREFIX}/products", tags=["products"])
app.include_router(products.manage, prefix=f"{API_PREFIX}/products", tags=["products"])
app.include_router(
    reports.router, prefix=API_PREFIX + "/tenants/{tenant_id}/reports", tags=["reports"]
)
app.include_router(reports.dashboard, prefix=API_PREFIX)


@app.on_event("startup")
def seed() -> None:
    """A fresh installation has one tenant and one administrator."""
    with Session(engine) as session:
        if session.get(Tenant, 1) is None:
            session.add(Tenant(id=1, name="Main shop", currency=settings.base_currency))
        if user_repository.get_by_email(session, settings.admin_email) is None:
            session.add(
                User(
                    email=settings.admin_email,
                    full_name="Administrator",
                    password_hash=security.hash_password(settings.admin_password),
                    role="admin",
                )
            )
        session.commit()


@app.exception_handler(OutOfStock)
async def out_of_stock(request: Request, exc: OutOfStock) -> JSONResponse:
    return JSONResponse({"detail": str(exc), "available": exc.available}, status_code=409)


@app.exception_handler(InvalidCoupon)
async def invalid_coupon(request: Request, exc: InvalidCoupon) -> JSONResponse:
    return JSONResponse({"detail": str(exc)}, status_code=400)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
