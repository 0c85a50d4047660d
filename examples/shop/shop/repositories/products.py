from collections.abc import Sequence

from fastapi import HTTPException
from sqlalchemy.orm import selectinload
from sqlmodel import col, or_, select

from shop.models import Product
from shop.repositories.base import Repository


class ProductRepository(Repository[Product]):
    model = Product

    def get_or_404(self, product_id: int) -> Product:
        product = self.get(product_id)
        if product is None:
            raise HTTPException(status_code=404, detail=f"Product {product_id} not found")
        return product

    def by_sku(self, sku: str) -> Product | None:
        return self.session.exec(select(Product).where(Product.sku == sku)).first()

    def search(self, words: str, limit: int) -> Sequence[Product]:
        pattern = f"%{words}%"
        statement = (
            select(Product)
            .where(or_(col(Product.name).ilike(pattern), col(Product.sku).ilike(pattern)))
            .options(selectinload(Product.category))
            .order_by(Product.name)
            .limit(limit)
        )
        return self.session.exec(statement).all()

    def featured(self, limit: int = 10) -> Sequence[Product]:
        statement = (
            select(Product)
            .where(Product.featured == True)  # noqa: E712
            .options(selectinload(Product.category))
            .order_by(Product.id)
            .limit(limit)
        )
        return self.session.exec(statement).all()

    def low_on_stock(self, threshold: int) -> list[Product]:
        return [product for product in self.all() if product.stock <= threshold]
