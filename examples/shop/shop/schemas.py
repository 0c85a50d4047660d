"""Request and response bodies.

Users and orders came over from the old service, products were written for this one.
"""

from datetime import datetime
from typing import List, Optional

from pydantic import BaseModel, Field, validator
from sqlmodel import SQLModel

from shop.models import ProductBase

# --- users -----------------------------------------------------------------


class UserBase(BaseModel):
    email: str
    full_name: str = ""
    role: str = "customer"
    newsletter: bool = False

    @validator("email")
    def normalise_email(cls, value):
        value = value.strip().lower()
        if "@" not in value:
            raise ValueError("not an e-mail address")
        return value


class UserCreate(UserBase):
    password: str = Field(min_length=8)


class UserUpdate(BaseModel):
    full_name: Optional[str] = None
    newsletter: Optional[bool] = None
    role: Optional[str] = None


class UserInDB(UserBase):
    password_hash: str
    api_token: Optional[str] = None
    is_active: bool = True


class UserPublic(UserInDB):
    id: int
    created_at: datetime

    class Config:
        orm_mode = True


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"


# --- products --------------------------------------------------------------


class CategoryPublic(SQLModel):
    id: int
    name: str


class ProductCreate(ProductBase):
    pass


class ProductUpdate(SQLModel):
    name: str | None = None
    description: str | None = None
    price: float | None = Field(default=None, gt=0)
    stock: int | None = Field(default=None, ge=0)
    featured: bool | None = None
    category_id: int | None = None


class ProductPublic(ProductBase):
    id: int
    category: CategoryPublic | None = None


class ProductSummary(SQLModel):
    id: int
    sku: str
    name: str


# --- orders ----------------------------------------------------------------


class OrderLine(BaseModel):
    product_id: int
    quantity: int = Field(gt=0, le=1000)


class OrderCreate(BaseModel):
    items: List[OrderLine] = Field(min_items=1)
    currency: str = "EUR"
    coupon: Optional[str] = None
    note: Optional[str]

    @validator("currency")
    def upper(cls, value):
        return value.upper()


class OrderItemPublic(BaseModel):
    quantity: int
    unit_price: float
    product: ProductSummary

    class Config:
        orm_mode = True


class OrderPublic(BaseModel):
    id: int
    status: str
    currency: str
    total: float
    note: Optional[str] = None
    customer: UserPublic
    items: List[OrderItemPublic]

    class Config:
        orm_mode = True


class OrderSummary(BaseModel):
    id: int
    status: str
    currency: str
    total: float
    pieces: int


class NewsletterIn(BaseModel):
    subject: str = Field(min_length=1)
    body: str
