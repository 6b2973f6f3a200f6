"""One contract for both editions of the shop: each test runs against each of them."""

from __future__ import annotations

import csv
import json
import re
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest
from websockets.sync.client import connect

import lab.shop
from lab.processes import free_port
from lab.services import app_server, redis
from lab.shop.common import seed_data
from lab.shop.seed import EDITIONS, seed

SHOP = Path(lab.shop.__file__).parent
MARK = re.compile(r"# culprit: ([a-z0-9-]+)$")
# What the sick edition has to show at the least.
CLASSICS = {
    "blocking-call",
    "blocking-serializer",
    "client-per-request",
    "cpu-on-loop",
    "heavy-serialization",
    "long-transaction",
    "n-plus-one",
    "pool-starvation",
    "slow-query",
    "uncached-upstream",
}
CREDENTIALS = {"email": seed_data.email(3), "password": seed_data.PASSWORD}


@pytest.fixture(params=EDITIONS)
def edition(request) -> str:
    return request.param


@pytest.fixture
def client(edition, shop_servers):
    with httpx.Client(base_url=shop_servers[edition].url, timeout=30) as client:
        yield client


@pytest.fixture
def feed(edition, shop_servers):
    url = shop_servers[edition].url.replace("http://", "ws://") + "/feed"
    with connect(url) as connection:
        yield connection


def get(client: httpx.Client, path: str) -> dict:
    response = client.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


class TestSameAnswers:
    """The editions may differ in nothing that a client can see, but for the time it takes."""

    @pytest.mark.parametrize(
        "path",
        [
            "/hello",
            "/healthz",
            "/one-row",
            "/one-row?id=4711",
            "/one-row?id=0",
            "/one-row?id=100001",
            "/fifty-rows",
            "/fifty-rows?start=99990",
            "/users",
            "/users?limit=100&cursor=1950",
            "/users?limit=0",
            "/users/7",
            "/users/2001",
            "/users/seven",
            "/users/7/enriched",
            "/users/2001/enriched",
            "/dashboard/7",
            "/dashboard/2001",
            "/products",
            "/products?search=RUSTIC+oak&limit=100",
            "/products?search=100%25",
            "/products?search=rustic&limit=5&cursor=86003",
            "/products?limit=101",
            "/products/99999",
            "/products/100001",
            "/orders",
            "/orders?limit=3&cursor=9998",
            "/orders?limit=2&cursor=9998",
            "/orders/7",
            "/orders/7?currency=JPY",
            "/orders/7?currency=XYZ",
            "/orders/10001",
            "/reports/sales",
            "/export/orders",
            "/predict?user_id=7&product_id=4711",
            "/predict?user_id=7",
            "/openapi.json",
            "/no/such/path",
        ],
    )
    def test_get(self, shop_servers, path):
        sick, cured = (httpx.get(shop_servers[name].url + path, timeout=30) for name in EDITIONS)
        assert (cured.status_code, cured.headers["content-type"]) == (
            sick.status_code,
            sick.headers["content-type"],
        )
        if "json" in sick.headers["content-type"]:
            assert cured.json() == sick.json()
        else:
            assert cured.text == sick.text

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/predict", {"user_id": 7, "product_id": 4711}),
            ("/predict", {"user_id": 0, "product_id": 4711}),
            ("/predict", {}),
            ("/login", CREDENTIALS),
            ("/login", {**CREDENTIALS, "password": "guess"}),
            ("/login", {**CREDENTIALS, "email": "nobody@shop.example"}),
            ("/login", {"email": "only"}),
            ("/hello", {}),
        ],
    )
    def test_post(self, shop_servers, path, body):
        sick, cured = (
            httpx.post(shop_servers[name].url + path, json=body, timeout=30) for name in EDITIONS
        )
        assert (cured.status_code, cured.json()) == (sick.status_code, sick.json())


class TestBasics:
    def test_hello(self, client):
        assert get(client, "/hello") == {"message": "hello"}

    def test_health(self, client):
        assert get(client, "/healthz") == {"status": "ok"}

    def test_metrics_count_requests_by_route(self, client):
        get(client, "/users/11")
        response = client.get("/metrics")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/plain")
        assert re.search(
            r'shop_requests_total\{method="GET",route="/users/\{user_id\}",status="200"\} \d',
            response.text,
        )

    def test_a_request_keeps_its_id_and_gets_one_if_it_has_none(self, client):
        assert client.get("/hello", headers={"x-request-id": "abc"}).headers["x-request-id"] == (
            "abc"
        )
        ids = {client.get("/hello").headers["x-request-id"] for _ in range(2)}
        assert len(ids) == 2

    def test_one_row_and_fifty(self, client):
        first = get(client, "/one-row?id=51")
        assert first == {
            "id": 51,
            "sku": "SKU-000051",
            "name": seed_data.product_name(51),
            "price_cents": first["price_cents"],
        }
        fifty = get(client, "/fifty-rows?start=51")
        assert fifty[0] == first
        assert [row["id"] for row in fifty] == list(range(51, 101))


class TestUsers:
    def test_pages_follow_one_another_without_gap(self, client):
        page = get(client, "/users?limit=100")
        seen = [user["id"] for user in page["items"]]
        while page["next_cursor"]:
            page = get(client, f"/users?limit=100&cursor={page['next_cursor']}")
            seen += [user["id"] for user in page["items"]]
        assert seen == list(range(1, seed_data.USERS + 1))

    def test_a_user_in_a_list_has_the_number_of_orders(self, client):
        [user] = get(client, "/users?limit=1&cursor=6")["items"]
        assert user["orders"] == sum(order[1] == 7 for order in seed_data.orders())

    def test_a_user_has_no_password_in_any_answer(self, client):
        for path in ("/users/7", "/users/7/enriched", "/dashboard/7", "/users?limit=1"):
            assert "password" not in client.get(path).text

    def test_an_enriched_user_is_the_user_and_a_profile(self, client):
        user = get(client, "/users/7/enriched")
        profile = user.pop("profile")
        assert user == get(client, "/users/7")
        assert profile == {"tier": "silver", "newsletter": False, "points": 259}

    def test_a_dashboard_holds_what_four_services_say(self, client):
        dashboard = get(client, "/dashboard/7")
        assert dashboard["user"] == get(client, "/users/7")
        assert dashboard["profile"]["tier"] == "silver"
        assert len(dashboard["recommendations"]) == 10
        assert len(dashboard["reviews"]) == 4
        assert dashboard["rates"]["EUR"] == 1.0

    @pytest.mark.parametrize("path", ["/users/{}", "/users/{}/enriched", "/dashboard/{}"])
    def test_an_unknown_user_is_a_404(self, client, path):
        response = client.get(path.format(seed_data.USERS + 1))
        assert (response.status_code, response.json()) == (404, {"detail": "no such user"})


class TestLogin:
    def test_the_right_password_gives_a_token(self, client):
        response = client.post("/login", json=CREDENTIALS)
        assert response.status_code == 200
        assert response.json()["user_id"] == 3
        assert response.json()["token"].startswith("3.")

    @pytest.mark.parametrize(
        "wrong", [{"password": "guess"}, {"password": ""}, {"email": "nobody@shop.example"}]
    )
    def test_anything_else_does_not_and_does_not_say_why(self, client, wrong):
        response = client.post("/login", json={**CREDENTIALS, **wrong})
        assert response.status_code == 401
        assert response.json() == {"detail": "wrong email or password"}


class TestProducts:
    def test_a_search_finds_by_the_beginning_of_the_name_in_any_case(self, client):
        items = get(client, "/products?search=vELVET+Walnut+W&limit=100")["items"]
        assert [item["name"] for item in items] == [
            "Velvet Walnut Wallet",
            "Velvet Walnut Wardrobe",
        ]

    def test_wildcards_of_sql_are_plain_characters(self, client):
        assert get(client, "/products?search=%25")["items"] == []
        assert get(client, "/products?search=Velvet_")["items"] == []

    def test_pages_of_a_search_follow_one_another_in_order_of_name(self, client):
        page = get(client, "/products?search=rustic+o&limit=20")
        names = [item["name"] for item in page["items"]]
        while page["next_cursor"]:
            path = f"/products?search=rustic+o&limit=20&cursor={page['next_cursor']}"
            page = get(client, path)
            names += [item["name"] for item in page["items"]]
        assert names == sorted(f"Rustic Oak {noun}" for noun in seed_data.NOUNS)

    def test_a_product_says_how_many_are_in_stock(self, client):
        product = get(client, "/products/4711")
        assert product["stock"] == {"units": 39, "warehouse": "north"}
        assert product["description"].startswith(product["name"])

    def test_a_prediction_is_the_same_by_get_and_by_post(self, client):
        pair = {"user_id": 7, "product_id": 4711}
        posted = client.post("/predict", json=pair).json()
        assert posted == get(client, "/predict?user_id=7&product_id=4711")
        assert posted.items() >= pair.items()
        assert 0 <= posted["score"] <= 1


class TestOrders:
    def test_an_order_is_its_lines_and_their_sum(self, client):
        order = get(client, "/orders/7")
        expected = [row[2:] for row in seed_data.order_items() if row[1] == 7]
        assert [
            (line["product_id"], line["quantity"], line["unit_price_cents"])
            for line in order["items"]
        ] == expected
        assert order["total_cents"] == sum(quantity * price for _, quantity, price in expected)
        assert order["items"][0]["name"] == seed_data.product_name(expected[0][0])

    def test_its_total_is_also_given_in_the_currency_asked_for(self, client):
        order = get(client, "/orders/7?currency=USD")
        assert order["currency"] == "USD"
        assert order["total_in_currency"] == round(order["total_cents"] / 100 * 1.09, 2)

    def test_a_list_has_the_lines_of_each_order(self, client):
        page = get(client, "/orders?limit=1&cursor=6")
        [order] = page["items"]
        detail = get(client, "/orders/7")
        assert order["total_cents"] == detail["total_cents"]
        assert sum(line["total_cents"] for line in order["items"]) == order["total_cents"]
        assert page["next_cursor"] == 7

    def test_a_list_holds_five_hundred_unless_told_otherwise(self, client):
        assert len(get(client, "/orders")["items"]) == 500

    def test_the_last_page_has_no_next(self, client):
        assert get(client, "/orders?limit=10&cursor=9995")["next_cursor"] is None

    def test_the_report_adds_up_to_all_that_was_sold(self, client):
        rows = get(client, "/reports/sales")["rows"]
        items = list(seed_data.order_items())
        assert sum(row["units"] for row in rows) == sum(item[3] for item in items)
        assert sum(row["revenue_cents"] for row in rows) == sum(i[3] * i[4] for i in items)

    def test_the_export_streams_every_order(self, client):
        with client.stream("GET", "/export/orders") as response:
            assert response.status_code == 200
            assert "content-length" not in response.headers
            lines = list(response.iter_lines())
        rows = list(csv.DictReader(lines))
        assert [int(row["id"]) for row in rows] == list(range(1, seed_data.ORDERS + 1))
        assert rows[6]["status"] == get(client, "/orders/7")["status"]


class TestFeed:
    def test_it_answers_with_the_orders_after_one(self, feed, client):
        feed.send(json.dumps({"after": 6, "limit": 2}))
        orders = json.loads(feed.recv(timeout=10))["orders"]
        assert [order["id"] for order in orders] == [7, 8]
        assert orders[0]["status"] == get(client, "/orders/7")["status"]

    def test_it_goes_on_after_nonsense(self, feed):
        feed.send("nonsense")
        assert json.loads(feed.recv(timeout=10)).keys() == {"error"}
        feed.send(json.dumps({"after": seed_data.ORDERS}))
        assert json.loads(feed.recv(timeout=10)) == {"orders": []}


@pytest.fixture(scope="module")
def lonely(shop):
    """The URL of each edition, with an upstream that is not there and an empty cache."""
    with ExitStack() as stack:
        gone = {
            "SHOP_UPSTREAM_URL": f"http://127.0.0.1:{free_port()}",
            "SHOP_REDIS_URL": stack.enter_context(redis()).url,
        }
        yield {
            name: stack.enter_context(app_server(shop.target(name), shop.env(name) | gone)).url
            for name in EDITIONS
        }


@pytest.mark.parametrize("path", ["/products/7", "/users/7/enriched", "/dashboard/7", "/orders/7"])
def test_a_partner_that_is_down_is_a_502(lonely, edition, path):
    response = httpx.get(lonely[edition] + path, timeout=30)
    assert response.status_code == 502
    assert response.json() == {"detail": "a partner's service is not available"}


class TestSeed:
    def test_seeding_again_changes_nothing(self, shop):
        assert seed(shop.env("sick")["SHOP_DATABASE_URL"], "sick") is False

    def test_only_the_cured_edition_has_the_index_for_searches(self, shop):
        def indexes(edition: str) -> set[str]:
            with psycopg.connect(shop.env(edition)["SHOP_DATABASE_URL"]) as connection:
                query = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'"
                return {name for (name,) in connection.execute(query)}

        assert indexes("cured") - indexes("sick") == {"ix_products_name_lower"}
        assert indexes("sick") < indexes("cured")

    def test_it_is_large(self):
        assert seed_data.PRODUCTS == 100_000


class TestMarks:
    def marks(self, edition: str) -> list[tuple[str, str]]:
        """(code, slug) of each marked line."""
        return [
            (line[: found.start()].strip(), found[1])
            for path in sorted((SHOP / edition).glob("*.py"))
            for line in path.read_text().splitlines()
            if (found := MARK.search(line))
        ]

    def test_the_sick_edition_marks_every_classic(self):
        assert {slug for _, slug in self.marks("sick")} >= CLASSICS

    def test_a_mark_stands_behind_code(self):
        assert all(code and not code.startswith("#") for code, _ in self.marks("sick"))

    def test_the_cured_edition_has_none(self):
        assert self.marks("cured") == []
