"""The client against answers that Novita is known to give; faults of the wire are in test_novita_wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
import respx
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot.errors import (
    BadCredentials,
    InsufficientResource,
    NotSent,
    NovitaNotFound,
    NovitaRefused,
    NovitaUnavailable,
    OutcomeUnknown,
)
from bot.novita.budget import Priority
from bot.novita.client import NovitaClient
from bot.novita.limits import Limits
from storage.cloud import BillingMode, Env, Offer, Order, Phase

ROOT = "https://api.novita.ai/gpu-instance/openapi/v1"
KEY = "sk_live_0123456789"
LIMITS = Limits(
    timeout=timedelta(seconds=5),
    max_retries=2,
    retry_delay=timedelta(milliseconds=1),
    max_retry_delay=timedelta(milliseconds=50),
    person_wait=timedelta(0),
    poll_wait=timedelta(0),
    breaker_threshold=5,
)
OFFER = Offer(
    product_id="4090.16c62g",
    product_name="RTX 4090 24GB",
    cluster_id="us-ca-6",
    region="US-CA-06",
    billing_mode=BillingMode.ON_DEMAND,
    gpu_count=1,
    usd_per_gpu_hour=Decimal("0.35"),
)
ORDER = Order(name="gb-1-2-a1", offer=OFFER, disk_gb=60, image="x", envs=(Env(key="TOKEN", value="hunter2"),))
CHANGES = ["create", "start", "stop", "restart", "delete"]


@pytest.fixture
async def novita(clock) -> AsyncIterator[NovitaClient]:
    async with opened(clock) as client:
        yield client


@pytest.fixture
def api() -> respx.MockRouter:
    with respx.mock(base_url=ROOT, assert_all_called=False) as router:
        yield router


@asynccontextmanager
async def opened(clock, *, limits: Limits = LIMITS, **kwargs) -> AsyncIterator[NovitaClient]:
    settings = {"base_url": "https://api.novita.ai", "api_key": SecretStr(KEY)} | kwargs
    # to load the certificates of the world takes longer than the test
    transport = httpx.AsyncHTTPTransport(verify=False)
    client = NovitaClient(clock=clock, limits=limits, transport=transport, **settings)
    yield client
    await client.aclose()


def refusal(status: int, reason: str, message: str = "no", **headers: str) -> httpx.Response:
    body = {"code": status, "reason": reason, "message": message, "metadata": {}}
    return httpx.Response(status, json=body, headers=headers)


async def change(novita: NovitaClient, verb: str) -> object:
    if verb == "create":
        return await novita.create_instance(ORDER)
    return await getattr(novita, f"{verb}_instance")("a1")


def listed(*ids: str, total: int | None = None) -> httpx.Response:
    rows = [{"id": i, "name": f"name-{i}", "status": "running"} for i in ids]
    return httpx.Response(200, json={"instances": rows, "total": len(ids) if total is None else total})


class TestRequests:
    async def test_every_call_carries_the_key_and_is_json(self, novita, api) -> None:
        api.get("/clusters").respond(json={"data": []})
        await novita.list_clusters()
        headers = api.calls.last.request.headers
        assert headers["Authorization"] == f"Bearer {KEY}"
        assert headers["Content-Type"] == "application/json"

    async def test_headers_are_asked_for_each_call(self, clock, api) -> None:
        numbers = iter("12")
        api.get("/clusters").respond(json={"data": []})
        async with opened(clock, headers=lambda: {"X-Correlation-ID": next(numbers)}, api_key=KEY) as novita:
            await novita.list_clusters()
            await novita.list_clusters()
        assert [c.request.headers["X-Correlation-ID"] for c in api.calls] == ["1", "2"]
        assert api.calls.last.request.headers["Authorization"] == f"Bearer {KEY}"

    @pytest.mark.parametrize("mode", list(BillingMode))
    async def test_products_are_asked_for_one_billing_mode(self, novita, api, mode) -> None:
        api.get("/products").respond(json={"data": [{"id": "p", "price": "35000", "spotPrice": "17500"}]})
        (product,) = await novita.list_products(mode)
        assert dict(api.calls.last.request.url.params) == {"billingMethod": mode.value}
        assert product.billing_mode is mode

    async def test_rows_that_are_left_out_are_counted_in_the_log(self, novita, api) -> None:
        api.get("/products").respond(json={"data": [{"id": "p"}, {}, "x"]})
        with capture_logs() as logs:
            assert len(await novita.list_products(BillingMode.SPOT)) == 1
        assert [(log["event"], log["what"], log["skipped"]) for log in logs] == [
            ("novita.rows_skipped", "products", 2)
        ]

    async def test_a_template_is_asked_for_by_query(self, novita, api) -> None:
        api.get("/template", params={"templateId": "7/&x"}).respond(json={"template": {"Id": 7, "name": "t"}})
        assert (await novita.get_template("7/&x")).id == "7"

    async def test_templates_are_novitas_and_ones_own(self, novita, api) -> None:
        api.get("/templates", params={"channel": "official", "isMyCommunity": "false"}).respond(
            json={"template": [{"Id": 1}, {"Id": 2}], "total": 2}
        )
        api.get("/templates", params={"channel": "private", "isMyCommunity": "true"}).respond(
            json={"template": [{"Id": 3}], "total": "1"}
        )
        found = [(template.id, template.channel) for template in await novita.list_templates()]
        assert found == [("1", "official"), ("2", "official"), ("3", "private")]

    async def test_get_is_by_query_and_reads_details(self, novita, api) -> None:
        api.get("/gpu/instance", params={"instanceId": "a1"}).respond(json={"id": "a1", "status": "pulling"})
        it = await novita.get_instance("a1", priority=Priority.POLL)
        assert it.observation.phase is Phase.PROVISIONING

    @pytest.mark.parametrize("verb", CHANGES[1:])
    @pytest.mark.parametrize("body", ["", "{}", '{"instanceId":"a1","state":"x"}', "null"])
    async def test_a_change_names_the_instance_in_its_body(self, novita, api, verb, body) -> None:
        api.post(f"/gpu/instance/{verb}").respond(200, text=body)
        assert await change(novita, verb) is None
        assert json.loads(api.calls.last.request.content) == {"instanceId": "a1"}

    async def test_a_create_gives_the_id(self, novita, api) -> None:
        api.post("/gpu/instance/create").respond(json={"id": "a1b2"})
        assert await novita.create_instance(ORDER) == "a1b2"
        sent = json.loads(api.calls.last.request.content)
        assert sent["envs"] == [{"key": "TOKEN", "value": "hunter2"}]

    async def test_half_a_surrogate_pair_in_an_env_can_be_sent(self, novita, api) -> None:
        api.post("/gpu/instance/create").respond(json={"id": "a1b2"})
        await novita.create_instance(replace(ORDER, envs=(Env(key="A", value="\ud83d"),)))
        assert json.loads(api.calls.last.request.content)["envs"][0]["value"] == "\ud83d"


class TestListing:
    async def test_it_is_the_whole_account_with_the_time_it_began(self, novita, api, clock) -> None:
        began_at = clock.now

        def answer(request: httpx.Request) -> httpx.Response:
            clock.now += timedelta(seconds=1)
            return [listed("a", "b", total=3), listed("c", total=3)][int(request.url.params["pageNum"])]

        api.get("/gpu/instances").mock(side_effect=answer)
        listing = await novita.list_instances()
        assert [seen.novita_id for seen in listing.observations] == ["a", "b", "c"]
        assert listing.began_at == began_at

    async def test_an_empty_account_is_a_listing(self, novita, api) -> None:
        api.get("/gpu/instances").mock(return_value=listed())
        assert (await novita.list_instances()).observations == ()

    async def test_a_part_of_the_account_is_an_error(self, novita, api) -> None:
        api.get("/gpu/instances").mock(return_value=listed("a", total=2))
        with pytest.raises(NovitaUnavailable):
            await novita.list_instances()

    @pytest.mark.parametrize(
        "answer",
        [
            {"json": {"instances": []}},
            {"json": {"total": 0}},
            {"json": {"instances": [{"name": "x"}], "total": 1}},
            {"text": "<html>hello</html>"},
            {"text": '{"instances":[],"tot'},
            {"text": ""},
            {"status_code": 302, "headers": {"Location": "https://elsewhere.example/"}},
        ],
    )
    async def test_what_is_not_a_list_is_never_an_empty_one(self, novita, api, answer) -> None:
        api.get("/gpu/instances").respond(**answer)
        with pytest.raises(NovitaUnavailable):
            await novita.list_instances()

    async def test_a_failed_page_fails_the_list_at_once(self, novita, api) -> None:
        pages = [listed("a", total=2), httpx.Response(500)]
        route = api.get("/gpu/instances").mock(side_effect=pages)
        with pytest.raises(NovitaUnavailable):
            await novita.list_instances()
        assert route.call_count == 2

    async def test_lists_of_ten_pages_are_spread_over_the_minute(self, clock, api) -> None:
        rows = [{"id": str(n), "status": "running"} for n in range(10)]
        pages = [httpx.Response(200, json={"instances": [row], "total": 10}) for row in rows]
        api.get("/gpu/instances").mock(side_effect=pages)
        async with opened(clock, limits=replace(LIMITS, calls_per_minute=100, page_size=1)) as novita:
            assert novita.list_pause() == timedelta(seconds=1.2)
            await novita.list_instances()
            assert novita.list_pause() == timedelta(seconds=12)

    async def test_a_poll_takes_at_most_half_of_the_budget(self, clock, api) -> None:
        api.get("/gpu/instances").mock(return_value=listed())
        api.get("/gpu/instance").respond(json={"id": "a1"})
        async with opened(clock, limits=replace(LIMITS, calls_per_minute=4)) as novita:
            assert novita._budget.polls_left == 2
            await novita.list_instances()
            await novita.list_instances()
            assert novita._budget.polls_left == 0
            with pytest.raises(NotSent):
                await novita.list_instances()
            await novita.get_instance("a1")
            assert novita.health.unhealthy_since is None


class TestLookUps:
    async def test_they_are_repeated_while_novita_is_unavailable(self, novita, api) -> None:
        answers = [httpx.Response(503), httpx.ReadTimeout("slow"), httpx.Response(200, json={"data": []})]
        route = api.get("/clusters").mock(side_effect=answers)
        assert await novita.list_clusters() == ()
        assert route.call_count == 3

    async def test_they_give_up_after_so_many_tries(self, novita, api) -> None:
        route = api.get("/products").respond(500)
        with pytest.raises(NovitaUnavailable):
            await novita.list_products(BillingMode.SPOT)
        assert route.call_count == 1 + LIMITS.max_retries

    async def test_a_definite_no_is_not_asked_again(self, novita, api) -> None:
        route = api.get("/template").mock(
            return_value=refusal(400, "TEMPLATE_NOT_FOUND", "template not found")
        )
        with pytest.raises(NovitaNotFound):
            await novita.get_template("9")
        assert route.call_count == 1

    async def test_a_short_retry_after_is_waited_for(self, clock, api) -> None:
        limits = replace(LIMITS, max_retry_delay=timedelta(seconds=2))
        answers = [
            refusal(429, "RATE_LIMIT_EXCEEDED", **{"Retry-After": "0"}),
            httpx.Response(200, json={"data": []}),
        ]
        route = api.get("/clusters").mock(side_effect=answers)
        async with opened(clock, limits=limits) as novita:
            await novita.list_clusters()
        assert route.call_count == 2

    async def test_a_long_retry_after_ends_the_look_up_and_pauses_everybody(self, novita, api, clock) -> None:
        route = api.get("/clusters").mock(
            return_value=refusal(429, "RATE_LIMIT_EXCEEDED", **{"Retry-After": "600"})
        )
        with pytest.raises(NotSent) as caught:
            await novita.list_clusters()
        assert caught.value.retry_after == timedelta(seconds=600)
        with pytest.raises(NotSent) as caught:
            await novita.get_instance("a1")
        assert caught.value.retry_after == LIMITS.max_pause
        assert novita._budget.polls_left == 0
        assert route.call_count == 1
        clock.now += LIMITS.max_pause
        api.get("/gpu/instance").respond(json={"id": "a1"})
        await novita.get_instance("a1")


class TestChanges:
    @pytest.mark.parametrize("verb", CHANGES)
    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (refusal(400, "INSUFFICIENT_RESOURCE"), InsufficientResource),
            (refusal(400, "BALANCE_NOT_ENOUGH"), NovitaRefused),
            (refusal(401, "UNAUTHORIZED"), BadCredentials),
            (refusal(404, "RESOURCE_NOT_FOUND"), NovitaNotFound),
            (refusal(429, "RATE_LIMIT_EXCEEDED"), NotSent),
            (httpx.ConnectError("refused"), NotSent),
            (httpx.ConnectTimeout("no route"), NotSent),
            (httpx.PoolTimeout("busy"), NotSent),
            (httpx.Response(429, text="slow down"), OutcomeUnknown),
            (httpx.Response(408), OutcomeUnknown),
            (refusal(409, "CONFLICT"), OutcomeUnknown),
            (httpx.Response(425), OutcomeUnknown),
            (httpx.Response(302, headers={"Location": "/elsewhere"}), OutcomeUnknown),
            (httpx.Response(302, headers={"Location": "data:x,y"}), OutcomeUnknown),
            (httpx.Response(500), OutcomeUnknown),
            (refusal(500, "UNKNOWN"), OutcomeUnknown),
            (httpx.Response(504, text="<html>"), OutcomeUnknown),
            (httpx.Response(200, text="<html>"), OutcomeUnknown),
            (httpx.Response(200, text='{"id":'), OutcomeUnknown),
            (httpx.ReadTimeout("slow"), OutcomeUnknown),
            (httpx.WriteTimeout("slow"), OutcomeUnknown),
            (httpx.ReadError("reset"), OutcomeUnknown),
            (httpx.WriteError("reset"), OutcomeUnknown),
            (httpx.RemoteProtocolError("closed"), OutcomeUnknown),
            (httpx.InvalidURL("strange"), OutcomeUnknown),
        ],
    )
    async def test_they_are_tried_once_and_the_error_says_whether_it_may_have_happened(
        self, novita, api, verb, answer, kind
    ) -> None:
        route = api.post(f"/gpu/instance/{verb}").mock(side_effect=[answer])
        with pytest.raises(NovitaRefused if issubclass(kind, NovitaRefused) else NovitaUnavailable) as caught:
            await change(novita, verb)
        assert type(caught.value) is kind
        assert route.call_count == 1

    @pytest.mark.parametrize("answer", [{}, {"id": ""}, {"instanceId": "a1"}, None, []])
    async def test_a_create_without_an_id_may_have_happened(self, novita, api, answer) -> None:
        api.post("/gpu/instance/create").respond(json=answer)
        with pytest.raises(OutcomeUnknown):
            await novita.create_instance(ORDER)

    async def test_a_spent_budget_sends_nothing(self, clock, api) -> None:
        route = api.post("/gpu/instance/create").respond(json={"id": "a1"})
        async with opened(clock, limits=replace(LIMITS, calls_per_minute=1)) as novita:
            await novita.create_instance(ORDER)
            with pytest.raises(NotSent):
                await novita.create_instance(ORDER)
        assert route.call_count == 1

    async def test_no_message_repeats_an_env_or_the_key(self, novita, api) -> None:
        message = f"env TOKEN=hunter2 of {KEY} is too long"
        api.post("/gpu/instance/create").mock(return_value=refusal(400, "VALIDATOR_PARAM", message))
        with capture_logs() as logs, pytest.raises(NovitaRefused) as caught:
            await novita.create_instance(ORDER)
        assert str(caught.value) == "Novita says: env TOKEN=*** of *** is too long"
        assert "hunter2" not in repr(logs)


class TestBreaker:
    async def test_after_so_many_faults_nothing_is_sent_until_a_probe_is_answered(
        self, novita, api, clock
    ) -> None:
        route = api.get("/gpu/instances").respond(500)
        for _ in range(5):
            with pytest.raises(NovitaUnavailable):
                await novita.list_instances()
        with pytest.raises(NotSent) as caught:
            await novita.create_instance(ORDER)
        assert caught.value.retry_after == LIMITS.breaker_timeout
        assert route.call_count == 5
        clock.now += LIMITS.breaker_timeout
        route.mock(return_value=listed())
        await novita.list_instances()
        await novita.list_instances()

    @pytest.mark.parametrize("fault", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.Response(429)])
    async def test_transport_faults_and_429_count(self, novita, api, fault) -> None:
        route = api.get("/gpu/instance").mock(side_effect=[fault] * 9)
        for _ in range(9):
            with pytest.raises(NovitaUnavailable):
                await novita.get_instance("a1")
        assert route.call_count == 5

    @pytest.mark.parametrize(
        "answer", [refusal(400, "X_Y"), refusal(401, "X_Y"), refusal(404, "X_Y"), httpx.Response(200)]
    )
    async def test_no_other_answer_counts(self, novita, api, answer) -> None:
        route = api.get("/gpu/instance").mock(return_value=answer)
        for _ in range(9):
            with pytest.raises((NovitaRefused, NovitaUnavailable)):
                await novita.get_instance("a1")
        assert route.call_count == 9


class TestHealth:
    @pytest.mark.parametrize(
        "fault",
        [
            httpx.ConnectError("x"),
            httpx.Response(502, text="<html>"),
            refusal(401, "UNAUTHORIZED"),
            httpx.Response(429),
            httpx.Response(302),
            httpx.Response(200, text="<html>"),
        ],
    )
    async def test_it_is_logged_once_when_novita_breaks_and_once_when_it_recovers(
        self, novita, api, clock, fault
    ) -> None:
        since = clock.now
        answers = [fault, fault, fault, httpx.Response(200, json={"id": "a1"})] * 2
        api.get("/gpu/instance").mock(side_effect=answers[:4])
        with capture_logs() as logs:
            for _ in range(3):
                with pytest.raises((NovitaRefused, NovitaUnavailable)):
                    await novita.get_instance("a1")
                assert novita.health.unhealthy_since == since
                clock.now += timedelta(seconds=10)
            await novita.get_instance("a1")
        assert novita.health.unhealthy_since is None
        assert [log["event"] for log in logs] == ["novita.failing", "novita.recovered"]
        assert logs[1]["since"] == since

    async def test_a_refused_call_is_a_sign_of_health(self, novita, api) -> None:
        api.get("/gpu/instance").mock(side_effect=[httpx.Response(500), refusal(404, "RESOURCE_NOT_FOUND")])
        with pytest.raises(NovitaUnavailable):
            await novita.get_instance("a1")
        with pytest.raises(NovitaNotFound):
            await novita.get_instance("a1")
        assert novita.health.unhealthy_since is None
