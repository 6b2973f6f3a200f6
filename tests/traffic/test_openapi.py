"""What is sent to an app that describes itself; the app is a function here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from slowpath.errors import UserError
from slowpath.traffic import openapi
from slowpath.traffic.openapi import Explorer
from slowpath.traffic.plan import Plan
from slowpath.traffic.spec import Spec, fetch
from slowpath.traffic.values import KnownValues, noun_before, singular

Answer = Callable[[httpx.Request], Any]


def path_parameter(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema or {"type": "integer"}}


def query(name: str, required: bool = True, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def get(*parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"get": {"parameters": list(parameters), "responses": {}, **more}}


def client_of(answer: Answer, headers: dict[str, str] | None = None) -> httpx.Client:
    def handle(request: httpx.Request) -> httpx.Response:
        result = answer(request)
        if isinstance(result, httpx.Response):
            return result
        return httpx.Response(404) if result is None else httpx.Response(200, json=result)

    return httpx.Client(
        transport=httpx.MockTransport(handle), base_url="http://app", headers=headers
    )


def explore(paths: dict[str, Any], answer: Answer, headers: dict[str, str] | None = None) -> Plan:
    return Explorer(Spec({"paths": paths}, "/openapi.json"), client_of(answer, headers)).explore()


def urls(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {target.name: target.urls for target in plan.targets}


def reasons(plan: Plan) -> dict[str, str]:
    return {entry.route: entry.because for entry in plan.not_driven}


SHOP: dict[str, Any] = {
    "/users": [{"id": 3, "name": "a"}, {"id": 7, "name": "b"}],
    "/users/3": {"id": 3},
    "/users/7": {"id": 7},
    "/users/3/orders": {"items": []},
    "/users/7/orders": {"items": [{"order_id": 71, "lines": [{"sku": "s-1"}]}]},
    "/users/7/orders/71": {"order_id": 71},
    "/dashboard/3": {},
    "/dashboard/7": {},
    "/stock/s-1": {},
    "/models": ["small", "large"],
    "/models/small": {},
    "/models/large": {},
}


def shop(request: httpx.Request) -> Any:
    return SHOP.get(request.url.path)


def test_paths_are_filled_from_what_lists_returned() -> None:
    plan = explore(
        {
            "/users/{user_id}/orders/{order_id}": get(
                path_parameter("user_id"), path_parameter("order_id")
            ),
            "/stock/{sku}": get(path_parameter("sku", type="string")),
            "/dashboard/{user_id}": get(path_parameter("user_id")),
            "/models/{model}": get(path_parameter("model", type="string")),
            "/users/{user_id}/orders": get(path_parameter("user_id")),
            "/users/{user_id}": get(path_parameter("user_id")),
            "/models": get(),
            "/users": get(),
        },
        shop,
    )
    assert urls(plan) == {
        "/users": ("/users",),
        "/users/{user_id}": ("/users/3", "/users/7"),
        "/users/{user_id}/orders": ("/users/3/orders", "/users/7/orders"),
        # Order 71 is no order of user 3.
        "/users/{user_id}/orders/{order_id}": ("/users/7/orders/71",),
        "/dashboard/{user_id}": ("/dashboard/3", "/dashboard/7"),
        "/stock/{sku}": ("/stock/s-1",),
        "/models": ("/models",),
        "/models/{model}": ("/models/small", "/models/large"),
    }
    assert plan.not_driven == ()


def test_only_safe_methods_are_sent() -> None:
    sent = set()

    def answer(request: httpx.Request) -> Any:
        sent.add((request.method, request.url.path))
        return {}

    operation = {"responses": {}}
    plan = explore(
        {
            "/a": {"get": operation, "post": operation, "delete": operation},
            "/b": {"put": operation},
        },
        answer,
    )
    assert sent == {("GET", "/a")}
    assert urls(plan) == {"/a": ("/a",)}


@pytest.mark.parametrize(
    "path", ["/logout", "/users/me/deleteAccount", "/cache/clear", "/admin/shut-down/restart"]
)
def test_what_looks_destructive_is_left_alone(path: str) -> None:
    asked = []

    def answer(request: httpx.Request) -> Any:
        asked.append(request.url.path)
        return {}

    plan = explore({path: get(), "/undeleted": get()}, answer)
    assert "looks destructive" in reasons(plan)[path]
    assert asked == ["/undeleted"]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "examples": ["x y"]}, "x+y"),
        ({"type": "integer", "minimum": 5, "maximum": 9}, "5"),
        ({"type": "integer", "exclusiveMinimum": 5, "multipleOf": 4}, "12"),
        ({"type": "number", "maximum": 0.5}, "0.5"),
        ({"type": "boolean"}, "false"),
        ({"type": "string", "enum": ["asc", "desc"]}, "asc"),
        ({"type": "string", "format": "date"}, "2024-01-01"),
        ({"type": "string", "minLength": 3}, "aaa"),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "USD"),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, "1"),
        ({"$ref": "#/components/schemas/Kind"}, "b"),
        ({"type": "array", "items": {"type": "integer"}}, "1"),
    ],
)
def test_a_required_query_is_made_from_its_schema(schema: dict[str, Any], value: str) -> None:
    spec = Spec(
        {
            "paths": {"/s": get(query("q", **schema), query("page", required=False))},
            "components": {"schemas": {"Kind": {"enum": ["b", "c"]}}},
        },
        "",
    )
    plan = Explorer(spec, client_of(lambda request: {})).explore()
    assert urls(plan)["/s"][0] == f"/s?q={value}"


def test_a_required_query_takes_an_id_the_app_spoke_of() -> None:
    plan = explore(
        {"/users": get(), "/orders": get(query("user_id", type="integer"))},
        lambda request: [{"id": 9}] if request.url.path == "/users" else [],
    )
    assert urls(plan)["/orders"] == ("/orders?user_id=9",)


def test_a_guess_that_the_app_refuses_is_not_driven() -> None:
    plan = explore(
        {"/a": get(), "/things/{thing_id}": get(path_parameter("thing_id"))},
        lambda request: {} if request.url.path == "/a" else None,
    )
    assert list(urls(plan)) == ["/a"]
    assert "answers 404 to the values that were tried" in reasons(plan)["/things/{thing_id}"]


def test_a_parameter_is_not_taken_for_a_longer_one() -> None:
    plan = explore(
        {
            "/users": get(),
            "/by/{user_id}/of/{user}": get(path_parameter("user_id"), path_parameter("user")),
        },
        lambda request: [{"id": 5}] if request.url.path == "/users" else {},
    )
    assert urls(plan)["/by/{user_id}/of/{user}"] == ("/by/5/of/5",)


def test_a_parameter_nothing_is_known_of_is_named() -> None:
    plan = explore(
        {"/a": get(), "/x/{code}": get(path_parameter("code", type="string", pattern="^Q{9}$"))},
        lambda request: {},
    )
    assert reasons(plan) == {"/x/{code}": "no value is known for {code}"}


@pytest.mark.parametrize("status", [401, 403, 500])
def test_what_fails_for_reasons_of_its_own_is_driven_all_the_same(status: int) -> None:
    plan = explore({"/a": get()}, lambda request: httpx.Response(status))
    assert urls(plan) == {"/a": ("/a",)}


def test_headers_and_cookies_that_are_needed_are_named() -> None:
    header = {"name": "X-Tenant", "in": "header", "required": True, "schema": {"type": "string"}}
    paths = {"/a": get(), "/t": get(header), "/c": get({**header, "name": "sid", "in": "cookie"})}
    plan = explore(paths, lambda request: {})
    assert "the header X-Tenant" in reasons(plan)["/t"]
    assert "the cookie sid" in reasons(plan)["/c"]
    assert "/t" in urls(explore(paths, lambda request: {}, headers={"x-tenant": "1"}))


def test_streams_that_do_not_end_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "BODY_TIMEOUT_S", 0.05)

    def forever() -> Iterator[bytes]:
        while True:
            yield b"x"

    events = {"text/event-stream": {}}
    plan = explore(
        {
            "/a": get(),
            "/declared": get(responses={"200": {"content": events}}),
            "/undeclared": get(),
            "/drip": get(),
        },
        lambda request: {
            "/a": {},
            "/undeclared": httpx.Response(200, headers={"content-type": "text/event-stream"}),
            "/drip": httpx.Response(200, content=forever()),
        }[request.url.path],
    )
    assert list(urls(plan)) == ["/a"]
    assert "event stream" in reasons(plan)["/declared"]
    assert "event stream" in reasons(plan)["/undeclared"]
    assert "did not end" in reasons(plan)["/drip"]


def test_without_a_safe_endpoint_there_is_a_sentence() -> None:
    with pytest.raises(UserError, match="no endpoint with a safe method"):
        explore({"/a": {"post": {}}}, lambda request: {})


def test_when_nothing_can_be_driven_the_reasons_are_given() -> None:
    with pytest.raises(UserError, match="No endpoint of the app can be driven") as caught:
        explore({"/logout": get()}, lambda request: {})
    assert "looks destructive" in caught.value.details


def test_values_are_escaped_in_paths() -> None:
    plan = explore(
        {"/files": get(), "/files/{name}": get(path_parameter("name", type="string"))},
        lambda request: [{"name": "a/b?c"}] if request.url.path == "/files" else {},
    )
    assert urls(plan)["/files/{name}"] == ("/files/a%2Fb%3Fc",)


DESCRIPTION = {"openapi": "3.1.0", "paths": {"/a": get()}}


def test_the_description_is_found_in_unusual_places() -> None:
    page = "<script>SwaggerUIBundle({url: '/internal/my-openapi.json'})</script>"

    def answer(request: httpx.Request) -> Any:
        if request.url.path == "/docs":
            return httpx.Response(200, text=page)
        return DESCRIPTION if request.url.path == "/internal/my-openapi.json" else None

    assert fetch(client_of(answer)).routes == ("/a",)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (httpx.Response(404), "no OpenAPI description: /openapi.json answers 404. Say what to"),
        (httpx.Response(401), "asks for authentication .* --header"),
        (httpx.Response(200, text="<html>"), "is not an OpenAPI description in JSON"),
        (httpx.Response(200, json=[1]), "is not an OpenAPI description in JSON"),
        (httpx.Response(500), "answers 500"),
    ],
)
def test_without_a_description_it_says_what_to_do(answer: httpx.Response, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        fetch(client_of(lambda request: answer))


@pytest.mark.parametrize(("served_below", "url"), [(True, "/api/a"), (False, "/a")])
def test_the_prefix_of_the_server_is_used_if_the_app_serves_it(
    served_below: bool, url: str
) -> None:
    content = {**DESCRIPTION, "servers": [{"url": "/api"}]}

    def answer(request: httpx.Request) -> Any:
        if request.url.path == "/openapi.json":
            return content
        return {} if request.url.path == url else None

    client = client_of(answer)
    plan = Explorer(fetch(client), client).explore()
    assert urls(plan) == {"/a": (url,)}


@pytest.mark.parametrize("elsewhere", [None, "<html>", {}], ids=["nothing", "a page", "all"])
def test_endpoints_of_a_mounted_app_are_found_where_it_is_mounted(elsewhere: Any) -> None:
    def answer(request: httpx.Request) -> Any:
        if request.url.path == "/openapi.json":
            return DESCRIPTION
        if request.url.path == "/api/a":
            return {}
        return httpx.Response(200, html=elsewhere) if elsewhere == "<html>" else elsewhere

    client = client_of(answer)
    plan = Explorer(fetch(client), client).explore()
    # An app that answers anything everywhere gives no reason to doubt its description.
    assert urls(plan) == {"/a": ("/a",) if elsewhere == {} else ("/api/a",)}


def test_the_place_of_the_description_tells_where_its_endpoints_are() -> None:
    def answer(request: httpx.Request) -> Any:
        if request.url.path == "/docs":
            return httpx.Response(200, html='<a href="/team/shop/openapi.json">')
        return {"/team/shop/openapi.json": DESCRIPTION, "/team/shop/a": {}}.get(request.url.path)

    client = client_of(answer)
    plan = Explorer(fetch(client), client).explore()
    assert urls(plan) == {"/a": ("/team/shop/a",)}


def test_destructive_endpoints_are_not_asked_for_to_find_the_prefix() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> Any:
        asked.append(request.url.path)
        content = {"/reset": {"get": {}}, "/a": {"get": {}}}
        return {"openapi": "3.0.0", "paths": content} if "openapi" in asked[-1] else None

    client = client_of(answer)
    Explorer(fetch(client), client).explore()
    assert "/api/a" in asked
    assert not [path for path in asked if "reset" in path]


def test_a_broken_reference_allows_anything() -> None:
    spec = Spec(json.loads('{"paths": {"/a": {"$ref": "#/nowhere"}, "/b": null}}'), "")
    assert spec.endpoints == ()
    assert spec.resolve({"$ref": "#/a/b"}) == {}


def test_nouns() -> None:
    words = ["Users", "categories", "addresses", "boxes", "status", "news", "order"]
    assert [singular(word) for word in words[:4]] == ["user", "category", "address", "box"]
    assert singular("order") == singular("orders")
    assert noun_before("/api/v1/users/{user_id}/order-lines/") == "orderline"


def test_items_of_other_parents_are_not_offered() -> None:
    known = KnownValues()
    known.learn("/users/{user_id}/orders", {"user_id": 1}, [{"id": 11}])
    assert known.offer("order_id", "/users/{user_id}/orders/", {"user_id": 1}) == [11]
    assert known.offer("order_id", "/users/{user_id}/orders/", {"user_id": 2}) == []
    assert known.offer("nothing", "/else/", {}) is None
