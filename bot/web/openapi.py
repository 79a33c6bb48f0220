"""What /openapi.json says beyond what the routes say of themselves."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from bot.web.security import OPEN

_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "One of API_KEYS"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "One of API_KEYS"},
}


class DescribedApi(FastAPI):
    """Keys are described here and not by dependencies, which run after the body has been read: `Gate` asks
    for them before."""

    def openapi(self) -> dict[str, Any]:
        described = super().openapi()
        described["components"]["securitySchemes"] = _KEYS
        for path, operations in described["paths"].items():
            for operation in operations.values():
                operation["security"] = [] if path in OPEN else [{name: []} for name in _KEYS]
        for schema in described["components"]["schemas"].values():
            # What enums say about themselves is for who reads the code.
            if "enum" in schema:
                schema.pop("description", None)
        return described
