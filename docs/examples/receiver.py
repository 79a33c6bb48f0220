"""Receives webhooks and believes only those that are signed, fresh and new.

Python 3.11 or newer, standard library only.

    WEBHOOK_SECRET=whsec_... python receiver.py

`/webhook` verifies as Standard Webhooks says; `/older` verifies the older `X-Signature`, for receivers that
have always done so. While the secret changes, WEBHOOK_SECRET_OLD is accepted as well.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRETS = [s for s in (os.environ.get("WEBHOOK_SECRET"), os.environ.get("WEBHOOK_SECRET_OLD")) if s]
TOLERANCE = 5 * 60  # seconds
LARGEST = 64 * 1024  # bytes


def verify(headers, body, secrets=SECRETS):
    """Standard Webhooks: id, time and body are signed. None can be changed, nothing old can come again."""
    if abs(time.time() - int(headers["webhook-timestamp"])) > TOLERANCE:
        raise ValueError("too old or from the future")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = ["v1," + base64.b64encode(_hmac(_key(secret), signed)).decode() for secret in secrets]
    _compare(headers["webhook-signature"].split(), expected)


def verify_older(headers, body, secrets=SECRETS):
    """The body alone is signed. The time is not: whoever has seen a request can send it again."""
    _compare([headers["x-signature"]], ["sha256=" + _hmac(s.encode(), body).hex() for s in secrets])


def _key(secret):
    if not secret.startswith("whsec_"):
        return secret.encode()
    text = secret.removeprefix("whsec_")
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _hmac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def _compare(given, expected):
    if not any(hmac.compare_digest(g.encode(), e.encode()) for g in given for e in expected):
        raise ValueError("the signature does not fit")


def handle(event):
    """Your own work. It must be done when 200 is answered, or be safely written down."""
    detail = event.get("reason", "")
    match event["event"]:
        case "instance.ready" | "instance.started":
            detail = event["instance"]["connectionDetails"]["ssh"]
        case "instance.failed":
            detail = event["error"]["code"]
    print(event["event"], event["instanceId"], detail, flush=True)


seen = set()  # for more than one process, or a restart: a table with a unique column


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("content-length", 0)), LARGEST))
        try:
            {"/webhook": verify, "/older": verify_older}[self.path](self.headers, body)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            print("refused:", error, flush=True)
            return self._answer(401, {"received": False})
        # The same over all attempts: delivery is at least once.
        if self.headers["webhook-id"] not in seen:
            handle(json.loads(body))
            seen.add(self.headers["webhook-id"])
        return self._answer(200, {"received": True})

    def _answer(self, status, answer):
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_words):
        pass


if __name__ == "__main__":
    if not SECRETS:
        raise SystemExit("WEBHOOK_SECRET is not set")
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Receiver)
    print(f"listening at http://127.0.0.1:{server.server_port}/webhook", flush=True)
    server.serve_forever()
