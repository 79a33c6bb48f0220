"""uvicorn's quick parser, with a bound on what comes before a body: alone it takes headers of any length."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 16 * 1_024
"""Of a request's first line and headers; up to one read of the socket more may come before it is noticed."""


class BoundedHeads(HttpToolsProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._heads = 0
        """That were complete."""
        self._in_head = True

    def data_received(self, data: bytes) -> None:
        heads = self._heads
        super().data_received(data)
        if heads != self._heads:
            self._head_bytes = 0
        elif self._in_head:
            self._head_bytes += len(data)
            self._refuse_if_endless()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._heads += 1
        self._in_head = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True

    def _refuse_if_endless(self) -> None:
        if self._head_bytes > MOST_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The headers are longer than {MOST_BYTES} bytes.")
