"""A receiver of webhooks, as somebody's own program would be: it checks each signature and says 200."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

Answer = Literal[200, 500, 410]
_KEPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    at: datetime
    webhook_id: str
    """The same over all tries; empty where the sender named none."""
    tries: int
    """How often this webhook_id has come by now, this time included."""
    event: str
    name: str
    """Of the instance; its id where no name has come yet: an event of a failure brings none."""
    status: str
    sequence: int
    problem: str
    """Why it is not taken for genuine; empty where it is."""
    answered: int
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def verified(self) -> bool:
        return not self.problem


class Receiver:
    def __init__(self, secret: str, *, clock: Callable[[], datetime]) -> None:
        """`secret`: `whsec_` and base64."""
        self._webhook = Webhook(secret)
        self._clock = clock
        self._observers: list[Callable[[Arrival], None]] = []
        self._tries: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self._runner: web.AppRunner | None = None
        self.answers: Answer = 200
        """What it says to whatever comes; with 200, one that is not genuine gets 401."""
        self.arrivals: deque[Arrival] = deque(maxlen=_KEPT)
        """The latest ones, oldest first."""
        self.total = 0
        self.url = ""

    def subscribe(self, observer: Callable[[Arrival], None]) -> Callable[[], None]:
        """Returns what ends the subscription."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        text = await request.text()
        arrival = self._read(text, dict(request.headers))
        self.arrivals.append(arrival)
        self.total += 1
        for observer in tuple(self._observers):
            observer(arrival)
        return web.Response(status=arrival.answered)

    def _read(self, text: str, headers: Mapping[str, str]) -> Arrival:
        """Whatever it is, as far as it can be read: one that is not signed may be anything."""
        fields = _fields(text)
        sequence = fields.get("sequence")
        webhook_id = {key.lower(): value for key, value in headers.items()}.get("webhook-id", "")
        self._tries[webhook_id] += 1
        problem = self._problem(text, headers)
        return Arrival(
            at=self._clock(),
            webhook_id=webhook_id,
            tries=self._tries[webhook_id] if webhook_id else 1,
            event=str(fields.get("event", "unreadable")),
            name=self._name(fields),
            status=str(fields.get("status", "unknown")),
            sequence=sequence if isinstance(sequence, int) else 0,
            problem=problem,
            answered=401 if problem and self.answers == 200 else self.answers,
            headers=tuple(headers.items()),
            body=text,
        )

    def _name(self, fields: Mapping[str, Any]) -> str:
        instance, instance_id = fields.get("instance"), str(fields.get("instanceId", ""))
        if isinstance(instance, dict) and "name" in instance:
            self._names[instance_id] = str(instance["name"])
        return self._names.get(instance_id, instance_id)

    def _problem(self, text: str, headers: Mapping[str, str]) -> str:
        try:
            self._webhook.verify(text, dict(headers), json_parse=False)
        except WebhookVerificationError as error:
            return str(error)
        except ValueError:
            return "Signature unreadable"
        return ""


def _fields(text: str) -> dict[str, Any]:
    try:
        body: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
