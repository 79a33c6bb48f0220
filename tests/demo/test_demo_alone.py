"""Beside somebody's real settings the demo reaches nothing but itself, and shows none of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from demo_service import in_order, play
from test_demo_run import ANSWERED, MAIN_JOB, WEBHOOKS

CANARY = "CANARY"
REAL = {
    "NOVITA_API_KEY": f"sk_{CANARY}",
    "NOVITA_API_BASE_URL": "https://novita-canary.example.com",
    "SLACK_BOT_TOKEN": f"xoxb-1-{CANARY}",
    "SLACK_APP_TOKEN": f"xapp-1-{CANARY}",
    "SLACK_SIGNING_SECRET": f"{CANARY}00",
    "SLACK_API_BASE_URL": "https://slack-canary.example.com/api/",
    "SLACK_CHANNEL": "C0CANARY",
    "SLACK_CLIENT_ID": f"1.{CANARY}",
    "SLACK_CLIENT_SECRET": CANARY,
    "ADMIN_USERS": "U0CANARY",
    "DATABASE_URL": f"postgresql://gpu:{CANARY}@db-canary.example.com/gpu",
    "API_KEYS": f"{CANARY}0123456789",
    "HOST": "0.0.0.0",
    "PORT": "1",
    "WEBHOOK_URL": f"https://example.com/{CANARY}",
    "WEBHOOK_SECRET": f"whsec_{CANARY}",
    "DEFAULT_TEMPLATE": CANARY,
    "DEFAULT_REGION": CANARY,
    "HTTP_PROXY": "http://proxy-canary.example.com:3128",
    "HTTPS_PROXY": "http://proxy-canary.example.com:3128",
    "ALL_PROXY": "socks5://proxy-canary.example.com:1080",
    "https_proxy": "http://proxy-canary.example.com:3128",
    "NO_PROXY": "",
    "SSL_CERT_FILE": "/nowhere/CANARY.pem",
    "SSL_CERT_DIR": "/nowhere/CANARY",
    "INSTANCE_STARTUP_TIMEOUT": "not a number",
}
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.mark.slow
def test_it_plays_the_main_job_on_loopback_whatever_the_environment_says(tmp_path: Path) -> None:
    folder, tried = tmp_path / "here", tmp_path / "tried"
    folder.mkdir()
    dotenv = "".join(f"{name}={value}\n" for name, value in REAL.items())
    (folder / ".env").write_text(dotenv)
    stranger = [sys.executable, str(Path(__file__).with_name("demo_stranger.py")), str(tried)]
    run = play(None, program=stranger, folder=folder, more=REAL)
    assert (run.returncode, run.stderr) == (0, "")
    in_order(run.stdout, *MAIN_JOB)
    in_order(run.stdout, *ANSWERED)
    in_order(run.stdout, *WEBHOOKS)
    assert CANARY not in run.stdout
    assert "canary" not in run.stdout.lower()
    calls = [line.split(" ", 1) for line in tried.read_text().splitlines()]
    assert {what for what, _ in calls} >= {"connect", "bind", "getaddrinfo"}
    # Looking up what is an address reaches nobody: the guard of webhooks tries these on itself, and refuses them.
    assert {address for what, address in calls if what == "getaddrinfo"} <= {*LOOPBACK, "0.0.0.0"}
    assert {address for what, address in calls if what != "getaddrinfo"} <= LOOPBACK
    assert [file.name for file in folder.iterdir()] == [".env"]
    assert (folder / ".env").read_text() == dotenv
