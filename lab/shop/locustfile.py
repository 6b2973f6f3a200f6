"""What the shop's customers do, for Locust; every user repeats the same steps in every run.

    locust -f lab/shop/locustfile.py --headless -u 100 -r 50 -t 30s --host http://127.0.0.1:8000

Everything over HTTP is reached; the weights are those of a shop that is looked at more than bought
from.
"""

from __future__ import annotations

import itertools
import random

from locust import FastHttpUser, task

from lab.shop.common.seed_data import (
    ADJECTIVES,
    MATERIALS,
    ORDERS,
    PASSWORD,
    PRODUCTS,
    USERS,
    email,
)

numbers = itertools.count(1)


class Customer(FastHttpUser):
    """Somebody who looks around; thinks for 0.2 to 1 s between two requests."""

    weight = 9
    network_timeout = 60.0
    connection_timeout = 60.0

    def on_start(self) -> None:
        self.rng = random.Random(f"customer {next(numbers)}")
        self.user_id = self.rng.randint(1, USERS)

    def wait_time(self) -> float:
        return self.rng.uniform(0.2, 1.0)

    def get(self, path: str, name: str) -> None:
        """GET `path`, counted under the route's template."""
        self.client.get(path, name=name)

    @task(2)
    def log_in(self) -> None:
        credentials = {"email": email(self.user_id), "password": PASSWORD}
        self.client.post("/login", json=credentials, name="/login")

    @task(8)
    def search(self) -> None:
        words = f"{self.rng.choice(ADJECTIVES)} {self.rng.choice(MATERIALS)}".lower()
        typed = words[: self.rng.randint(3, len(words))]
        self.get(f"/products?search={typed.replace(' ', '+')}", "/products")

    @task(4)
    def browse(self) -> None:
        self.get("/products?limit=20", "/products")

    @task(10)
    def product(self) -> None:
        self.get(f"/products/{self.rng.randint(1, PRODUCTS)}", "/products/{id}")

    @task(6)
    def recommendation(self) -> None:
        product_id = self.rng.randint(1, PRODUCTS)
        self.get(f"/predict?user_id={self.user_id}&product_id={product_id}", "/predict")

    @task(2)
    def recommendation_by_post(self) -> None:
        body = {"user_id": self.user_id, "product_id": self.rng.randint(1, PRODUCTS)}
        self.client.post("/predict", json=body, name="/predict")

    @task(6)
    def dashboard(self) -> None:
        self.get(f"/dashboard/{self.user_id}", "/dashboard/{id}")

    @task(6)
    def account(self) -> None:
        self.get(f"/users/{self.user_id}", "/users/{id}")

    @task(6)
    def profile(self) -> None:
        self.get(f"/users/{self.user_id}/enriched", "/users/{id}/enriched")

    @task(10)
    def order(self) -> None:
        currency = self.rng.choice(("EUR", "GBP", "JPY", "USD"))
        order_id = self.rng.randint(1, ORDERS)
        self.get(f"/orders/{order_id}?currency={currency}", "/orders/{id}")


class Clerk(FastHttpUser):
    """Somebody in the office: lists, reports, exports, and the machines that watch the shop."""

    weight = 1
    network_timeout = 60.0
    connection_timeout = 60.0

    def on_start(self) -> None:
        self.rng = random.Random(f"clerk {next(numbers)}")

    def wait_time(self) -> float:
        return self.rng.uniform(0.5, 1.5)

    def page(self, path: str, last_id: int) -> None:
        cursor = self.rng.randrange(last_id)
        self.client.get(f"{path}?cursor={cursor}", name=path)

    @task(6)
    def users(self) -> None:
        self.page("/users", USERS)

    @task(6)
    def orders(self) -> None:
        self.page("/orders", ORDERS)

    @task(1)
    def export(self) -> None:
        self.client.get("/export/orders")

    @task(2)
    def sales(self) -> None:
        self.client.get("/reports/sales")

    @task(1)
    def contract(self) -> None:
        self.client.get("/openapi.json")

    @task(3)
    def rows(self) -> None:
        self.client.get(f"/one-row?id={self.rng.randint(1, PRODUCTS)}", name="/one-row")
        self.client.get(f"/fifty-rows?start={self.rng.randint(1, PRODUCTS)}", name="/fifty-rows")

    @task(4)
    def watch(self) -> None:
        for path in ("/hello", "/healthz", "/metrics"):
            self.client.get(path)
