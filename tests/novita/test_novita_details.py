from __future__ import annotations

import pytest

from bot.novita.answers import Malformed
from bot.novita.details import details
from storage.cloud import Endpoint, Phase

ID = "a1b2c3d4e5f60718"
URL = f"https://{ID}-8888.us-ca-6.gpu-instance.novita.ai"
SSH = "ssh -p 32787 root@proxy.us-ca-6.gpu-instance.novita.ai"
INSTANCE = {
    "id": ID,
    "name": "ml-train-1",
    "status": "running",
    "portMappings": [
        {"port": 8888, "endpoint": URL, "type": "http"},
        {"port": "22", "endpoint": "proxy:32787", "type": "tcp"},
    ],
    "connectComponentSSH": {"sshCommand": SSH, "password": "hunter2", "isRunning": True},
    "connectComponentJupyter": {"port": 8888, "address": f"{URL}/lab?token=t0ken", "isRunning": True},
    "connectComponentWebTerminal": {
        "address": "https://term.novita.ai/x#s3cret",
        "username": "root",
        "password": "hunter3",
        "isRunning": True,
    },
}


def read(**changes: object):
    return details(INSTANCE | changes, ID)


def test_what_may_be_shown_and_what_may_not_are_apart() -> None:
    it = read()
    assert it.connection.ssh == SSH
    assert it.connection.jupyter == f"{URL}/lab"
    assert it.connection.web_terminal == "https://term.novita.ai/x"
    assert it.connection.endpoints == (
        Endpoint(port=8888, protocol="http", url=URL),
        Endpoint(port=22, protocol="tcp", url="proxy:32787"),
    )
    assert it.secrets.ssh_password == "hunter2"
    assert it.secrets.jupyter_url == f"{URL}/lab?token=t0ken"
    assert it.secrets.web_terminal_url == "https://term.novita.ai/x#s3cret"
    assert (it.secrets.web_terminal_username, it.secrets.web_terminal_password) == ("root", "hunter3")
    assert it.complete
    assert it.observation.phase is Phase.RUNNING


def test_no_repr_shows_a_secret() -> None:
    assert not any(secret in repr(read()) for secret in ("hunter2", "hunter3", "t0ken", "s3cret"))
    assert "hunter2" not in repr(
        read(connectComponentSSH={"sshCommand": "sshpass -p hunter2 ssh x", "password": "hunter2"})
    )


def test_it_may_come_in_a_wrapper() -> None:
    assert details({"instance": INSTANCE}, ID) == read()


def test_the_password_may_be_beside_the_component() -> None:
    it = read(connectComponentSSH=None, sshPassword="hunter4")
    assert (it.connection.ssh, it.secrets.ssh_password) == (None, "hunter4")


def test_a_jupyter_without_an_address_is_reached_by_its_port() -> None:
    it = read(connectComponentJupyter={"port": "8888", "isRunning": True})
    assert (it.connection.jupyter, it.secrets.jupyter_url) == (URL, URL)
    assert read(connectComponentJupyter={"port": 9999}).connection.jupyter is None


def test_a_user_in_an_address_is_a_secret_too() -> None:
    it = read(connectComponentJupyter={"address": "https://me:pw@host/lab"})
    assert it.connection.jupyter == "https://host/lab"


def test_an_image_without_tools_has_none() -> None:
    it = details({"id": ID, "status": "running"}, ID)
    assert (it.connection.ssh, it.connection.jupyter, it.connection.web_terminal) == (None, None, None)
    assert it.connection.endpoints == ()
    assert it.complete


@pytest.mark.parametrize(
    "changes",
    [
        {"portMappings": [{"port": 8888, "type": "http"}]},
        {"portMappings": [{"port": 8888, "type": "HTTP", "endpoint": ""}]},
        {"connectComponentSSH": {"sshCommand": SSH, "isRunning": False}},
        {"connectComponentSSH": {"sshCommand": "", "password": "", "isRunning": False}},
        {"connectComponentSSH": {"sshCommand": ""}},
        {"connectComponentJupyter": {"port": 8888, "address": "", "isRunning": False}},
        {"connectComponentJupyter": {"port": 9999}},
    ],
)
def test_it_is_incomplete_while_something_announced_is_not_there(changes: dict[str, object]) -> None:
    assert not read(**changes).complete


@pytest.mark.parametrize(
    "changes",
    [
        {"portMappings": [{"port": 22, "type": "tcp"}]},
        {"portMappings": [{"type": "http"}, "rubbish"]},
        {"connectComponentSSH": {"sshCommand": SSH}},
        {"connectComponentSSH": {}},
        {"connectComponentJupyter": {"port": 0, "address": "", "isRunning": False}},
        {"connectComponentJupyter": {"address": URL}},
        {"connectComponentWebTerminal": {"address": "", "isRunning": False}},
    ],
)
def test_it_is_complete_when_nothing_announced_is_missing(changes: dict[str, object]) -> None:
    assert read(**changes).complete


@pytest.mark.parametrize("payload", [None, [], {}, {"id": ""}, INSTANCE | {"id": "another"}])
def test_another_instances_answer_is_malformed(payload: object) -> None:
    with pytest.raises(Malformed):
        details(payload, ID)
