"""E-mail. Without an SMTP host (development) it only goes into the log table."""

import smtplib
from email.message import EmailMessage

from sqlmodel import Session, select

from shop.config import settings
from shop.database import get_session
from shop.models import EmailLog, Order, User


def send(session: Session, to: str, subject: str, body: str, cc=[]) -> None:
    if subject.startswith("[stock]"):
        cc.append(settings.purchasing_inbox)
    if settings.smtp_host:
        _deliver(to, subject, body, cc)
    session.add(EmailLog(recipient=to, cc=", ".join(cc), subject=subject, body=body))
    session.commit()


def _deliver(to: str, subject: str, body: str, cc: list[str]) -> None:
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = to
    message["Cc"] = ", ".join(cc)
    message["Subject"] = subject
    message.set_content(body)
    with smtplib.SMTP(settings.smtp_host, timeout=20) as smtp:
        smtp.send_message(message)


def order_confirmation(session: Session, order_id: int) -> None:
    order = session.get(Order, order_id)
    lines = [f"{item.quantity} x {item.product.name}" for item in order.items]
    body = "\n".join([f"Hello {order.customer.full_name},", "", *lines])
    send(session, order.customer.email, f"Your order {order.id}", body)


def newsletter_recipients() -> list[str]:
    session = next(get_session())
    statement = select(User).where(User.newsletter == True)  # noqa: E712
    return [user.email for user in session.exec(statement).all()]


def send_newsletter(session: Session, subject: str, body: str) -> int:
    recipients = newsletter_recipients()
    for email in recipients:
        send(session, email, subject, body)
    return len(recipients)
