"""What can go wrong in the shop. Handlers are in main.py."""


class ShopError(Exception):
    """Base of our own errors."""


class OutOfStock(ShopError):
    def __init__(self, sku: str, available: int) -> None:
        super().__init__(f"Only {available} of {sku} left")
        self.sku = sku
        self.available = available


class InvalidCoupon(ShopError):
    def __init__(self, code: str) -> None:
        super().__init__(f"Coupon {code} is not valid")


class UnsupportedCurrency(ShopError):
    def __init__(self, currency: str) -> None:
        super().__init__(f"We do not sell in {currency}")


class AlreadyShipped(ShopError):
    def __init__(self, order_id: int) -> None:
        super().__init__(f"Order {order_id} has left the warehouse")
