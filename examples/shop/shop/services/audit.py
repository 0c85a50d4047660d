import logging

from fastapi.concurrency import run_in_threadpool
from sqlmodel import Session

from shop.database import engine
from shop.models import EmailLog

logger = logging.getLogger("shop.audit")

AUDIT_INBOX = "audit@shop.example"


async def record(actor: str, action: str) -> None:
    """Who did what. The auditors want it in the mail log."""
    logger.info("%s: %s", actor, action)
    await run_in_threadpool(_store, actor, action)


def _store(actor: str, action: str) -> None:
    with Session(engine) as session:
        session.add(EmailLog(recipient=AUDIT_INBOX, subject=f"{actor}: {action}", body=""))
        session.commit()
