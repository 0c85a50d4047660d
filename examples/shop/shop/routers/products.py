from typing import Annotated

from fastapi import APIRouter, Depends, Query

from shop.database import SessionDep
from shop.dependencies import CurrentUser, require_partner, require_staff
from shop.models import Product
from shop.repositories.products import ProductRepository
from shop.schemas import ProductCreate, ProductPublic, ProductUpdate
from shop.services import catalog

# What everybody may see, and what only the staff may do.
router = APIRouter()
manage = APIRouter(dependencies=[Depends(require_staff)])


@router.get("", response_model=list[ProductPublic])
async def list_products(session: SessionDep, currency: str = "EUR"):
    return catalog.list_products(session, currency)


@router.get("/search", response_model=list[ProductPublic])
def search_products(
    session: SessionDep,
    q: Annotated[str, Query(min_length=2)],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
):
    return catalog.search(session, q, limit)


@router.get("/best-sellers", response_model=list[ProductPublic])
async def best_sellers(session: SessionDep, limit: Annotated[int, Query(ge=1, le=50)] = 5):
    return catalog.best_sellers(session, limit)


@router.get("/{product_id}", response_model=ProductPublic)
def read_product(product_id: int, session: SessionDep) -> Product:
    return catalog.get_product(session, product_id)


@router.get("/featured", response_model=list[ProductPublic])
def featured_products(session: SessionDep):
    return ProductRepository(session).featured()


@router.post("/{product_id}/seen", status_code=204)
async def product_seen(product_id: int, user: CurrentUser) -> None:
    catalog.remember(user.id, product_id)


@router.post("/stock-feed", dependencies=[Depends(require_partner)])
async def stock_feed(stock: dict[str, int], session: SessionDep) -> dict[str, list[str]]:
    return {"unknown": catalog.restock(session, stock)}


@manage.post("", status_code=201, response_model=ProductPublic)
def create_product(data: ProductCreate, session: SessionDep):
    return catalog.create_product(session, data)


@manage.patch("/{product_id}", response_model=ProductPublic)
def update_product(product_id: int, data: ProductUpdate, session: SessionDep):
    return catalog.update_product(session, product_id, data)


@router.delete("/{product_id}", status_code=204)
def delete_product(product_id: int, session: SessionDep):
    catalog.delete_product(session, product_id)
    return {"deleted": product_id}


@manage.get("/drafts", response_model=list[ProductPublic])
def list_drafts(session: SessionDep):
    # Not for sale yet: nothing on stock
    return ProductRepository(session).low_on_stock(0)
