from __future__ import annotations

import io
import json
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from bot.logs import configure

CANARIES = {
    "bot token": "xoxb-1234-CANARY",
    "user token": "xoxp-1-CANARY",
    "refresh token": "xoxe.xoxp-1-CANARY",
    "cookie of a browser": "xoxd-CANARY",
    "app token": "xapp-1-A0-CANARY",
    "webhook secret": "whsec_CANARY+/=",
    "api key": "sk_live_CANARY",
    "bearer": "Authorization: Bearer CANARY.x-y",
    "bearer, lower case": "authorization: bearer CANARY",
    "basic": "Authorization: Basic Q0FOQVJZOkNBTkFSWQCANARY=",
    "key header": "X-API-Key: CANARY",
    "cookie header": "Cookie: CANARY",
    "userinfo": "postgresql://gpu:CANARY@db:5432/gpu",
    "userinfo with an at": "https://me:p@CANARY@example.com/x",
    "response url": "https://hooks.slack.com/commands/T1/2/CANARY",
    "token in a query": "https://x.example/lab?a=1&token=CANARY&b=2",
    "signature in a query": "https://x.example/?sig=CANARY",
    "a dict in a text": "answer {'sshPassword': 'CANARY', 'a': 1}",
    "json in a text": '{"api_key":"CANARY"}',
    "an assignment": "NOVITA_API_KEY=CANARY",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nCANARY\n-----END RSA PRIVATE KEY-----",
    "half a private key": "-----BEGIN PRIVATE KEY-----\nCANARY",
    "private key of ssh": "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY\n-----END OPENSSH PRIVATE KEY-----",
    "private key in json": '{"privateKey": "-----BEGIN RSA PRIVATE KEY-----\\nCANARY"}',
    "password as it is written down": "ssh root@host -p 22, password: CANARY",
    "password as Novita gives it": '{"sshCommand": "ssh root@h -p 2", "sshPassword": "CANARY"}',
    "password for a tool": "sshpass -p 'CANARY word' ssh root@host",
    "code in a query": "https://x.example/hook?code=CANARY",
    "response url of another host": "{'response_url': 'http://127.0.0.1:1/respond/1/CANARY?a=1&b=CANARY'}",
    "webhook url in json": '{"webhookUrl":"https://x.example/CANARY?a=1&k=CANARY"}',
    "database url": "DATABASE_URL=postgresql://db/x?a=1&options=CANARY",
}

KNOWN = {
    "api key": "CANARY-chosen_by+somebody/=",
    "short key": "C4N4RY",
    "webhook": "https://me:CANARYpw%40@hooks.example.com/in/CANARY-path-segment?x=CANARY-in-a-query&y=1",
    "database": "postgresql://gpu:CANARY%2Fpassword@db:5432/gpu",
    "quoted": "CANARY\"with\\all'kinds",
    "no address": "https://[CANARY",
}
"""Values of settings that no pattern knows."""

Written = Callable[[], str]


def fail_with(secret: str) -> None:
    kept = secret  # a local variable of the frame must not be shown either
    raise ValueError(kept)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging is one for the whole process."""
    root = logging.getLogger()
    before = (root.handlers, root.level, logging.raiseExceptions)
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level, logging.raiseExceptions = before
    for name in ("bot", "storage"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.contextvars.clear_contextvars()


@pytest.fixture(params=["json", "console"])
def written(request: pytest.FixtureRequest) -> Written:
    return to_text(form=request.param)


def to_text(**choices: Any) -> Written:
    stream = io.StringIO()
    configure(**{"level": "info", "form": "json", "stream": stream, **choices})
    return stream.getvalue


def line(written: Written) -> dict[str, Any]:
    (text,) = written().splitlines()
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def test_a_line_has_level_time_logger_and_context() -> None:
    written = to_text()
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger("bot.x").warning("novita_slow", seconds=1.5, instance="ab", missing=None)
    entry = line(written)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", entry.pop("timestamp"))
    assert entry == {
        "event": "novita_slow",
        "level": "WARNING",
        "logger": "bot.x",
        "request_id": "r-1",
        "seconds": 1.5,
        "instance": "ab",
        "missing": None,
    }


def test_a_line_of_a_library_takes_the_same_way() -> None:
    written = to_text()
    logging.getLogger("slack_bolt.app").warning("No handler for %s", "gpu")
    entry = line(written)
    assert (entry["event"], entry["level"]) == ("No handler for gpu", "WARNING")
    assert entry["logger"] == "slack_bolt.app"
    assert entry["timestamp"].endswith("Z")


def test_the_level_is_for_our_lines_and_libraries_only_warn() -> None:
    written = to_text(level="debug")
    for name in ("httpx", "slack_sdk", "sqlalchemy.engine", "aiosqlite"):
        logging.getLogger(name).info("GET https://slack.com/api/ with a token")
    structlog.get_logger("bot.y").debug("ours")
    assert line(written)["event"] == "ours"


def test_lines_below_the_level_are_not_written() -> None:
    written = to_text(level="error")
    structlog.get_logger("bot.z").warning("no")
    logging.getLogger("bot.z").warning("no")
    logging.getLogger("httpx").warning("no")
    assert written() == ""
    structlog.get_logger("bot.z").error("yes")
    assert line(written)["level"] == "ERROR"


def test_the_console_has_upper_case_levels_too() -> None:
    written = to_text(form="console")
    structlog.get_logger("bot.x").info("ready", port=3000)
    assert re.search(r"Z \[INFO +\] ready +\[bot\.x\] port=3000$", written().strip())


def test_a_terminal_gets_colours() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    configure(level="info", form="console", stream=stream)
    structlog.get_logger("bot.x").error("broken")
    assert "\x1b[31m" in stream.getvalue()


def test_stdout_is_where_lines_go_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level="info", form="json")
    structlog.get_logger("bot.x").info("here")
    assert json.loads(capsys.readouterr().out)["event"] == "here"


def test_configuring_again_replaces_what_was() -> None:
    first, second = to_text(), to_text()
    structlog.get_logger("bot.x").info("once")
    assert (first(), line(second)["event"]) == ("", "once")


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)
def test_no_text_brings_a_secret_into_a_line(canary: str, written: Written) -> None:
    log = structlog.get_logger("bot.x")
    log.info(canary)
    log.info("said", what=canary, nested={"deep": [canary, (canary,), {"x": canary.encode()}]})
    log.info("said %s", canary)
    logging.getLogger("slack_sdk").error("failed with %s", canary)
    with structlog.contextvars.bound_contextvars(where=canary):
        log.info("bound")
    assert "CANARY" not in written()
    assert written().count("[hidden]") >= 6


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)
def test_no_exception_brings_a_secret_into_a_line(canary: str, written: Written) -> None:
    try:
        fail_with(canary)
    except ValueError as error:
        structlog.get_logger("bot.x").exception("failed", cause=error)
        logging.getLogger("aiohttp").exception("failed")
    assert "ValueError" in written()
    assert "CANARY" not in written()


@pytest.mark.parametrize("secret", KNOWN.values(), ids=KNOWN)
@pytest.mark.parametrize("form", ["json", "console"])
def test_the_values_of_the_settings_are_hidden_wherever_they_appear(secret: str, form: str) -> None:
    written = to_text(form=form, secrets=KNOWN.values())
    log = structlog.get_logger("bot.x")
    for text in (secret, f"({secret})", quote(secret, safe=""), json.dumps({"x": secret}), repr([secret])):
        log.info(text)
        log.info("said", what=text, nested={"deep": [text, {text: text.encode()}]})
        logging.getLogger("uvicorn.error").error("%s was sent", text)
    try:
        fail_with(secret)
    except ValueError:
        log.exception("failed")
    assert "CANARY" not in written()
    assert "C4N4RY" not in written()


def test_the_parts_of_an_address_that_may_be_its_password_are_hidden_alone() -> None:
    written = to_text(secrets=KNOWN.values())
    for part in ("CANARYpw%40", "CANARYpw@", "CANARY-path-segment", "CANARY-in-a-query", "CANARY/password"):
        structlog.get_logger("bot.x").info("said", what=f"it was {part}.")
    assert "CANARY" not in written()
    structlog.get_logger("bot.x").info("said", what="hooks.example.com does not answer at /in")
    assert "hooks.example.com does not answer at /in" in written()


def test_a_short_secret_hides_no_part_of_another_word() -> None:
    written = to_text(secrets=["test", "gpu"])
    structlog.get_logger("bot.x").info("said", what="a gpu, the latest; the key is test")
    assert line(written)["what"] == "a gpu, the latest; the key is [hidden]"


def test_a_crash_that_nobody_catches_takes_the_same_way(written: Written) -> None:
    try:
        fail_with("xoxb-CANARY")
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    assert "service.crashed" in written()
    assert "ValueError" in written()
    assert "CANARY" not in written()


def test_who_interrupts_it_gets_no_crash(capsys: pytest.CaptureFixture[str]) -> None:
    written = to_text()
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert written() == ""
    assert "KeyboardInterrupt" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "slack_bot_token",
        "SLACK_SIGNING_SECRET",
        "sshPassword",
        "passwd",
        "Authorization",
        "api_key",
        "X-API-Key",
        "apiKey",
        "Set-Cookie",
        "response_url",
        "DATABASE_URL",
        "ssh_command",
        "X-Signature",
    ],
)
def test_a_field_that_holds_a_secret_is_hidden_by_its_name(name: str, written: Written) -> None:
    log = structlog.get_logger("bot.x")
    log.info("said", **{name: "CANARY"})
    log.info("said", nested={name: {"x": "CANARY"}}, listed=[{name: ["CANARY"]}])
    assert "CANARY" not in written()


def test_what_is_no_secret_is_shown_as_it_is() -> None:
    written = to_text()
    structlog.get_logger("bot.x").info(
        "the token expired; a task_id is no key",
        url="https://x.example:8080/a?page=2",
        mail="me@x.example",
        has_token=True,
        token=None,
        count=3,
        listed=(1, "b"),
        kind=logging.Formatter,
    )
    entry = line(written)
    assert entry["event"] == "the token expired; a task_id is no key"
    assert entry["url"] == "https://x.example:8080/a?page=2"
    assert (entry["mail"], entry["has_token"], entry["token"]) == ("me@x.example", True, None)
    assert (entry["count"], entry["listed"]) == (3, [1, "b"])
    assert entry["kind"] == "<class 'logging.Formatter'>"


def test_times_are_written_in_utc_with_a_z() -> None:
    written = to_text()
    at = datetime(2026, 1, 2, 5, 4, 3, tzinfo=timezone(timedelta(hours=2)))
    structlog.get_logger("bot.x").info("said", since=at, naive=at.replace(tzinfo=None))
    entry = line(written)
    assert (entry["since"], entry["naive"]) == ("2026-01-02T03:04:03Z", "2026-01-02T05:04:03")


def test_what_is_looked_for_first_comes_first() -> None:
    written = to_text()
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger("bot.x").info("said", port=3000)
    assert list(line(written))[:3] == ["timestamp", "level", "event"]


def test_nobody_can_forge_a_line_or_drive_the_terminal(written: Written) -> None:
    evil = "x\n2026-01-01T00:00:00Z [INFO] forged\r\x1b[2Jgone\x9b"
    structlog.get_logger("bot.x").info("said", path=evil, listed=[evil])
    logging.getLogger("uvicorn.error").error("got %s", evil)
    assert len(written().splitlines()) == 2
    assert not {"\x1b", "\r", "\x9b"} & set(written())


def test_an_object_is_shown_as_its_text_without_secrets(written: Written) -> None:
    class Told:
        def __str__(self) -> str:
            return "Told(token='CANARY', at=xoxb-CANARY)"

    structlog.get_logger("bot.x").info("said", told=Told())
    assert "Told(" in written()
    assert "CANARY" not in written()


@pytest.mark.parametrize(
    "said",
    [
        "{'sshPassword': 'CANARY,CANARY;CANARY CANARY'}",
        '{"password": "CANARY \\" CANARY", "port": 1}',
        'token="CANARY&CANARY"',
    ],
)
def test_a_quoted_secret_goes_to_its_last_quote(said: str, written: Written) -> None:
    structlog.get_logger("bot.x").info("said", why=said)
    assert "CANARY" not in written()
    assert "hidden" in written()


def test_warnings_become_lines() -> None:
    written = to_text()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("xoxb-CANARY is old", DeprecationWarning, stacklevel=1)
    assert line(written)["logger"] == "py.warnings"
    assert "CANARY" not in written()


def test_a_line_that_cannot_be_formatted_prints_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    written = to_text()
    logging.getLogger("slack_sdk").error("%d left", "CANARY")
    assert "CANARY" not in written() + "".join(capsys.readouterr())


def test_a_long_line_takes_no_long_time() -> None:
    written = to_text()
    for evil in (
        "a-" * 10_000,
        "://" * 10_000,
        "x" * 20_000 + "@",
        "token" * 4_000,
        "Bearer " * 3_000,
        "webhook_url=" * 3_000,
        "sshpass -p" * 3_000,
        "password: " * 3_000,
    ):
        structlog.get_logger("bot.x").info("said", what=evil)
    assert len(written().splitlines()) == 8
