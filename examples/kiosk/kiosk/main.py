"""The web shop of the museum kiosk."""

import hashlib
import hmac
import logging
import os
import secrets
import smtplib
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from email.message import EmailMessage
from enum import Enum
from typing import List, Optional

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlmodel import Field, Relationship, Session, SQLModel, create_engine, func, select

logger = logging.getLogger(__name__)

DATABASE_URL = os.getenv("KIOSK_DATABASE_URL", "sqlite:///kiosk.db")
SMTP_HOST = os.getenv("KIOSK_SMTP_HOST", "")
MAIL_FROM = os.getenv("KIOSK_MAIL_FROM", "kiosk@museum.example")
WEBHOOK_SECRET = os.getenv("KIOSK_WEBHOOK_SECRET", "whsec-change-me")
ADMIN_TOKEN = os.getenv("KIOSK_ADMIN_TOKEN", "admin-change-me")
PICTURES = os.getenv("KIOSK_PICTURES", "pictures")

VAT = Decimal("0.19")
FREE_SHIPPING_FROM = Decimal("50.00")
SHIPPING = Decimal("4.90")
MAX_PER_ORDER = 20

engine = create_engine(DATABASE_URL, connect_args={"check_same_thread": False})


# ---------------------------------------------------------------------------
# tables
# ---------------------------------------------------------------------------


class OrderStatus(str, Enum):
    open = "open"
    paid = "paid"
    shipped = "shipped"
    cancelled = "cancelled"


class ProductBase(SQLModel):
    sku: str = Field(index=True, unique=True)
    name: str
    description: str = ""
    price: Decimal = Field(max_digits=10, decimal_places=2)
    stock: int = 0


class Product(ProductBase, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    active: bool = True
    picture: Optional[str] = None
    purchase_price: Decimal = Field(default=Decimal("0"), max_digits=10, decimal_places=2)

    reviews: List["Review"] = Relationship(back_populates="product")


class Customer(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    email: str = Field(index=True, unique=True)
    name: str
    password_hash: str
    api_token: str = Field(index=True)
    is_member: bool = False

    orders: List["Order"] = Relationship(back_populates="customer")


class Order(SQLModel, table=True):
    __tablename__ = "orders"

    id: Optional[int] = Field(default=None, primary_key=True)
    customer_id: int = Field(foreign_key="customer.id", index=True)
    status: OrderStatus = OrderStatus.open
    created_at: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))
    shipping: Decimal = Field(default=Decimal("0"), max_digits=10, decimal_places=2)
    discount: Decimal = Field(default=Decimal("0"), max_digits=10, decimal_places=2)
    total: Decimal = Field(default=Decimal("0"), max_digits=10, decimal_places=2)
    coupon: Optional[str] = None

    customer: Optional[Customer] = Relationship(back_populates="orders")
    lines: List["OrderLine"] = Relationship(back_populates="order")


class OrderLine(SQLModel, table=True):
    __tablename__ = "order_line"

    id: Optional[int] = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="orders.id", index=True)
    product_id: int = Field(foreign_key="product.id")
    quantity: int
    unit_price: Decimal = Field(max_digits=10, decimal_places=2)

    order: Optional[Order] = Relationship(back_populates="lines")
    product: Optional[Product] = Relationship()


class Coupon(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    code: str = Field(index=True, unique=True)
    percent: int
    minimum: Decimal = Field(default=Decimal("0"), max_digits=10, decimal_places=2)
    uses_left: int = 1


class Review(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    product_id: int = Field(foreign_key="product.id", index=True)
    customer_id: int = Field(foreign_key="customer.id")
    stars: int
    text: str = ""

    product: Optional[Product] = Relationship(back_populates="reviews")


# ---------------------------------------------------------------------------
# what comes in, what goes out
# ---------------------------------------------------------------------------


class ProductCreate(ProductBase):
    purchase_price: Decimal = Decimal("0")


class ProductUpdate(SQLModel):
    name: Optional[str] = None
    description: Optional[str] = None
    price: Optional[Decimal] = None
    stock: Optional[int] = None
    active: Optional[bool] = None


class SignUp(SQLModel):
    email: str
    name: str
    password: str


class Login(SQLModel):
    email: str
    password: str


class Line(SQLModel):
    sku: str
    quantity: int = 1


class OrderCreate(SQLModel):
    lines: List[Line]
    coupon: Optional[str] = None


class CouponCreate(SQLModel):
    code: str
    percent: int
    minimum: Decimal = Decimal("0")
    uses_left: int = 1


class ReviewCreate(SQLModel):
    stars: int
    text: str = ""


class LineOut(SQLModel):
    sku: str
    name: str
    quantity: int
    unit_price: Decimal


class OrderOut(SQLModel):
    id: int
    status: OrderStatus
    shipping: Decimal
    discount: Decimal
    total: Decimal
    coupon: Optional[str]
    lines: List[LineOut]


# ---------------------------------------------------------------------------
# small things
# ---------------------------------------------------------------------------


def get_session():
    with Session(engine) as session:
        yield session


def hash_password(password: str) -> str:
    salt = secrets.token_hex(8)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 20_000)
    return f"{salt}${digest.hex()}"


def check_password(password: str, stored: str) -> bool:
    salt, _, digest = stored.partition("$")
    found = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 20_000)
    return hmac.compare_digest(found.hex(), digest)


def current_customer(
    authorization: str = Header(default=""), session: Session = Depends(get_session)
) -> Customer:
    token = authorization.removeprefix("Bearer ").strip()
    if not token:
        raise HTTPException(
            status_code=401, detail="Please log in", headers={"WWW-Authenticate": "Bearer"}
        )
    customer = session.exec(select(Customer).where(Customer.api_token == token)).first()
    if customer is None:
        raise HTTPException(
            status_code=401, detail="Please log in", headers={"WWW-Authenticate": "Bearer"}
        )
    return customer


def require_admin(x_admin_token: str = Header(default="")) -> None:
    if not hmac.compare_digest(x_admin_token.encode(), ADMIN_TOKEN.encode()):
        raise HTTPException(status_code=403, detail="Staff only")


def send_mail(to: str, subject: str, text: str) -> None:
    if not SMTP_HOST:
        logger.info("no mail host, not sent: %s", subject)
        return
    message = EmailMessage()
    message["From"] = MAIL_FROM
    message["To"] = to
    message["Subject"] = subject
    message.set_content(text)
    with smtplib.SMTP(SMTP_HOST, timeout=10) as server:
        server.send_message(message)


def find_product(session: Session, sku: str) -> Product:
    product = session.exec(select(Product).where(Product.sku == sku)).first()
    if product is None or not product.active:
        raise HTTPException(status_code=404, detail=f"No product {sku}")
    return product


def order_out(order: Order) -> OrderOut:
    return OrderOut(
        id=order.id,
        status=order.status,
        shipping=order.shipping,
        discount=order.discount,
        total=order.total,
        coupon=order.coupon,
        lines=[
            LineOut(
                sku=line.product.sku,
                name=line.product.name,
                quantity=line.quantity,
                unit_price=line.unit_price,
            )
            for line in order.lines
        ],
    )


# ---------------------------------------------------------------------------
# the application
# ---------------------------------------------------------------------------

app = FastAPI(title="Kiosk", version="0.9.0")


@app.on_event("startup")
def create_tables():
    SQLModel.metadata.create_all(engine)


@app.middleware("http")
async def timing(request: Request, call_next):
    started = time.perf_counter()
    response = await call_next(request)
    response.headers["X-Time"] = f"{time.perf_counter() - started:.3f}"
    return response


@app.get("/health")
def health():
    return {"status": "ok"}


# ------------------------------------------------------------------- products


@app.get("/products")
def list_products(
    q: Optional[str] = None,
    in_stock: bool = False,
    session: Session = Depends(get_session),
) -> List[Product]:
    statement = select(Product).where(Product.active == True)  # noqa: E712
    if q:
        statement = statement.where(Product.name.contains(q))
    if in_stock:
        statement = statement.where(Product.stock > 0)
    return session.exec(statement.order_by(Product.sku)).all()


@app.get("/products/{sku}")
def get_product(sku: str, session: Session = Depends(get_session)):
    product = find_product(session, sku)
    stars = [review.stars for review in product.reviews]
    return {
        "sku": product.sku,
        "name": product.name,
        "description": product.description,
        "price": product.price,
        "available": product.stock > 0,
        "reviews": len(stars),
        "stars": round(sum(stars) / len(stars), 1) if stars else None,
    }


@app.post("/products", status_code=201, dependencies=[Depends(require_admin)])
def create_product(data: ProductCreate, session: Session = Depends(get_session)) -> Product:
    existing = session.exec(select(Product).where(Product.sku == data.sku)).first()
    if existing is not None:
        raise HTTPException(status_code=409, detail=f"There is a product {data.sku} already")
    if data.price <= 0:
        raise HTTPException(status_code=422, detail="A price is more than nothing")
    product = Product.model_validate(data)
    session.add(product)
    session.commit()
    session.refresh(product)
    return product


@app.patch("/products/{sku}", dependencies=[Depends(require_admin)])
def update_product(
    sku: str, data: ProductUpdate, session: Session = Depends(get_session)
) -> Product:
    product = session.exec(select(Product).where(Product.sku == sku)).first()
    if product is None:
        raise HTTPException(status_code=404, detail=f"No product {sku}")
    if data.price is not None and data.price <= 0:
        raise HTTPException(status_code=422, detail="A price is more than nothing")
    product.sqlmodel_update(data.model_dump(exclude_unset=True))
    session.add(product)
    session.commit()
    session.refresh(product)
    return product


@app.delete("/products/{sku}", status_code=204, dependencies=[Depends(require_admin)])
def retire_product(sku: str, session: Session = Depends(get_session)) -> None:
    # KIOSK-12: products with orders cannot go, so nothing is ever deleted
    product = find_product(session, sku)
    product.active = False
    session.add(product)
    session.commit()


@app.put("/products/{sku}/picture", dependencies=[Depends(require_admin)])
async def upload_picture(sku: str, file: UploadFile, session: Session = Depends(get_session)):
    product = find_product(session, sku)
    if file.content_type not in ("image/png", "image/jpeg"):
        raise HTTPException(status_code=415, detail="PNG or JPEG, please")
    content = await file.read()
    os.makedirs(PICTURES, exist_ok=True)
    name = f"{product.sku}-{file.filename}"
    with open(os.path.join(PICTURES, name), "wb") as target:
        target.write(content)
    product.picture = name
    session.add(product)
    session.commit()
    return {"picture": name, "size": len(content)}


# ------------------------------------------------------------------ customers


@app.post("/signup", status_code=201)
def sign_up(data: SignUp, session: Session = Depends(get_session)):
    email = data.email.strip().lower()
    if "@" not in email:
        raise HTTPException(status_code=422, detail="That is no e-mail address")
    if len(data.password) < 8:
        raise HTTPException(status_code=422, detail="A password has eight characters or more")
    taken = session.exec(select(Customer).where(Customer.email == email)).first()
    if taken is not None:
        raise HTTPException(status_code=409, detail="There is an account with this address")
    customer = Customer(
        email=email,
        name=data.name,
        password_hash=hash_password(data.password),
        api_token=secrets.token_urlsafe(24),
    )
    session.add(customer)
    session.commit()
    session.refresh(customer)
    send_mail(customer.email, "Welcome", f"Hello {customer.name}, your account is ready.")
    return customer


@app.post("/login")
async def login(data: Login, session: Session = Depends(get_session)):
    email = data.email.strip().lower()
    customer = session.exec(select(Customer).where(Customer.email == email)).first()
    if customer is None or not check_password(data.password, customer.password_hash):
        time.sleep(0.01)  # slows down who guesses
        raise HTTPException(status_code=401, detail="Wrong address or password")
    customer.api_token = secrets.token_urlsafe(24)
    session.add(customer)
    session.commit()
    return {"token": customer.api_token}


@app.get("/me")
def me(customer: Customer = Depends(current_customer)):
    return {"email": customer.email, "name": customer.name, "member": customer.is_member}


@app.get("/customers", dependencies=[Depends(require_admin)])
def list_customers(session: Session = Depends(get_session)) -> List[Customer]:
    return session.exec(select(Customer).order_by(Customer.email)).all()


@app.post("/customers/{customer_id}/membership", dependencies=[Depends(require_admin)])
def make_member(customer_id: int, session: Session = Depends(get_session)):
    customer = session.get(Customer, customer_id)
    if customer is None:
        raise HTTPException(status_code=404, detail="No such customer")
    customer.is_member = True
    session.add(customer)
    session.commit()
    return {"email": customer.email, "member": customer.is_member}


# --------------------------------------------------------------------- orders


@app.post("/orders", status_code=201)
async def create_order(
    data: OrderCreate,
    response: Response,
    customer: Customer = Depends(current_customer),
    session: Session = Depends(get_session),
) -> OrderOut:
    if not data.lines:
        raise HTTPException(status_code=422, detail="An order has at least one line")
    total = Decimal("0")
    lines = []
    for line in data.lines:
        product = session.exec(select(Product).where(Product.sku == line.sku)).first()
        if product is None or not product.active:
            raise HTTPException(status_code=404, detail=f"No product {line.sku}")
        if line.quantity < 1 or line.quantity > MAX_PER_ORDER:
            raise HTTPException(
                status_code=422, detail=f"Between 1 and {MAX_PER_ORDER} of each, please"
            )
        if product.stock < line.quantity:
            raise HTTPException(
                status_code=409, detail=f"Only {product.stock} of {product.name} left"
            )
        product.stock -= line.quantity
        session.add(product)
        lines.append(
            OrderLine(product_id=product.id, quantity=line.quantity, unit_price=product.price)
        )
        total += product.price * line.quantity
    discount = Decimal("0")
    if customer.is_member:
        discount = (total * Decimal("0.05")).quantize(Decimal("0.01"))
    if data.coupon:
        coupon = session.exec(select(Coupon).where(Coupon.code == data.coupon)).first()
        if coupon is None or coupon.uses_left < 1:
            raise HTTPException(status_code=400, detail="This coupon is not valid")
        if total < coupon.minimum:
            raise HTTPException(
                status_code=400, detail=f"This coupon is for orders from {coupon.minimum}"
            )
        discount += (total * coupon.percent / 100).quantize(Decimal("0.01"))
        coupon.uses_left -= 1
        session.add(coupon)
    shipping = Decimal("0") if total - discount >= FREE_SHIPPING_FROM else SHIPPING
    order = Order(
        customer_id=customer.id,
        shipping=shipping,
        discount=discount,
        total=total - discount + shipping,
        coupon=data.coupon,
    )
    session.add(order)
    session.commit()
    session.refresh(order)
    for order_line in lines:
        order_line.order_id = order.id
        session.add(order_line)
    session.commit()
    session.refresh(order)
    try:
        send_mail(
            customer.email,
            f"Your order {order.id}",
            f"Thank you, {customer.name}. {order.total} euros, please.",
        )
    except OSError:
        logger.exception("mail about order %s", order.id)
    logger.info("order %s: %s", order.id, order.total)
    response.headers["Location"] = f"/orders/{order.id}"
    return order_out(order)


@app.get("/orders")
def list_orders(
    customer: Customer = Depends(current_customer), session: Session = Depends(get_session)
) -> List[OrderOut]:
    orders = session.exec(
        select(Order).where(Order.customer_id == customer.id).order_by(Order.id)
    ).all()
    return [order_out(order) for order in orders]


@app.get("/orders/{order_id}")
def get_order(
    order_id: int,
    customer: Customer = Depends(current_customer),
    session: Session = Depends(get_session),
) -> OrderOut:
    order = session.get(Order, order_id)
    if order is None or order.customer_id != customer.id:
        raise HTTPException(status_code=404, detail="No such order")
    return order_out(order)


@app.post("/orders/{order_id}/cancel")
def cancel_order(
    order_id: int,
    customer: Customer = Depends(current_customer),
    session: Session = Depends(get_session),
) -> OrderOut:
    order = session.get(Order, order_id)
    if order is None or order.customer_id != customer.id:
        raise HTTPException(status_code=404, detail="No such order")
    if order.status != OrderStatus.open:
        raise HTTPException(status_code=409, detail=f"An order that is {order.status.value} stays")
    for line in order.lines:
        product = session.get(Product, line.product_id)
        product.stock += line.quantity
        session.add(product)
        session.commit()
    order.status = OrderStatus.cancelled
    session.add(order)
    session.commit()
    session.refresh(order)
    send_mail(customer.email, f"Order {order.id} cancelled", "We are sorry to hear that.")
    return order_out(order)


@app.post("/orders/{order_id}/ship", dependencies=[Depends(require_admin)])
def ship_order(order_id: int, session: Session = Depends(get_session)):
    order = session.get(Order, order_id)
    if order is None:
        raise HTTPException(status_code=404, detail="No such order")
    if order.status != OrderStatus.paid:
        raise HTTPException(status_code=409, detail="Only what is paid is shipped")
    order.status = OrderStatus.shipped
    session.add(order)
    session.commit()
    send_mail(order.customer.email, f"Order {order.id}", "It is on its way.")
    return {"id": order.id, "status": order.status}


@app.get("/orders/{order_id}/invoice", response_class=PlainTextResponse)
def invoice(
    order_id: int,
    customer: Customer = Depends(current_customer),
    session: Session = Depends(get_session),
):
    order = session.get(Order, order_id)
    if order is None or order.customer_id != customer.id:
        raise HTTPException(status_code=404, detail="No such order")
    rows = [f"Invoice {order.id}"]
    for line in order.lines:
        rows.append(f"{line.quantity} x {line.product.name}: {line.unit_price * line.quantity}")
    net = (order.total / (1 + VAT)).quantize(Decimal("0.01"))
    rows.append(f"Shipping: {order.shipping}")
    rows.append(f"Total: {order.total} (VAT {order.total - net})")
    return "\n".join(rows)


# -------------------------------------------------------------------- payment


@app.post("/webhooks/payment")
async def payment_webhook(request: Request, session: Session = Depends(get_session)):
    body = await request.body()
    signature = request.headers.get("X-Signature", "")
    expected = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    if signature != expected:
        raise HTTPException(status_code=400, detail="Wrong signature")
    event = await request.json()
    order = session.get(Order, event["order_id"])
    if order is None:
        raise HTTPException(status_code=404, detail="No such order")
    if event["type"] == "paid" and order.status == OrderStatus.open:
        order.status = OrderStatus.paid
        session.add(order)
        session.commit()
        logger.info("order %s is paid", order.id)
    return {"received": True}


# -------------------------------------------------------------------- coupons


@app.post("/coupons", status_code=201, dependencies=[Depends(require_admin)])
def create_coupon(data: CouponCreate, session: Session = Depends(get_session)) -> Coupon:
    if not 1 <= data.percent <= 90:
        raise HTTPException(status_code=422, detail="Between 1 and 90 percent")
    if session.exec(select(Coupon).where(Coupon.code == data.code)).first():
        raise HTTPException(status_code=409, detail="This code is taken")
    coupon = Coupon(**data.dict())
    session.add(coupon)
    session.commit()
    session.refresh(coupon)
    return coupon


@app.get("/coupons", dependencies=[Depends(require_admin)])
def list_coupons(session: Session = Depends(get_session)) -> List[Coupon]:
    return session.exec(select(Coupon).order_by(Coupon.code)).all()


@app.get("/coupons/{code}")
def check_coupon(code: str, session: Session = Depends(get_session)):
    coupon = session.exec(select(Coupon).where(Coupon.code == code)).first()
    if coupon is None or coupon.uses_left < 1:
        raise HTTPException(status_code=404, detail="This coupon is not valid")
    return {"code": coupon.code, "percent": coupon.percent, "minimum": coupon.minimum}


# -------------------------------------------------------------------- reviews


@app.get("/products/{sku}/reviews")
def list_reviews(sku: str, session: Session = Depends(get_session)):
    product = find_product(session, sku)
    reviews = session.exec(
        select(Review).where(Review.product_id == product.id).order_by(Review.id)
    ).all()
    found = []
    for review in reviews:
        author = session.get(Customer, review.customer_id)
        found.append({"stars": review.stars, "text": review.text, "by": author.name})
    return found


@app.post("/products/{sku}/reviews", status_code=201)
def create_review(
    sku: str,
    data: ReviewCreate,
    customer: Customer = Depends(current_customer),
    session: Session = Depends(get_session),
):
    product = find_product(session, sku)
    if not 1 <= data.stars <= 5:
        raise HTTPException(status_code=422, detail="One to five stars")
    bought = session.exec(
        select(OrderLine)
        .join(Order)
        .where(Order.customer_id == customer.id, OrderLine.product_id == product.id)
    ).first()
    if bought is None:
        raise HTTPException(status_code=403, detail="Only who bought it can review it")
    review = Review(
        product_id=product.id, customer_id=customer.id, stars=data.stars, text=data.text
    )
    session.add(review)
    session.commit()
    session.refresh(review)
    return review


@app.delete(
    "/products/{sku}/reviews/{review_id}",
    status_code=204,
    dependencies=[Depends(require_admin)],
)
def delete_review(sku: str, review_id: int, session: Session = Depends(get_session)) -> None:
    review = session.get(Review, review_id)
    if review is None:
        raise HTTPException(status_code=404, detail="No such review")
    session.delete(review)
    session.commit()


# -------------------------------------------------------------------- reports


@app.get("/reports/sales", dependencies=[Depends(require_admin)])
def sales_report(days: int = Query(default=30, ge=1), session: Session = Depends(get_session)):
    since = datetime.now(timezone.utc) - timedelta(days=days)
    orders = session.exec(select(Order).where(Order.created_at >= since)).all()
    by_product: dict[str, int] = {}
    turnover = Decimal("0")
    for order in orders:
        if order.status == OrderStatus.cancelled:
            continue
        turnover += order.total
        for line in order.lines:
            name = line.product.name
            by_product[name] = by_product.get(name, 0) + line.quantity
    best = sorted(by_product.items(), key=lambda item: (-item[1], item[0]))
    return {
        "orders": len(orders),
        "turnover": turnover,
        "best": [{"name": name, "quantity": quantity} for name, quantity in best[:5]],
    }


@app.get("/reports/stock", dependencies=[Depends(require_admin)])
def stock_report(below: int = 5, session: Session = Depends(get_session)):
    rows = session.exec(
        select(Product).where(Product.stock < below).order_by(Product.stock, Product.sku)
    ).all()
    count = session.exec(select(func.count()).select_from(Product)).one()
    return {
        "products": count,
        "low": [{"sku": row.sku, "stock": row.stock} for row in rows],
    }


@app.exception_handler(KeyError)
async def on_missing_key(request: Request, error: KeyError):
    return JSONResponse(status_code=400, content={"detail": f"{error.args[0]} is missing"})


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="0.0.0.0", port=8000)
