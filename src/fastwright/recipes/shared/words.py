"""Words: names of classes as names of variables, and of many things."""

from __future__ import annotations

import re

ROUTERS = frozenset({"routers", "router", "routes", "api", "endpoints", "views", "controllers"})
"""What folders of routers are called."""


def snake(name: str) -> str:
    """Return the name of a class as one of a variable: ``order_item`` for ``OrderItem``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def plural(word: str) -> str:
    """Return the name for many of what a name stands for."""
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"


def together(name: str) -> str:
    """Return what rows of a class are called together, which a name may say already: ``order_details``."""
    word = snake(name)
    return word if re.search(r"\w{3}[bcdefgklmnprtw]s$", word) else plural(word)
