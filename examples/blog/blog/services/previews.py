import logging

import requests

from blog.config import settings

logger = logging.getLogger(__name__)


def fetch_preview(link: str) -> str | None:
    """Ask the preview service what a link is about."""
    if not settings.preview_url:
        return None
    try:
        answer = requests.get(settings.preview_url, params={"url": link}, timeout=5)
        answer.raise_for_status()
        return answer.json()["title"]
    except Exception:
        logger.warning("no preview of %s", link)
        return None
