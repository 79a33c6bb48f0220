"""The client of Novita's GPU API, v1. The only file here that knows HTTP.

```
look-ups   products, clusters, templates    repeated while Novita is unavailable
pictures   list_instances, get_instance     tried once: the next pass asks again
changes    create, start, stop, ...         tried once: the error says whether it may have happened
```

Every call goes breaker -> budget -> HTTP (time and bytes capped) -> `refusals` -> `schemas`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import httpx
import stamina
import structlog
from pydantic import SecretStr

from bot.errors import BadCredentials, NotSent, NovitaUnavailable
from bot.metrics import Metrics
from bot.novita import calls, schemas
from bot.novita.answers import Answer, Malformed, retry_after_of
from bot.novita.breaker import Breaker
from bot.novita.budget import Budget, Priority
from bot.novita.calls import Call
from bot.novita.details import details
from bot.novita.health import Health
from bot.novita.limits import Limits
from bot.novita.pages import instances_page, templates_page
from bot.novita.paging import Page, Pager
from bot.novita.refusals import error_of, lost, unreadable
from bot.novita.words import counted
from bot.tls import authorities
from storage.cloud import BillingMode, Cluster, Details, Listing, Observation, Order, Product, Template

_CHANNELS = ("official", "private")
"""Of templates. The community's are too many to list; each can be had by its id."""
_log = structlog.get_logger()
_T = TypeVar("_T")


class NovitaClient:
    """Raises only the NovitaError tree. `health` and what is left are read from memory, any time.

    `headers` is asked before each call, for such as a correlation id.
    """

    def __init__(  # noqa: PLR0913 - a composition root passes in everything by name
        self,
        *,
        base_url: str,
        api_key: SecretStr | str,
        clock: Callable[[], datetime],
        limits: Limits,
        headers: Callable[[], Mapping[str, str]] = dict,
        transport: httpx.AsyncBaseTransport | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._root = calls.api_root(base_url)
        self._key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
        self._clock = clock
        self._limits = limits
        self._metrics = metrics or Metrics()
        self._headers = headers
        self._http = _http_client(self._key, limits.timeout, transport)
        self._breaker = Breaker(
            threshold=limits.breaker_threshold, open_for=limits.breaker_timeout, clock=clock
        )
        waits = {Priority.PERSON: limits.person_wait, Priority.POLL: limits.poll_wait}
        self._budget = Budget(calls_per_minute=limits.calls_per_minute, max_wait=waits, clock=clock)
        self._retrying = stamina.AsyncRetryingCaller(
            attempts=limits.max_retries + 1,
            timeout=None,
            wait_initial=limits.retry_delay,
            wait_max=limits.max_retry_delay,
            wait_jitter=limits.retry_delay,
        ).on(self._again)
        self._instances: Pager[Observation] = Pager(limits.page_size)
        self._templates: Mapping[str, Pager[Template]] = {c: Pager(limits.page_size) for c in _CHANNELS}
        self.health = Health(clock)

    @property
    def calls_left(self) -> int:
        return self._budget.calls_left

    @property
    def is_held_back(self) -> bool:
        """Novita does not answer, and is left alone for a while."""
        return self._breaker.is_open

    def refusal(self) -> NotSent | None:
        """What a change would raise if it were asked now, without being sent. Known before it is begun."""
        return self._breaker.refusal() or self._budget.refusal(Priority.PERSON)

    def list_pause(self) -> timedelta:
        """Between two lists: asked for sooner, one of them would have to wait in its midst for the budget."""
        return self._budget.pause_between(self._instances.calls)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def list_products(self, billing_mode: BillingMode) -> tuple[Product, ...]:
        """All of them: what a region or a name leaves over is for the caller to choose."""
        rows = await self._look_up(
            calls.products(billing_mode), lambda answer: schemas.products(answer.parsed(), billing_mode)
        )
        return _kept("products", *rows)

    async def list_clusters(self) -> tuple[Cluster, ...]:
        rows = await self._look_up(calls.clusters(), lambda answer: schemas.clusters(answer.parsed()))
        return _kept("clusters", *rows)

    async def get_template(self, template_id: str) -> Template:
        """Raises NovitaNotFound."""
        return await self._look_up(
            calls.template(template_id), lambda answer: schemas.template(answer.parsed())
        )

    async def list_templates(self) -> tuple[Template, ...]:
        """Novita's own and the account's; as many as could be read."""
        found: dict[str, Template] = {}
        for channel, pager in self._templates.items():
            collected = await pager.collect(partial(self._templates_page, channel))
            found |= {template.id: template for template in collected.items}
        return tuple(found.values())

    async def list_instances(self) -> Listing:
        """The whole account, whoever made what is in it. Raises rather than give a part of it."""
        collected = await self._instances.collect(self._instances_page)
        if not collected.complete:
            raise NovitaUnavailable("Novita's list of instances changed while it was read, or is not whole.")
        return Listing(began_at=collected.began_at, observations=collected.items)

    async def get_instance(self, novita_id: str, *, priority: Priority = Priority.PERSON) -> Details:
        """Raises NovitaNotFound."""
        return await self._call(
            calls.instance(novita_id, priority), lambda answer: details(answer.parsed(), novita_id)
        )

    async def create_instance(self, order: Order) -> str:
        """Novita's id of the new instance, which starts by itself. Not idempotent: never to be repeated after
        OutcomeUnknown, nor after a cancellation.
        """
        return await self._call(calls.create(order), lambda answer: schemas.created_id(answer.parsed()))

    async def start_instance(self, novita_id: str) -> None:
        await self._act("start", novita_id)

    async def stop_instance(self, novita_id: str) -> None:
        await self._act("stop", novita_id)

    async def restart_instance(self, novita_id: str) -> None:
        await self._act("restart", novita_id)

    async def delete_instance(self, novita_id: str) -> None:
        """Raises NovitaNotFound for one that is gone already."""
        await self._act("delete", novita_id)

    async def _act(self, verb: str, novita_id: str) -> None:
        # the answer's own `state` is not used: get and list say it
        await self._call(calls.act(verb, novita_id), Answer.parsed)

    async def _instances_page(self, number: int, size: int) -> Page[Observation]:
        return await self._call(calls.instances(number=number, size=size), instances_page)

    async def _templates_page(self, channel: str, number: int, size: int) -> Page[Template]:
        call = calls.templates(channel, number=number, size=size)
        return await self._look_up(call, lambda answer: templates_page(answer, channel))

    async def _look_up(self, call: Call, read: Callable[[Answer], _T]) -> _T:
        async def once() -> _T:
            return await self._call(call, read)

        return await self._retrying(once)

    def _again(self, error: Exception) -> bool | timedelta:
        if not isinstance(error, NovitaUnavailable):
            return False
        if error.retry_after is None:
            return True
        return error.retry_after if error.retry_after <= self._limits.max_retry_delay else False

    async def _call(self, call: Call, read: Callable[[Answer], _T]) -> _T:
        """The one way out, counted by what becomes of it."""
        with counted(self._metrics, call.name):
            return await self._tried(call, read)

    async def _tried(self, call: Call, read: Callable[[Answer], _T]) -> _T:
        with self._breaker.permit() as permit:
            await self._budget.acquire(call.priority)
            began = self._metrics.start()
            try:
                answer = await self._exchange(call)
            except NovitaUnavailable as error:
                permit.answered = False
                self.health.failed(str(error))
                raise
            finally:
                self._metrics.novita_answered(call.name, began)
            permit.answered = not answer.is_fault
        return self._understood(answer, call, read)

    def _understood(self, answer: Answer, call: Call, read: Callable[[Answer], _T]) -> _T:
        if answer.is_fault and answer.retry_after is not None:
            self._budget.pause(min(answer.retry_after, self._limits.max_pause))
        error = error_of(answer, call.effect, (self._key, *call.secrets))
        if error is not None:
            if answer.is_fault or answer.status_code < 400 or isinstance(error, BadCredentials):
                self.health.failed(str(error))
            else:
                self.health.answered()
            raise error
        try:
            understood = read(answer)
        except Malformed as cause:
            self.health.failed(f"Its answer could not be read: {cause}.")
            raise unreadable(answer, call.effect) from cause
        self.health.answered()
        return understood

    async def _exchange(self, call: Call) -> Answer:
        """Raises NotSent or, where the call may have arrived, what `lost` says."""
        began_at = self._clock()
        try:
            async with asyncio.timeout(self._limits.timeout.total_seconds()), self._send(call) as response:
                return Answer(
                    status_code=response.status_code,
                    began_at=began_at,
                    body=await self._body(response),
                    retry_after=retry_after_of(response.headers.get("Retry-After"), self._clock()),
                )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSent("Novita cannot be reached.") from error
        except (httpx.TimeoutException, TimeoutError) as error:
            raise lost("Novita did not answer in time.", call.effect) from error
        # a 3xx with a strange Location is InvalidURL, although no redirect is followed
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise lost("The connection to Novita broke.", call.effect) from error

    def _send(self, call: Call) -> AbstractAsyncContextManager[httpx.Response]:
        return self._http.stream(
            call.method,
            self._root + call.path,
            params=dict(call.params),
            # ASCII on the wire, so that even half a surrogate pair in an env cannot fail the encoding
            content=None if call.body is None else json.dumps(call.body),
            headers=dict(self._headers()),
        )

    async def _body(self, response: httpx.Response) -> bytes | None:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._limits.max_answer_bytes:
                return None
        return bytes(body)


def _http_client(
    key: str, timeout: timedelta, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    seconds = timeout.total_seconds()
    # the ways in fail well before the whole call does: then it is known that nothing was sent
    way_in = min(5.0, seconds / 3)
    return httpx.AsyncClient(
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            # what arrives is what is counted: a small compressed body cannot unfold into a large one
            "Accept-Encoding": "identity",
            "User-Agent": "novita-gpu-bot",
        },
        timeout=httpx.Timeout(seconds, connect=way_in, pool=way_in),
        # short: a create that meets a connection which the server is just closing is ambiguous
        limits=httpx.Limits(max_connections=20, keepalive_expiry=5.0),
        follow_redirects=False,
        verify=authorities(),
        transport=transport,
        # a proxy from the environment is used, but not towards this machine
        mounts={"all://127.0.0.1": None, "all://localhost": None},
    )


def _kept(what: str, items: list[_T], skipped: int) -> tuple[_T, ...]:
    if skipped:
        _log.warning("novita.rows_skipped", what=what, skipped=skipped)
    return tuple(items)
