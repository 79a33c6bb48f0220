"""Answers that are kept until the next commit."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.responses import JSONResponse

from bot.web.remembered import Remembered


class Counted:
    """Counts what it is asked, and can be made to wait before it answers."""

    def __init__(self, status_code=200):
        self.asked = 0
        self.status_code = status_code
        self.arrived = asyncio.Queue()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, scope, receive, send):
        self.asked += 1
        number = self.asked
        self.arrived.put_nowait(number)
        await self.gate.wait()
        if number == 1 and self.status_code == 500:
            raise RuntimeError("broken")
        scope["route"] = "the route"
        await JSONResponse({"asked": number}, self.status_code)(scope, receive, send)


class Commits:
    def __init__(self):
        self.number = 1

    def __call__(self):
        return self.number


@pytest.fixture
def commits():
    return Commits()


def _http(app, commits):
    layer = Remembered(app, generation=commits)
    transport = httpx.ASGITransport(app=layer, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_what_was_answered_is_answered_again_until_the_next_commit(commits):
    app = Counted()
    async with _http(app, commits) as http:
        first = await http.get("/api/instances/a?x=1")
        again = await http.get("/api/instances/a?x=1")
        commits.number = 2
        later = await http.get("/api/instances/a?x=1")

    assert (again.content, again.headers) == (first.content, first.headers)
    assert (first.json(), later.json()) == ({"asked": 1}, {"asked": 2})


@pytest.mark.parametrize("path", ["/api/instances/b", "/api/instances/a?x=2", "/api/instances"])
async def test_another_question_is_asked(commits, path):
    app = Counted()
    async with _http(app, commits) as http:
        await http.get("/api/instances/a")
        await http.get(path)

    assert app.asked == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/instances"),
        ("DELETE", "/api/instances/a"),
        ("GET", "/api/instances/a?include=password"),
        ("GET", "/api/instances/a?inclu%64e=password"),
        ("GET", "/api/products"),
        ("GET", "/health"),
    ],
)
async def test_changes_passwords_and_other_things_are_never_kept(commits, method, path):
    app = Counted()
    async with _http(app, commits) as http:
        for _ in range(2):
            await http.request(method, path)

    assert app.asked == 2


async def test_where_others_commit_as_well_nothing_is_kept(commits):
    commits.number = None
    app = Counted()
    async with _http(app, commits) as http:
        for _ in range(2):
            await http.get("/api/instances/a")

    assert app.asked == 2


@pytest.mark.parametrize("status_code", [404, 503])
async def test_an_error_is_not_kept(commits, status_code):
    app = Counted(status_code)
    async with _http(app, commits) as http:
        for _ in range(2):
            await http.get("/api/instances/a")

    assert app.asked == 2


async def test_of_several_at_once_the_first_asks_for_all(commits):
    app = Counted()
    app.gate.clear()
    async with _http(app, commits) as http:
        asked = [asyncio.create_task(http.get("/api/instances")) for _ in range(5)]
        await app.arrived.get()
        app.gate.set()
        answers = await asyncio.gather(*asked)

    assert {answer.text for answer in answers} == {'{"asked":1}'}


async def test_whoever_waits_for_one_that_breaks_asks_by_himself(commits):
    app = Counted(500)
    app.gate.clear()
    async with _http(app, commits) as http:
        first = asyncio.create_task(http.get("/api/instances"))
        await app.arrived.get()
        second = asyncio.create_task(http.get("/api/instances"))
        await asyncio.sleep(0)
        app.gate.set()
        await first
        await second

    assert app.asked == 2


async def test_what_is_committed_while_it_is_read_makes_it_a_thing_of_the_past(commits):
    app = Counted()
    app.gate.clear()
    async with _http(app, commits) as http:
        first = asyncio.create_task(http.get("/api/instances"))
        await app.arrived.get()
        commits.number = 2
        second = asyncio.create_task(http.get("/api/instances"))
        await app.arrived.get()
        app.gate.set()
        assert ((await first).json(), (await second).json()) == ({"asked": 1}, {"asked": 2})


async def test_the_route_is_known_to_outer_layers_each_time(commits):
    routes = []
    layer = Remembered(Counted(), generation=commits)

    async def outer(scope, receive, send):
        await layer(scope, receive, send)
        routes.append(scope["route"])

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=outer), base_url="http://localhost"
    ) as http:
        for _ in range(2):
            await http.get("/api/instances")

    assert routes == ["the route"] * 2


async def test_headers_that_outer_layers_add_are_not_kept(commits):
    layer = Remembered(Counted(), generation=commits)

    async def outer(scope, receive, send):
        async def tagged(message):
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-tag", scope["query_string"] or b"none"))
            await send(message)

        await layer({**scope, "query_string": b""}, receive, tagged)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=outer), base_url="http://localhost"
    ) as http:
        for _ in range(3):
            answer = await http.get("/api/instances")

    assert answer.headers.get_list("x-tag") == ["none"]


async def test_no_more_than_so_many_are_kept(commits):
    app = Counted()
    layer = Remembered(app, generation=commits)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=layer), base_url="http://localhost"
    ) as http:
        for number in range(501):
            await http.get(f"/api/instances/{number}")

    assert len(layer._answers) == 1


async def test_who_does_not_read_what_he_asked_for_holds_up_nobody(commits):
    layer = Remembered(Counted(), generation=commits)
    stuck = asyncio.Event()

    async def never_read(_message):
        await stuck.wait()

    scope = {"type": "http", "method": "GET", "path": "/api/instances", "query_string": b"", "headers": []}
    first = asyncio.create_task(layer(dict(scope), None, never_read))
    sent = []

    async def read(message):
        sent.append(message)

    async with asyncio.timeout(5):
        await asyncio.sleep(0)
        await layer(dict(scope), None, read)
    assert sent[0]["status"] == 200
    stuck.set()
    await first
