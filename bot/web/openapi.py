"""What /openapi.json says beyond what the routes say of themselves."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from bot.web.quotas import HEADERS
from bot.web.rates import UNLIMITED
from bot.web.security import OPEN

_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "One of API_KEYS"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "One of API_KEYS"},
}
_MEANINGS = (
    "Requests in a window, or creates where fewer of those remain",
    "How many of them remain",
    "Epoch seconds at which there are all again",
)
_HEADERS = {
    name: {"description": meaning, "schema": {"type": "integer", "minimum": 0}}
    for name, meaning in zip(HEADERS, _MEANINGS, strict=True)
}
_RETRY_AFTER = {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}
_TOO_MANY = {
    "description": "Too many requests",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorOut"}}},
}


class DescribedApi(FastAPI):
    """Keys and limits are described here and not by dependencies, which run after the body has been read: the
    layers that ask for them come before."""

    def openapi(self) -> dict[str, Any]:
        described = super().openapi()
        described["components"]["securitySchemes"] = _KEYS
        described["components"]["headers"] = {**_HEADERS, "Retry-After": _RETRY_AFTER}
        for path, operations in described["paths"].items():
            for operation in operations.values():
                operation["security"] = [] if path in OPEN else [{name: []} for name in _KEYS]
                if path not in UNLIMITED:
                    operation["responses"] = _limited(operation["responses"])
        for schema in described["components"]["schemas"].values():
            # What enums say about themselves is for who reads the code.
            if "enum" in schema:
                schema.pop("description", None)
        return described


def _limited(responses: dict[str, Any]) -> dict[str, Any]:
    every = {code: {**answer, "headers": _named(*HEADERS)} for code, answer in responses.items()}
    every["429"] = {**_TOO_MANY, "headers": _named(*HEADERS, "Retry-After")}
    return dict(sorted(every.items()))


def _named(*headers: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
