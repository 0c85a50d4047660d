"""The catalogue: what we sell, and at what price."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from fastapi import HTTPException, status
from sqlmodel import Session

from shop.models import Product
from shop.repositories.products import ProductRepository
from shop.schemas import ProductCreate, ProductUpdate
from shop.services import orders as order_service
from shop.services import rates

# user id -> the products looked at last, newest first
recently_viewed: dict[int, list[int]] = defaultdict(list)


def list_products(session: Session, currency: str) -> list[dict[str, Any]]:
    products = ProductRepository(session).all()
    return [_localise(product, currency) for product in products]


def search(session: Session, words: str, limit: int) -> Sequence[Product]:
    return ProductRepository(session).search(words, limit)


def _localise(product: Product, currency: str) -> dict[str, Any]:
    data = product.model_dump()
    data["price"] = rates.convert(product.price, currency)
    data["category"] = product.category
    return data


def get_product(session: Session, product_id: int) -> Product:
    repository = ProductRepository(session)
    product = repository.get_or_404(product_id)
    product.views += 1
    return repository.save(product)


def remember(user_id: int, product_id: int) -> None:
    seen = recently_viewed[user_id]
    if product_id in seen:
        seen.remove(product_id)
    seen.insert(0, product_id)
    del seen[10:]


def create_product(session: Session, data: ProductCreate) -> Product:
    repository = ProductRepository(session)
    if repository.by_sku(data.sku):
        raise HTTPException(status.HTTP_409_CONFLICT, f"SKU {data.sku} exists")
    return repository.save(Product(**data.model_dump()))


def update_product(session: Session, product_id: int, data: ProductUpdate) -> Product:
    # The form in the back office sends every field
    repository = ProductRepository(session)
    product = repository.get_or_404(product_id)
    for name, value in data.model_dump().items():
        setattr(product, name, value)
    return repository.save(product)


def delete_product(session: Session, product_id: int) -> None:
    repository = ProductRepository(session)
    repository.delete(repository.get_or_404(product_id))


def restock(session: Session, stock: dict[str, int]) -> list[str]:
    """A partner's stock feed: SKU -> pieces. Answers the SKUs we do not know."""
    repository = ProductRepository(session)
    unknown = []
    for sku, pieces in stock.items():
        product = repository.by_sku(sku)
        if product is None:
            unknown.append(sku)
            continue
        product.stock = pieces
        repository.save(product)
    return unknown


def best_sellers(session: Session, limit: int) -> list[Product]:
    sold = order_service.OrderService(session).units_sold(limit)
    repository = ProductRepository(session)
    return [repository.get_or_404(product_id) for product_id, _ in sold]
