"""Outside services: which libraries ask them, and what for."""

from __future__ import annotations

from typing import NamedTuple


class Service(NamedTuple):
    """An outside service: what it is called, and what the application asks of it."""

    name: str
    asked: str
    """``Mail``, ``Payments``; empty where the library does not say it."""

    @property
    def prefix(self) -> str:
        """What the name of an adapter begins with: ``Smtp``, ``Stripe``."""
        return self.name.capitalize() if self.name.isupper() else self.name


_SERVICES = {
    "smtplib": Service("SMTP", "Mail"),
    "aiosmtplib": Service("SMTP", "Mail"),
    "fastapi_mail": Service("FastMail", "Mail"),
    "sendgrid": Service("SendGrid", "Mail"),
    "stripe": Service("Stripe", "Payments"),
    "twilio": Service("Twilio", "Messages"),
    "boto3": Service("AWS", "Storage"),
    "botocore": Service("AWS", "Storage"),
    "aioboto3": Service("AWS", "Storage"),
    "requests": Service("HTTP", ""),
    "httpx": Service("HTTP", ""),
    "aiohttp": Service("HTTP", ""),
    "urllib.request": Service("HTTP", ""),
}
"""The library -> the service."""


def service_of(name: str) -> Service | None:
    """Return the service that something outside the project asks, by its dotted name."""
    return next(
        (service for root, service in _SERVICES.items() if name.startswith(f"{root}.")), None
    )
