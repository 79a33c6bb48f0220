"""Tells each open page which of its regions would look different now; what is in them, it asks for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

_AT_MOST_EVERY = 0.2
_KEEP_ALIVE = 15.0
"""Seconds."""


class Announcer:
    def __init__(self) -> None:
        self._pages: set[_Page] = set()
        self._ended = False

    def changed(self, region: str) -> None:
        for page in self._pages:
            page.regions.add(region)
            page.woken.set()

    def end(self) -> None:
        """Every page is told that there will be nothing more."""
        self._ended = True
        for page in self._pages:
            page.woken.set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One stream of server-sent events, until the page or the server goes away."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        with self._listening() as page:
            await response.write(b"retry: 1000\n\n")
            try:
                while not self._ended:
                    await response.write(await _next(page))
                    # Changes come in bursts: one look at the end of each shows all of it.
                    await asyncio.sleep(_AT_MOST_EVERY)
                await response.write(_event("ended", ""))
            except ConnectionError:
                pass
        return response

    @contextmanager
    def _listening(self) -> Iterator[_Page]:
        page = _Page()
        self._pages.add(page)
        try:
            yield page
        finally:
            self._pages.remove(page)


class _Page:
    def __init__(self) -> None:
        self.regions: set[str] = set()
        self.woken = asyncio.Event()


async def _next(page: _Page) -> bytes:
    try:
        async with asyncio.timeout(_KEEP_ALIVE):
            await page.woken.wait()
    except TimeoutError:
        return b": still here\n\n"
    page.woken.clear()
    regions, page.regions = page.regions, set()
    return b"".join(_event("changed", region) for region in sorted(regions))


def _event(name: str, text: str) -> bytes:
    return f"event: {name}\ndata: {text}\n\n".encode()
