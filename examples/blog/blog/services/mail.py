import logging
import smtplib
from email.message import EmailMessage

from blog.config import settings

logger = logging.getLogger(__name__)


def send_mail(to: str, subject: str, text: str) -> None:
    if not settings.smtp_host:
        logger.info("no mail host: %s", subject)
        return
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = to
    message["Subject"] = subject
    message.set_content(text)
    with smtplib.SMTP(settings.smtp_host, timeout=10) as server:
        server.send_message(message)
