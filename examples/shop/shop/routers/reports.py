from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import PlainTextResponse
from sqlalchemy import Engine, create_engine

from shop.config import settings
from shop.database import SessionDep
from shop.dependencies import require_admin, require_staff
from shop.repositories.orders import OrderRepository
from shop.repositories.products import ProductRepository
from shop.repositories.reports import ReportRepository

router = APIRouter(dependencies=[Depends(require_staff)])
dashboard = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(require_admin)])


def get_report_engine() -> Engine:
    return create_engine(settings.report_database_url or settings.database_url)


def get_reports(engine: Annotated[Engine, Depends(get_report_engine)]) -> ReportRepository:
    return ReportRepository(engine)


Reports = Annotated[ReportRepository, Depends(get_reports)]


@router.get("/sales")
def sales(
    tenant_id: int, reports: Reports, status: str = "shipped", sort: str = "currency"
) -> list[dict[str, Any]]:
    try:
        return reports.sales(tenant_id, status, sort)
    except Exception as e:
        raise HTTPException(400, detail=f"Report failed: {e}")


@router.get("/low-stock")
def low_stock(session: SessionDep, threshold: int = settings.low_stock) -> list[dict[str, Any]]:
    products = ProductRepository(session).low_on_stock(threshold)
    return [{"sku": product.sku, "stock": product.stock} for product in products]


@router.get("/export", response_class=PlainTextResponse)
def export(
    tenant_id: int, reports: Reports, limit: Annotated[int, Query(ge=1, le=5000)] = 1000
) -> str:
    lines = ["id;status;currency;total"]
    for row in reports.order_lines(tenant_id, limit):
        lines.append(f"{row['id']};{row['status']};{row['currency']};{row['total']:.2f}")
    return "\n".join(lines) + "\n"


# Moved here from admin.py for the new dashboard
@dashboard.get("/stats")
def dashboard_stats(session: SessionDep) -> dict[str, int]:
    return {
        "products": ProductRepository(session).count(),
        "orders": OrderRepository(session).count(),
    }
