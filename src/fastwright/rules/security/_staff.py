"""Routes that only administrators come to."""

from __future__ import annotations

import re

from fastwright.app.routes import Route

_STAFF = re.compile(r"admin|superuser|super_user|staff|operator", re.IGNORECASE)


def is_for_staff(route: Route) -> bool:
    """Whether the path or a dependency of a route says that administrators use it."""
    if "admin" in route.path.lower():
        return True
    return any(
        _STAFF.search(dependency.label) or any(_STAFF.search(scope) for scope in dependency.scopes)
        for dependency in route.all_dependencies()
    )
