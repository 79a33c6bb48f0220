"""Do the declared endpoints of an instance answer? Running is not usable: the app inside needs longer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import httpx

from bot.tls import authorities
from storage.cloud import Endpoint

_GATEWAY_ERRORS = frozenset({502, 503, 504})
"""What the gateway in front of an instance says while nothing listens behind it."""


class EndpointProbe:
    def __init__(self, *, timeout: timedelta) -> None:
        seconds = timeout.total_seconds()
        self._client = httpx.AsyncClient(
            timeout=seconds, follow_redirects=False, trust_env=False, verify=authorities()
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def answers(self, endpoints: Sequence[Endpoint]) -> bool:
        """True when every http endpoint gives any answer but a gateway error. None declared: True.

        TCP ports are not knocked at: a connection to the proxy in front says nothing about what is behind it.
        """
        urls = [e.url for e in endpoints if e.protocol == "http" and e.url is not None]
        return all(await asyncio.gather(*(self._answers(url) for url in urls)))

    async def _answers(self, url: str) -> bool:
        try:
            async with self._client.stream("GET", url) as response:  # the body is not read
                return response.status_code not in _GATEWAY_ERRORS
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
