"""uvicorn's quick parser, with a bound on what comes before a body: alone it takes headers of any length."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 16 * 1_024
"""Of a request's first line and headers; up to one read of the socket more may come before it is noticed."""


class BoundedHeads(HttpToolsProtocol):
    """Counts what comes and is no part of a body: first line and headers, sizes of chunks, trailers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bytes = 0
        self._got_on = False

    def data_received(self, data: bytes) -> None:
        self._got_on = False
        super().data_received(data)
        self._bytes = 0 if self._got_on else self._bytes + len(data)
        if self._bytes > MOST_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The headers are longer than {MOST_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._got_on = True

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._got_on = True

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._got_on = True
