"""Signatures of webhooks: Standard Webhooks 1.0, and beside it the older one over the body alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from standardwebhooks import Webhook

_PREFIX = "whsec_"


class Signer:
    """`secret`: base64 after `whsec_`, any other text stands for its bytes.

    Raises ValueError, without the secret in it, for one that cannot sign.
    """

    def __init__(self, secret: str) -> None:
        # The library reads every text as base64 and skips what is none: it is given bytes only.
        self._standard = Webhook(_standard_key(secret))
        self._older_key = secret.encode()

    def headers(self, *, webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
        older = "sha256=" + hmac.new(self._older_key, body, hashlib.sha256).hexdigest()
        return {
            "webhook-signature": self._standard.sign(webhook_id, at, body.decode()),
            "X-Webhook-Signature": older,
            "X-Signature": older,
        }


def _standard_key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        key = secret.encode()
    else:
        key = _strict_base64(secret.removeprefix(_PREFIX).rstrip("="))
    if not key:
        raise ValueError("the webhook secret is empty")
    return key


def _strict_base64(unpadded: str) -> bytes:
    padding = "=" * (-len(unpadded) % 4)
    try:
        return base64.b64decode(unpadded + padding, validate=True)
    except (binascii.Error, ValueError):
        # without its cause: that one may quote the secret
        raise ValueError(f"what follows {_PREFIX} in the webhook secret is not base64") from None
