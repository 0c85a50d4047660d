"""Settings, from the environment (SHOP_*) or a .env file."""

from pydantic_settings import BaseSettings, SettingsConfigDict

API_PREFIX = "/api"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_", env_file=".env", extra="ignore")

    app_name: str = "Shop"
    debug: bool = True  # flip before go-live
    database_url: str = "sqlite:///./shop.db"
    report_database_url: str = ""  # the read replica, where there is one

    # The storefronts live on customers' domains, we cannot list them all.
    cors_origins: list[str] = ["*"]
    cors_credentials: bool = True

    admin_email: str = "admin@shop.example"
    admin_password: str = "changeme-now"
    partner_token: str = "pt_live_6b1f0c9e2d7a4f55"
    bcrypt_rounds: int = 12

    base_currency: str = "EUR"
    rates_url: str = "https://rates.shop.example/latest"
    warehouse_url: str = "https://warehouse.shop.example/shipments"
    smtp_host: str = ""
    mail_from: str = "no-reply@shop.example"
    merchandising_inbox: str = "merchandising@shop.example"
    purchasing_inbox: str = "purchasing@shop.example"

    low_stock: int = 3
    free_shipping_from: float = 50.0
    shipping_fee: float = 4.9


settings = Settings()
