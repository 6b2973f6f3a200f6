"""Fills an edition's database: `python -m lab.shop.seed --edition sick`.

The database is that of SHOP_DATABASE_URL. Doing it again changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence

import psycopg
from psycopg import sql
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from lab.shop.common import seed_data
from lab.shop.common.models import Base
from lab.shop.common.settings import Settings

ROWS: dict[str, Callable[[], Iterable[seed_data.Row]]] = {
    "users": seed_data.users,
    "products": seed_data.products,
    "orders": seed_data.orders,
    "order_items": seed_data.order_items,
}
# What somebody has added after looking at the queries of this edition.
INDEXES = {
    "sick": (),
    "cured": ("CREATE INDEX ix_products_name_lower ON products (lower(name))",),
}
EDITIONS = tuple(INDEXES)


def seed(database_url: str, edition: str) -> bool:
    """Create and fill the tables; whether there was anything to do.

    Raises:
        psycopg.Error: the database cannot be reached or refuses; nothing is left half done.
    """
    with psycopg.connect(database_url) as connection:
        # One at a time, however many processes start at once.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('lab.shop.seed'))")
        if connection.execute("SELECT to_regclass('order_items')").fetchone() != (None,):
            return False
        for table in Base.metadata.sorted_tables:
            _create(connection, table)
        for statement in INDEXES[edition]:
            connection.execute(statement)
    with psycopg.connect(database_url, autocommit=True) as connection:
        # Or autovacuum would do it in the middle of a measurement.
        connection.execute("VACUUM ANALYZE")
    return True


def _create(connection: psycopg.Connection, table: Table) -> None:
    connection.execute(str(CreateTable(table).compile(dialect=dialect())))
    columns = [column.name for column in table.columns]
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in ROWS[table.name]():
            copy.write_row(row)
    for index in table.indexes:
        connection.execute(str(CreateIndex(index).compile(dialect=dialect())))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.shop.seed", description=__doc__)
    parser.add_argument("--edition", choices=EDITIONS, required=True)
    options = parser.parse_args(argv)
    try:
        done = seed(Settings.from_env().database_url, options.edition)
    except psycopg.Error as exc:
        print(f"The shop's data could not be written: {exc}", file=sys.stderr)
        return 2
    print("seeded" if done else "already seeded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
