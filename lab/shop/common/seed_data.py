"""The shop's data, the same on every machine and in every run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.shop.common.passwords import hash_password
from lab.shop.common.schemas import STATUSES

USERS = 2_000
ORDERS = 10_000
# Shops sell a small part of their catalogue most of the time.
POPULAR_PRODUCTS = 6_000
PASSWORD = "correct horse battery staple"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

ADJECTIVES = (
    *("Amber", "Ample", "Antique", "Arctic", "Azure", "Blended", "Bold", "Breezy", "Bright"),
    *("Calm", "Classic", "Clever", "Compact", "Cosy", "Crisp", "Daily", "Dapper", "Deep"),
    *("Delicate", "Dusky", "Earthy", "Elegant", "Fine", "Folding", "Gentle", "Golden", "Grand"),
    *("Handy", "Heavy", "Honest", "Humble", "Ivory", "Jolly", "Light", "Little", "Lucky"),
    *("Mellow", "Modern", "Noble", "Plain", "Polished", "Quiet", "Royal", "Rustic", "Sleek"),
    *("Smart", "Smooth", "Sturdy", "Urban", "Velvet"),
)
MATERIALS = (
    *("Acrylic", "Alder", "Bamboo", "Beech", "Birch", "Brass", "Bronze", "Canvas", "Cedar"),
    *("Ceramic", "Cherry", "Clay", "Copper", "Cork", "Cotton", "Crystal", "Denim", "Ebony"),
    *("Elm", "Felt", "Flax", "Glass", "Granite", "Hemp", "Iron", "Jute", "Leather", "Linen"),
    *("Maple", "Marble", "Nylon", "Oak", "Paper", "Pine", "Quartz", "Silk", "Slate", "Steel"),
    *("Walnut", "Wool"),
)
NOUNS = (
    *("Armchair", "Backpack", "Basket", "Bench", "Blanket", "Bookend", "Bowl", "Box", "Brush"),
    *("Bucket", "Cabinet", "Candle", "Chair", "Clock", "Coaster", "Comb", "Cup", "Curtain"),
    *("Desk", "Drawer", "Easel", "Frame", "Hammock", "Hook", "Jar", "Jug", "Kettle", "Ladder"),
    *("Lamp", "Mirror", "Mug", "Notebook", "Pillow", "Planter", "Plate", "Pot", "Rack", "Rug"),
    *("Shelf", "Sofa", "Spoon", "Stool", "Table", "Teapot", "Towel", "Tray", "Trivet", "Vase"),
    *("Wallet", "Wardrobe"),
)
PRODUCTS = len(ADJECTIVES) * len(MATERIALS) * len(NOUNS)
FIRST_NAMES = ("Ada", "Ben", "Cleo", "Dev", "Elif", "Finn", "Gita", "Hugo", "Ines", "Jun")
LAST_NAMES = ("Abe", "Berg", "Costa", "Diaz", "Eder", "Fox", "Gill", "Haas", "Iyer", "Jones")
CITIES = ("Bergen", "Graz", "Lima", "Lyon", "Osaka", "Porto", "Quito", "Tartu")

Row = tuple[Any, ...]


def product_name(product_id: int) -> str:
    """The name of a product; no two have the same."""
    rest, noun = divmod(product_id - 1, len(NOUNS))
    adjective, material = divmod(rest, len(MATERIALS))
    return f"{ADJECTIVES[adjective]} {MATERIALS[material]} {NOUNS[noun]}"


def email(user_id: int) -> str:
    """The address with which a user logs in; the password is `PASSWORD` for all."""
    return f"user{user_id}@shop.example"


def users() -> Iterator[Row]:
    """Rows of (id, email, name, city, password_hash, created_at)."""
    rng = random.Random("users")
    # One salt for all, since two thousand hashes would take minutes; no real shop may do this.
    password_hash = hash_password(PASSWORD, salt=bytes(16))
    for n in range(1, USERS + 1):
        name = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
        created_at = EPOCH - timedelta(hours=rng.randrange(10_000))
        yield n, email(n), name, rng.choice(CITIES), password_hash, created_at


def products() -> Iterator[Row]:
    """Rows of (id, sku, name, description, price_cents)."""
    rng = random.Random("products")
    for n in range(1, PRODUCTS + 1):
        name = product_name(n)
        description = f"{name}, made by hand in small series. Ships within two working days."
        yield n, f"SKU-{n:06}", name, description, rng.randrange(300, 40_000)


def orders() -> Iterator[Row]:
    """Rows of (id, user_id, status, created_at)."""
    rng = random.Random("orders")
    for n in range(1, ORDERS + 1):
        created_at = EPOCH + timedelta(minutes=n * 45, seconds=rng.randrange(60))
        yield n, rng.randrange(USERS) + 1, rng.choice(STATUSES), created_at


def order_items() -> Iterator[Row]:
    """Rows of (id, order_id, product_id, quantity, unit_price_cents)."""
    rng = random.Random("items")
    n = 0
    for order_id in range(1, ORDERS + 1):
        for _ in range(rng.randrange(3, 10)):
            n += 1
            product_id = rng.randrange(POPULAR_PRODUCTS) * (PRODUCTS // POPULAR_PRODUCTS) + 1
            yield n, order_id, product_id, rng.randrange(1, 5), rng.randrange(300, 40_000)
