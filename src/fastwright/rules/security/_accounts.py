"""Tables of accounts: what people log in with, and where their passwords are."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fastwright.app.model import App
from fastwright.app.models import Column, Table
from fastwright.app.symbols import Class
from fastwright.app.types import ClassObject, Instance, Type, alternatives

PASSWORD_COLUMN = re.compile(
    r"(hashed_|encrypted_)?(password|passwd|pwd|passphrase)(_hash|_hashed|_digest)?|hashed_pw|pw_hash"
)
LOGIN = re.compile(
    r"(.*_)?(e_?mail(_address)?|user_?name|login|phone(_number)?|mobile)", re.IGNORECASE
)
_ELSEWHERE = re.compile(r"host|port|url|uri|dsn|server|conn_type|driver|endpoint|protocol|smtp_.*")
"""Columns of what the application itself logs in to: such a password must be had in clear."""


class Account(msgspec.Struct, frozen=True, eq=False):
    """A table with logins, and its column of passwords."""

    table: Table
    column: Column


def accounts(app: App) -> Iterator[Account]:
    """Yield the tables that people log in with."""
    for table in app.tables:
        names = table.columns
        if not any(LOGIN.fullmatch(name) for name in names):
            continue
        if any(_ELSEWHERE.fullmatch(name) for name in names):
            continue
        for name, column in names.items():
            if PASSWORD_COLUMN.fullmatch(name):
                yield Account(table, column)


def class_of(found: Type) -> Class | None:
    """Return the class of the project that a value is, or is an instance of."""
    for option in alternatives(found):
        if isinstance(option, (Instance, ClassObject)) and isinstance(option.cls, Class):
            return option.cls
    return None
