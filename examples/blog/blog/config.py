import os


class Settings:
    database_url = os.getenv("BLOG_DATABASE_URL", "sqlite+aiosqlite:///blog.db")
    preview_url = os.getenv("BLOG_PREVIEW_URL", "")
    smtp_host = os.getenv("BLOG_SMTP_HOST", "")
    mail_from = os.getenv("BLOG_MAIL_FROM", "blog@example.org")
    site = os.getenv("BLOG_SITE", "https://blog.example.org")
    iterations = int(os.getenv("BLOG_HASH_ITERATIONS", "200000"))


settings = Settings()
