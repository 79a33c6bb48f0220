"""Socket Mode, Slack's side: tickets, connections, envelopes and their acks.

Rules from docs.slack.dev/apis/events-api/using-socket-mode: an address works once, an app has at most ten
connections, and each envelope goes to one of them, which one cannot be foreseen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Literal

from aiohttp import WSMsgType, web

from bot.sandbox.slack.blocktree import random_name
from bot.sandbox.slack.delivery import Ack, AckLog, Delivery, Kind
from bot.sandbox.slack.inspection import Inspector

MOST_CONNECTIONS = 10
Reason = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]
# From the frame to the end of the connection. Slack warns about ten seconds ahead.
GRACE: dict[Reason, timedelta] = {
    "warning": timedelta(seconds=10),
    "refresh_requested": timedelta(seconds=1),
    "link_disabled": timedelta(0),
    "too_many_websockets": timedelta(0),
}


@dataclass(slots=True, eq=False)
class Connection:
    request: web.Request
    socket: web.WebSocketResponse
    takes_payloads: bool = True

    async def announce_end(self, reason: Reason) -> None:
        frame = {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
        # Who has left already needs no word.
        with contextlib.suppress(ConnectionError):
            await self.socket.send_json(frame)

    async def end(self, grace: timedelta) -> None:
        await asyncio.sleep(grace.total_seconds())
        await self.socket.close()

    def abort(self) -> None:
        if self.request.transport is not None:
            self.request.transport.abort()


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    since: float
    answer: asyncio.Future[Ack]


@dataclass(slots=True, kw_only=True)
class SocketMode:
    app_id: str
    rng: Random
    log: AckLog
    inspector: Inspector
    ack_timeout: timedelta
    ping_interval: timedelta
    address: str = ""
    connections: list[Connection] = field(default_factory=list)
    _tickets: set[str] = field(default_factory=set)
    _dead_tickets: int = 0
    _sent: dict[str, list[_Waiting]] = field(default_factory=dict)
    _leaving: set[asyncio.Task[None]] = field(default_factory=set)

    def issue_address(self) -> str:
        """For apps.connections.open."""
        ticket = random_name(self.rng, 32)
        if self._dead_tickets:
            self._dead_tickets -= 1
        else:
            self._tickets.add(ticket)
        return f"{self.address}?ticket={ticket}&app_id={self.app_id}"

    def kill_next_ticket(self, times: int = 1) -> None:
        """The next addresses to be issued will be refused at the handshake, for ever."""
        self._dead_tickets += times

    async def handle(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=404, text="no such ticket, or used already")
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(heartbeat=self.ping_interval.total_seconds())
        await socket.prepare(request)
        connection = Connection(request, socket)
        if len(self.connections) >= MOST_CONNECTIONS:
            await connection.announce_end("too_many_websockets")
            await connection.end(GRACE["too_many_websockets"])
            return socket
        await self._serve(connection)
        return socket

    async def deliver(self, delivery: Delivery) -> Ack:
        usable = [connection for connection in self.connections if connection.takes_payloads]
        if not usable:
            return Ack(envelope_id=delivery.envelope_id, took=timedelta(0), error="dispatch_failed")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(loop.time(), loop.create_future())
        self._sent.setdefault(delivery.envelope_id, []).append(waiting)
        try:
            async with asyncio.timeout(self.ack_timeout.total_seconds()):
                await self.rng.choice(usable).socket.send_str(_envelope(delivery))
                return await waiting.answer
        except TimeoutError:
            error = "operation_timeout"
        except ConnectionError:
            error = "dispatch_failed"
        return Ack(envelope_id=delivery.envelope_id, took=_since(waiting), error=error)

    async def disconnect(
        self, reason: Reason, *, most: int = MOST_CONNECTIONS, grace: timedelta | None = None
    ) -> None:
        """Announces the end to the first `most` connections; each ends after `grace`, unless the app leaves
        before. A warned connection takes payloads until then."""
        for connection in self.connections[:most]:
            connection.takes_payloads = reason == "warning"
            await connection.announce_end(reason)
            task = asyncio.create_task(connection.end(GRACE[reason] if grace is None else grace))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def drop_connections(self) -> None:
        """Breaks them all, without a word."""
        for connection in self.connections:
            connection.takes_payloads = False
            connection.abort()

    async def close(self) -> None:
        for task in tuple(self._leaving):
            task.cancel()
        self.drop_connections()

    async def _serve(self, connection: Connection) -> None:
        self.connections.append(connection)
        try:
            with contextlib.suppress(ConnectionError):  # It may leave during the greeting.
                await connection.socket.send_json(self._hello())
            self.log.changed()
            async for frame in connection.socket:
                if frame.type is WSMsgType.TEXT:
                    self._acknowledge(frame.data)
        finally:
            self.connections.remove(connection)
            self.log.changed()

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "num_connections": len(self.connections),
            "debug_info": {"host": "sandbox", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self.app_id},
        }

    def _acknowledge(self, text: str) -> None:
        frame = _parsed(text)
        envelope_id = str(frame.get("envelope_id"))
        if envelope_id not in self._sent:
            self.inspector.record("Socket Mode", f"a frame that acknowledges nothing: {text[:200]}")
            return
        waits = self._sent[envelope_id]
        open_waits = [waiting for waiting in waits if not waiting.answer.done()]
        waiting = open_waits[0] if open_waits else waits[-1]
        ack = Ack(
            envelope_id=envelope_id,
            took=_since(waiting),
            payload=frame.get("payload") or {},
            is_late=not open_waits,
        )
        if open_waits:
            waiting.answer.set_result(ack)
        self.log.add(ack)


def _envelope(delivery: Delivery) -> str:
    frame: dict[str, Any] = {
        "envelope_id": delivery.envelope_id,
        "type": delivery.kind.value,
        "payload": delivery.payload,
        "accepts_response_payload": delivery.kind is not Kind.EVENT,
    }
    if delivery.retry_attempt or delivery.kind is Kind.EVENT:
        frame |= {"retry_attempt": delivery.retry_attempt, "retry_reason": delivery.retry_reason}
    return json.dumps(frame)


def _parsed(text: str) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except ValueError:
        return {}
    return frame if isinstance(frame, dict) else {}


def _since(waiting: _Waiting) -> timedelta:
    return timedelta(seconds=asyncio.get_running_loop().time() - waiting.since)
