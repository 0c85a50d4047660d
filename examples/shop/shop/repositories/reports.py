"""Hand-written SQL for the reports: they run against the replica, not the session."""

from typing import Any

from sqlalchemy import Engine, text

from shop.services import rates

ORDERS = "orders"


class ReportRepository:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def sales(self, tenant_id: int, status: str, sort: str) -> list[dict[str, Any]]:
        sql = f"""
            SELECT currency, COUNT(*) AS orders, SUM(total) AS total
            FROM {ORDERS}
            WHERE tenant_id = {tenant_id} AND status = '{status}'
            GROUP BY currency
            ORDER BY {sort}
        """
        with self.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(text(sql)).mappings()]
        for row in rows:
            row["total"] = round(row["total"], 2)
            row["total_base"] = round(row["total"] / rates.get_rate(row["currency"]), 2)
        return rows

    def order_lines(self, tenant_id: int, limit: int) -> list[dict[str, Any]]:
        statement = text(
            f"SELECT id, status, currency, total FROM {ORDERS}"
            " WHERE tenant_id = :tenant ORDER BY id LIMIT :limit"
        )
        with self.engine.connect() as connection:
            rows = connection.execute(statement, {"tenant": tenant_id, "limit": limit})
            return [dict(row) for row in rows.mappings()]
