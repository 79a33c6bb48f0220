from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import load

ROOT = Path(__file__).parents[1]


@pytest.fixture
def service() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "compose.yml").read_text(encoding="utf-8"))
    assert list(compose["services"]) == ["novita-api"]
    assert "data" in compose["volumes"]
    found: dict[str, Any] = compose["services"]["novita-api"]
    return found


def test_the_port_is_published_on_loopback_only(service: dict[str, Any]) -> None:
    assert service["ports"] == ["127.0.0.1:3000:3000"]
    assert service["environment"]["PORT"] == "3000"


def test_without_keys_in_env_the_service_starts_without_keys(service: dict[str, Any]) -> None:
    assert service["environment"].pop("API_KEYS") == "${API_KEYS:-none}"
    settings = load({**service["environment"], "API_KEYS": "none", "NOVITA_API_KEY": "k"})
    assert (settings.host, settings.port, settings.api_keys) == ("0.0.0.0", 3000, "none")


def test_env_is_optional_and_nothing_secret_is_written_here(service: dict[str, Any]) -> None:
    assert service["env_file"] == [{"path": ".env", "required": False}]
    assert set(service["environment"]) == {"HOST", "PORT", "API_KEYS"}


def test_the_container_can_write_to_its_data_and_tmp_only(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["volumes"] == ["data:/data"]


def test_the_container_has_no_rights_it_does_not_need(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "user", "pid"} & service.keys()


def test_it_comes_back_and_is_asked_how_it_is(service: dict[str, Any]) -> None:
    assert service["restart"] == "unless-stopped"
    health = service["healthcheck"]
    assert health["test"][:3] == ["CMD", "python", "-c"]
    assert "/health" in health["test"][3]
    compile(health["test"][3], "healthcheck", "exec")
    assert (health["interval"], health["timeout"], health["start_period"]) == ("30s", "10s", "40s")
    assert health["retries"] == 3
