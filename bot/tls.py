"""Whom we trust when we call somebody over TLS."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def authorities() -> ssl.SSLContext:
    """certifi's, or those that SSL_CERT_FILE or SSL_CERT_DIR name.

    One for all clients: reading them takes longer than anything else that a client does at its start.
    """
    return httpx.create_ssl_context()
