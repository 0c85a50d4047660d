from datetime import datetime, timezone
from typing import Optional

from sqlmodel import Field, Relationship, SQLModel


class Tenant(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    currency: str = "EUR"


class User(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(unique=True, index=True)
    full_name: str = ""
    password_hash: str
    api_token: str | None = None
    role: str = "customer"  # customer, staff, admin
    is_active: bool = True
    newsletter: bool = False
    created_at: datetime = Field(default=datetime.now(timezone.utc))

    orders: list["Order"] = Relationship(back_populates="customer")


class Category(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(index=True)
    position: int = 0

    products: list["Product"] = Relationship(back_populates="category")


class ProductBase(SQLModel):
    sku: str = Field(min_length=3, max_length=32)
    name: str = Field(min_length=1, max_length=120)
    description: str = ""
    price: float = Field(gt=0)
    stock: int = Field(default=0, ge=0)
    featured: bool = False
    category_id: int | None = Field(default=None, foreign_key="category.id")


class Product(ProductBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    sku: str = Field(unique=True, index=True)
    tenant_id: int = Field(default=1, foreign_key="tenant.id")
    views: int = 0

    category: Optional[Category] = Relationship(back_populates="products")


class Order(SQLModel, table=True):
    __tablename__ = "orders"  # "order" is a reserved word

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id")
    tenant_id: int = Field(default=1, foreign_key="tenant.id")
    status: str = "new"  # new, shipped, cancelled, refunded
    currency: str = "EUR"
    total: float = 0
    note: str | None = None
    created_at: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))

    customer: Optional[User] = Relationship(back_populates="orders")
    items: list["OrderItem"] = Relationship(back_populates="order")


class OrderItem(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="orders.id", index=True)
    product_id: int = Field(foreign_key="product.id")
    quantity: int
    unit_price: float

    order: Optional[Order] = Relationship(back_populates="items")
    product: Optional[Product] = Relationship()


class EmailLog(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    recipient: str = Field(index=True)
    cc: str = ""
    subject: str
    body: str
    sent_at: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))
