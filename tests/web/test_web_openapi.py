"""docs/openapi.json is what the code says. To write it anew: `python -m tests.web.test_web_openapi`."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bot.web.api import build_api
from bot.web.examples import EXAMPLES
from bot.web.health import Health
from bot.web.security import Inbound

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "openapi.json"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@cache
def described() -> dict[str, Any]:
    """Nothing behind it: the description is made from the routes alone."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    nothing: Any = None
    health = Health(version=version, started_at=NOW)
    inbound = Inbound(api_keys=(), request_size_limit=1_000_000)
    api = build_api(nothing, health, redelivery=nothing, catalog=nothing, clock=lambda: NOW, inbound=inbound)
    return api.openapi()


def rendered() -> str:
    return json.dumps(described(), indent=2, ensure_ascii=False) + "\n"


def test_the_file_is_what_the_code_says() -> None:
    assert FILE.read_text(encoding="utf-8") == rendered(), f"written anew by: {__doc__}"


def bodies() -> list[Any]:
    """`operation and status`, and what is there; `request` in place of a status for what is sent."""
    return [
        pytest.param(media, id=f"{operation['operationId']}-{code}")
        for operations in described()["paths"].values()
        for operation in operations.values()
        for code, part in [("request", operation.get("requestBody", {})), *operation["responses"].items()]
        for kind, media in part.get("content", {}).items()
        if kind == "application/json"
    ]


@pytest.mark.parametrize("media", bodies())
def test_every_body_has_an_example_that_is_as_described(media: dict[str, Any]) -> None:
    schema = {**media["schema"], "components": described()["components"]}

    Draft202012Validator(schema).validate(media["example"])


def test_every_example_is_of_a_schema_that_there_is() -> None:
    assert EXAMPLES.keys() <= described()["components"]["schemas"].keys()


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
