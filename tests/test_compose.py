from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import SettingsError, load

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "compose.yml"
SERVICES = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
ONE, OTHER, POSTGRES = "novita-api", "novita-api-2", "postgres"


@pytest.fixture(params=[ONE, OTHER])
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = SERVICES[request.param]
    return found


def test_without_a_profile_there_is_one_service() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == [ONE]


def test_the_profile_adds_a_second_replica_and_postgresql() -> None:
    with_profile = {name for name, service in SERVICES.items() if service.get("profiles") == ["replicas"]}
    assert with_profile == {OTHER, POSTGRES}


def test_every_volume_that_is_used_is_there() -> None:
    volumes = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["volumes"]
    used = {each.partition(":")[0] for service in SERVICES.values() for each in service["volumes"]}
    assert used == set(volumes)


@pytest.mark.slow
def test_it_is_what_compose_reads() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(COMPOSE),
    ]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_ports_are_published_on_loopback_only() -> None:
    assert SERVICES[ONE]["ports"] == ["127.0.0.1:3000:3000"]
    assert SERVICES[OTHER]["ports"] == ["127.0.0.1:3001:3000"]
    assert "ports" not in SERVICES[POSTGRES]


def test_without_keys_in_env_the_service_starts_without_keys(service: dict[str, Any]) -> None:
    environment = dict(service["environment"])
    assert environment.pop("API_KEYS") == "${API_KEYS:-none}"
    environment["DATABASE_URL"] = "postgresql://gpu_bot@postgres/gpu_bot"
    settings = load({**environment, "API_KEYS": "none", "NOVITA_API_KEY": "k"})
    assert (settings.host, settings.port, settings.api_keys) == ("0.0.0.0", 3000, "none")


def test_env_is_optional_and_nothing_secret_is_written_here(service: dict[str, Any]) -> None:
    assert service["env_file"] == [{"path": ".env", "required": False}]
    assert set(service["environment"]) <= {"HOST", "PORT", "API_KEYS", "DATABASE_URL"}
    assert SERVICES[POSTGRES]["environment"]["POSTGRES_PASSWORD"] == "${POSTGRES_PASSWORD:-}"


def test_both_replicas_are_alike_but_for_port_and_profile() -> None:
    one, other = (dict(SERVICES[name]) for name in (ONE, OTHER))
    for service in (one, other):
        service.pop("ports")
    assert other.pop("profiles") == ["replicas"]
    assert other["environment"].pop("DATABASE_URL") == "${DATABASE_URL:-none}"
    assert one == other


def test_a_second_replica_without_a_shared_database_does_not_start() -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        load({"NOVITA_API_KEY": "k", "DATABASE_URL": "none"})


def test_they_wait_for_postgresql_where_there_is_one(service: dict[str, Any]) -> None:
    assert service["depends_on"] == {POSTGRES: {"condition": "service_healthy", "required": False}}
    health = SERVICES[POSTGRES]["healthcheck"]
    assert health["test"][:2] == ["CMD", "pg_isready"]
    named = {argument.partition("=")[0]: argument.partition("=")[2] for argument in health["test"][2:]}
    environment = SERVICES[POSTGRES]["environment"]
    assert (named["--username"], named["--dbname"]) == (
        environment["POSTGRES_USER"],
        environment["POSTGRES_DB"],
    )
    assert named["--host"] == "127.0.0.1"


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
