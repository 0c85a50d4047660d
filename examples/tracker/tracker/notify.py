import logging
import os

import requests

log = logging.getLogger(__name__)

WEBHOOK = os.environ.get("TRACKER_WEBHOOK", "")


def notify(text):
    if not WEBHOOK:
        log.info("no webhook: %s", text)
        return
    try:
        requests.post(WEBHOOK, json={"text": text}, timeout=5)
    except requests.RequestException:
        log.exception("webhook")
