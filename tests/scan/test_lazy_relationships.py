"""A relationship that was not loaded with its rows is a query for each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings, lines

MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, relationship

class Base(DeclarativeBase): ...

class Item(Base):
    __tablename__ = "items"

class Order(Base):
    __tablename__ = "orders"
    name: Mapped[str]
    items: Mapped[list[Item]] = relationship("Item")
    tags: Mapped[list[Item]] = relationship("Item", lazy="selectin")
"""

ROUTE = """
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload
from .models import Order

app = FastAPI()

@app.get("/")
def route(session: Session):
    {query}
    return {use}
"""
# Where the value is returned.
USE = 12

PLAIN = "orders = session.scalars(select(Order)).all()"
GUILTY = {
    "a comprehension": (PLAIN, "[len(order.items) for order in orders]"),
    "a loop in a loop": (PLAIN, "[item.id for order in orders for item in order.items]"),
    "the older query": (
        "orders = session.query(Order).filter(Order.name == 'a').all()",
        "[order.items for order in orders]",
    ),
    "a statement with a name": (
        "query = select(Order).limit(9); rows = session.execute(query)",
        "[order.items for order in rows.scalars()]",
    ),
}
CLEAN = {
    "a loader option": (
        "orders = session.scalars(select(Order).options(selectinload(Order.items))).all()",
        "[order.items for order in orders]",
    ),
    "a relationship that is loaded along": (PLAIN, "[order.tags for order in orders]"),
    "a column": (PLAIN, "[order.name for order in orders]"),
    "one row": ("order = session.scalars(select(Order)).first()", "order.items"),
    "rows of something else": ("orders = [1, 2]", "[order.items for order in orders]"),
}


def found(folder: Path, query: str, use: str) -> list[int]:
    route = ROUTE.format(query=query, use=use)
    return lines(findings(folder, "n-plus-one", app__models=MODELS, app__main=route))


@pytest.mark.parametrize(("query", "use"), GUILTY.values(), ids=GUILTY.keys())
def test_rows_are_asked_one_by_one_in(query: str, use: str, tmp_path: Path) -> None:
    assert found(tmp_path, query, use) == [USE]


@pytest.mark.parametrize(("query", "use"), CLEAN.values(), ids=CLEAN.keys())
def test_nothing_is_asked_for_each_row_with(query: str, use: str, tmp_path: Path) -> None:
    assert found(tmp_path, query, use) == []


HELPER = """
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload
from .models import Order

def orders_of(session: Session):
    return session.scalars(select(Order){options}).all()

def route(session: Session):
    return [len(order.items) for order in orders_of(session)]
"""


@pytest.mark.parametrize(
    ("options", "expected"), [("", [10]), (".options(selectinload(Order.items))", [])]
)
def test_rows_of_another_function(options: str, expected: list[int], tmp_path: Path) -> None:
    route = HELPER.format(options=options)
    assert lines(findings(tmp_path, "n-plus-one", app__models=MODELS, app__main=route)) == expected
