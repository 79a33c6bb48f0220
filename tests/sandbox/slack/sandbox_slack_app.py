from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from bot.sandbox.slack.server import SlackServer

Answer = Callable[[dict[str, Any]], dict[str, Any] | None]


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **parts: float) -> None:
        self.now += timedelta(**parts)


class RawApp:
    """A Socket Mode app without any SDK. `answer` gives the payload of the ack, None for no ack at all."""

    def __init__(self, server: SlackServer, session: aiohttp.ClientSession) -> None:
        self.server, self.session = server, session
        self.frames: list[dict[str, Any]] = []
        self.answer: Answer = lambda _: {}
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self.ended = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if "envelope_id" in frame]

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [frame["payload"] for frame in self.envelopes]

    async def connect(self) -> RawApp:
        url = await new_address(self.server, self.session)
        self.socket = await self.session.ws_connect(url)
        self.frames.append(await self.socket.receive_json())
        self._reader = asyncio.create_task(self._read(self.socket))
        return self

    async def send(self, text: str) -> None:
        assert self.socket is not None
        await self.socket.send_str(text)

    async def close(self) -> None:
        if self._reader is not None and self.socket is not None:
            await self.socket.close()
            await self._reader

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            frame = json.loads(message.data)
            self.frames.append(frame)
            payload = self.answer(frame) if "envelope_id" in frame else None
            if payload is not None:
                body = {"payload": payload} if payload else {}
                await socket.send_json({"envelope_id": frame["envelope_id"], **body})
            self.server.signal.notify()
        self.ended.set()


async def new_address(server: SlackServer, session: aiohttp.ClientSession) -> str:
    headers = {"Authorization": f"Bearer {server.app_token}"}
    async with session.post(f"{server.api_url}apps.connections.open", headers=headers) as response:
        return (await response.json())["url"]
