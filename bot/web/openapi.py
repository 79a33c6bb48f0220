"""What /openapi.json says beyond what the routes say of themselves."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from bot.web.examples import EXAMPLES, error_example
from bot.web.quotas import HEADERS
from bot.web.rates import UNLIMITED
from bot.web.schemas import ErrorOut
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
_ALL = "/api/instances"
_ONE = "/api/instances/{id}"
_RETRY_AFTER = {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}
_TOO_MANY = {
    "description": "Too many requests",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorOut"}}},
}


class DescribedApi(FastAPI):
    """Keys and limits are described here and not by dependencies, which run after the body has been read: the
    layers that ask for them come before."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def _completed(described: dict[str, Any]) -> dict[str, Any]:
    components, paths = described["components"], described["paths"]
    components["securitySchemes"] = _KEYS
    components["schemas"] |= _error_schemas()
    components["headers"] = {**_HEADERS, "Retry-After": _RETRY_AFTER}
    for path, operations in paths.items():
        for operation in operations.values():
            operation["security"] = [] if path in OPEN else [{name: []} for name in _KEYS]
            if path not in UNLIMITED:
                operation["responses"] = _limited(operation["responses"])
            _add_examples(operation)
    _add_links(paths)
    for schema in components["schemas"].values():
        # What enums say about themselves is for who reads the code.
        if "enum" in schema:
            schema.pop("description", None)
    return described


def _error_schemas() -> dict[str, Any]:
    """That routes only refer to."""
    whole = ErrorOut.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    return {**whole.pop("$defs"), "ErrorOut": whole}


def _limited(responses: dict[str, Any]) -> dict[str, Any]:
    every = {code: {**answer, "headers": _named(*HEADERS)} for code, answer in responses.items()}
    every["429"] = {**deepcopy(_TOO_MANY), "headers": _named(*HEADERS, "Retry-After")}
    return dict(sorted(every.items()))


def _named(*headers: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _add_examples(operation: dict[str, Any]) -> None:
    parts = {"request": operation.get("requestBody", {}), **operation["responses"]}
    contents = [(code, media) for code, part in parts.items() for media in part.get("content", {}).values()]
    for code, media in contents:
        name = media["schema"].get("$ref", "").rpartition("/")[2]
        if name == "ErrorOut":
            media["example"] = error_example(operation["operationId"], code)
        elif name in EXAMPLES:
            media["example"] = EXAMPLES[name]


def _add_links(paths: dict[str, Any]) -> None:
    """From a create to whatever can be done with what it made."""
    of_one = [op for path, ops in paths.items() if path.startswith(_ONE) for op in ops.values()]
    paths[_ALL]["post"]["responses"]["201"]["links"] = {
        operation["operationId"]: {
            "operationId": operation["operationId"],
            "parameters": {"id": "$response.body#/instanceId"},
        }
        for operation in of_one
    }
