"""The files of docs/deploy fit the program that they start."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import load, variables
from bot.timings import Timings
from bot.web.security import OPEN

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "docs" / "deploy"
SETTINGS = {variable.name for variable in variables()}
OWN_USER = "10001"


class Unit(dict[str, list[str]]):
    """All values of a key, in order: systemd allows one to come several times."""

    @classmethod
    def read(cls, path: Path) -> Unit:
        unit = cls()
        for line in path.read_text(encoding="utf-8").splitlines():
            name, sign, value = line.partition("=")
            if sign and not line.startswith("#"):
                unit.setdefault(name, []).append(value)
        return unit

    def one(self, name: str) -> str:
        (value,) = self[name]
        return value


@pytest.fixture(scope="module")
def unit() -> Unit:
    return Unit.read(DEPLOY / "gpu-bot.service")


def test_the_unit_has_three_sections_that_parse() -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "gpu-bot.service")
    assert parser.sections() == ["Unit", "Service", "Install"]


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """Where it is not installed, what the other tests look at has to do."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    copy = tmp_path / "gpu-bot.service"
    text = (DEPLOY / "gpu-bot.service").read_text(encoding="utf-8")
    copy.write_text(text.replace("/opt/gpu-bot/.venv/bin/gpu-bot", "/bin/true"))
    done = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, check=False)
    assert "gpu-bot.service" not in done.stderr


def test_the_unit_says_what_the_program_does(unit: Unit) -> None:
    assert unit.one("Type") == "notify"
    assert int(unit.one("WatchdogSec")) >= 30 + 2 * 5  # the loop may be blocked for that long, then two beats
    assert int(unit.one("TimeoutStopSec")) > Timings().stop_within.total_seconds()
    assert unit.one("ExecStart").endswith("/bin/gpu-bot run")
    assert unit.one("RestartPreventExitStatus") == "2"


def test_the_unit_sets_variables_that_the_program_reads(unit: Unit) -> None:
    given = dict(value.split("=", 1) for value in unit["Environment"])
    assert given.keys() - {"PYTHONDONTWRITEBYTECODE"} <= SETTINGS
    assert load({**given, "NOVITA_API_KEY": "k"}).database_url.get_secret_value() == given["DATABASE_URL"]
    assert given["DATABASE_URL"] == f"sqlite:///{unit.one('WorkingDirectory')}/gpu-bot.db"
    assert unit.one("WorkingDirectory") == f"/var/lib/{unit.one('StateDirectory')}"


def test_the_unit_gives_no_rights(unit: Unit) -> None:
    for name in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome"):
        assert unit.one(name) == "yes"
    assert unit.one("ProtectSystem") == "strict"
    assert unit.one("CapabilityBoundingSet") == ""
    assert "AF_UNIX" in unit.one("RestrictAddressFamilies")  # NOTIFY_SOCKET


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    documents = yaml.safe_load_all((DEPLOY / "kubernetes.yml").read_text(encoding="utf-8"))
    return {document["kind"]: document for document in documents}


@pytest.fixture(scope="module")
def pod(objects: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return found


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["containers"]
    return found


def test_the_pods_are_found_by_deployment_and_service(objects: dict[str, Any]) -> None:
    assert set(objects) == {"Deployment", "Service"}
    spec, labels = (
        objects["Deployment"]["spec"],
        objects["Deployment"]["spec"]["template"]["metadata"]["labels"],
    )
    assert spec["selector"]["matchLabels"] == objects["Service"]["spec"]["selector"] == labels


def test_the_service_and_the_probes_go_to_the_port_that_is_listened_to(
    objects: dict[str, Any], container: dict[str, Any]
) -> None:
    (port,), (published,) = container["ports"], objects["Service"]["spec"]["ports"]
    given = {each["name"]: each["value"] for each in container["env"]}
    assert int(given["PORT"]) == port["containerPort"]
    assert published["targetPort"] == port["name"]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/health",
        "liveness": "/health",
        "readiness": "/ready",
    }
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert {probe["path"] for probe in probes.values()} <= OPEN


def test_the_pod_sets_variables_that_the_program_reads_and_no_secret(container: dict[str, Any]) -> None:
    given = {each["name"]: each["value"] for each in container["env"]}
    secret = {variable.name for variable in variables() if variable.secret}
    assert given.keys() <= SETTINGS - secret
    assert load({**given, "NOVITA_API_KEY": "k", "API_KEYS": "k"}).host == "0.0.0.0"
    text = (DEPLOY / "kubernetes.yml").read_text(encoding="utf-8")
    named = {
        word.partition("=")[2].split("=")[0] for word in text.split() if word.startswith("--from-literal")
    }
    assert {"NOVITA_API_KEY", "API_KEYS", "DATABASE_URL"} <= named <= SETTINGS
    assert container["envFrom"] == [{"secretRef": {"name": "gpu-bot"}}]


def test_the_pod_has_no_rights_and_writes_to_tmp_only(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert str(pod["securityContext"]["runAsUser"]) == OWN_USER
    assert f"USER {OWN_USER}:{OWN_USER}" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert pod["automountServiceAccountToken"] is False


def test_there_is_time_to_stop(pod: dict[str, Any]) -> None:
    assert pod["terminationGracePeriodSeconds"] > Timings().stop_within.total_seconds()
    assert {"requests", "limits"} == set(pod["containers"][0]["resources"])
