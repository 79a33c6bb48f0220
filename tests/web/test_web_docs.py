"""/openapi.json and /docs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from fake_operations import FakeOperations
from jsonschema import Draft202012Validator
from samples import running

from bot.web.docs import _text, _type


async def _described(rest):
    answer = await rest.http.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


async def test_the_description_names_every_route_and_no_other(rest):
    paths = (await _described(rest))["paths"]

    assert {(method, path) for path, methods in paths.items() for method in methods} == {
        ("get", "/health"),
        ("get", "/ready"),
        ("get", "/api/instances"),
        ("post", "/api/instances"),
        ("get", "/api/instances/{id}"),
        ("delete", "/api/instances/{id}"),
        ("post", "/api/instances/{id}/start"),
        ("post", "/api/instances/{id}/stop"),
        ("post", "/api/instances/{id}/restart"),
        ("get", "/api/products"),
        ("get", "/api/deliveries"),
        ("get", "/api/deliveries/statistics"),
        ("post", "/api/deliveries/replay"),
        ("post", "/api/deliveries/{id}/replay"),
        ("get", "/api/metrics"),
        ("get", "/metrics"),
    }


async def test_the_description_promises_no_answer_that_is_never_sent(rest):
    described = await _described(rest)

    keyed = {
        (method, path)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if "422" in operation["responses"]
    }
    verbs = [("post", f"/api/instances/{{id}}/{verb}") for verb in ("start", "stop", "restart")]
    assert keyed == {("post", "/api/instances"), ("delete", "/api/instances/{id}"), *verbs}
    assert "HTTPValidationError" not in described["components"]["schemas"]
    assert set(described["paths"]["/api/instances"]["post"]["responses"]) == {
        "201",
        "400",
        "401",
        "404",
        "408",
        "413",
        "415",
        "422",
        "429",
        "default",
    }


async def test_both_ways_to_send_a_key_are_described_where_one_is_needed(rest):
    described = await _described(rest)

    assert set(described["components"]["securitySchemes"]) == {"bearer", "header"}
    for path, methods in described["paths"].items():
        for operation in methods.values():
            needed = [{"bearer": []}, {"header": []}] if path not in {"/health", "/ready"} else []
            assert operation["security"] == needed


async def test_answers_are_as_described(build):
    rest = await build(operations=FakeOperations(running()))
    described = await _described(rest)

    def valid(path, method, answer):
        responses = described["paths"][path][method]["responses"]
        content = responses[str(answer.status_code)]["content"]["application/json"]["schema"]
        Draft202012Validator({**content, "components": described["components"]}).validate(answer.json())

    valid("/api/instances", "post", await rest.create(templateId=7))
    valid("/api/instances", "post", await rest.create(gpuNum=9))
    valid("/api/instances", "get", await rest.http.get("/api/instances"))
    valid("/api/instances/{id}", "get", await rest.http.get("/api/instances/my-train"))
    valid("/api/instances/{id}", "get", await rest.http.get("/api/instances/nothing"))
    valid("/api/instances/{id}/stop", "post", await rest.http.post("/api/instances/my-train/stop"))
    valid("/api/instances/{id}/start", "post", await rest.http.post("/api/instances/my-train/start"))
    valid("/api/products", "get", await rest.http.get("/api/products"))
    valid("/api/deliveries", "get", await rest.http.get("/api/deliveries"))
    valid("/api/deliveries", "get", await rest.http.get("/api/deliveries?limit=0"))
    valid("/api/deliveries/{id}/replay", "post", await rest.http.post("/api/deliveries/nothing/replay"))
    valid("/health", "get", await rest.http.get("/health"))
    valid("/ready", "get", await rest.http.get("/ready"))
    valid("/api/metrics", "get", await rest.http.get("/api/metrics"))


async def test_a_request_is_valid_by_the_description_when_it_is_taken(build):
    rest = await build(rate_limit_max_requests=1_000)
    components = (await _described(rest))["components"]
    check = Draft202012Validator({"$ref": "#/components/schemas/CreateIn", "components": components})
    sound = {"name": "a", "productName": "b", "templateId": 7}

    for fields in (
        {},
        {"gpuNum": 9},
        {"gpuNum": None},
        {"gpuNum": "2"},
        {"name": "a b"},
        {"productName": "--"},
        {"templateId": True},
        {"templateId": None},
        {"billingMode": "monthly"},
        {"webhookUrl": "ftp://a"},
        {"webhookUrl": "http://a"},
        {"more": 1},
    ):
        body = {**sound, **fields}
        answer = await rest.http.post("/api/instances", json=body)
        assert (answer.status_code == 201) is check.is_valid(body), fields


class _Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.ids = set(), [], set()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        values = dict(attrs)
        self.links += [values[name] for name in ("href", "src") if name in values]
        self.ids.add(values.get("id"))


async def test_the_page_loads_nothing_and_runs_nothing(rest):
    answer = await rest.http.get("/docs")
    page = _Page(answer.text)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert page.tags.isdisjoint({"script", "link", "img", "iframe"})
    assert all(link == "/openapi.json" or link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"https?://", answer.text)


async def test_the_page_tells_what_the_description_tells(rest):
    described = await _described(rest)
    text = (await rest.http.get("/docs")).text

    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert f"<code>{method.upper()} {path}</code>" in text
            assert operation["summary"] in text
    for name, schema in described["components"]["schemas"].items():
        assert f'id="{name}"' in text
        for field in schema.get("properties", {}):
            assert f"<code>{field}</code>" in text
    assert "integer (1 to 8)" in text
    assert "string (1 to 100 characters)" in text
    assert "<code>spot</code>" in text


def test_what_is_described_cannot_write_html():
    assert _type({"type": "<b>", "enum": ["<i>"]}) == "<code>&lt;i&gt;</code>"
    assert _type({"type": "<b>"}) == "&lt;b&gt;"
    assert _type({}) == "anything"
    assert _text("<b> `<i>`") == "&lt;b&gt; <code>&lt;i&gt;</code>"


async def test_the_words_of_a_field_are_described_without_notes_for_programmers(rest):
    schemas = (await _described(rest))["components"]["schemas"]

    words = {name: schema for name, schema in schemas.items() if "enum" in schema}
    assert set(words) == {
        "State", "BillingMode", "Reason", "DeliveryState", "TargetKind", "EventKind",
    }  # fmt: skip
    assert not any("description" in schema for schema in words.values())
