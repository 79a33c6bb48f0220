"""Every environment variable, once: its unit, range, default and meaning.

A variable is its field's name in upper case. Milliseconds become `timedelta`, comma lists become tuples,
secrets are `SecretStr`. A variable that is not here is somebody else's and is ignored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from bot import units
from bot.redaction import redact_text
from bot.variables import Group, Variable, optional, required, variables_of
from storage.cloud import BillingMode


class SettingsError(Exception):
    """`faults` has one line for each: the variable, what was read (never a secret), what is allowed."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Settings(BaseModel):
    """Made by `load`; made by hand it reads nothing from its surroundings."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    novita_api_key: Annotated[SecretStr, units.secret()] = required(
        Group.NOVITA, "Key of the Novita account."
    )
    novita_api_base_url: Annotated[str, units.http_url(without="/gpu-instance/openapi")] = optional(
        Group.NOVITA, "Where Novita's API is.", default="https://api.novita.ai"
    )
    novita_rate_limit: Annotated[int, units.whole(10, 10_000, "calls a minute")] = optional(
        Group.NOVITA, "All calls to Novita together; what a person waits for goes first.", default="100"
    )
    api_timeout: Annotated[timedelta, units.milliseconds(5_000, 120_000)] = optional(
        Group.NOVITA, "Longest wait for one answer of Novita.", default="30000", also=("REQUEST_TIMEOUT",)
    )
    max_retries: Annotated[int, units.whole(0, 10, "tries")] = optional(
        Group.NOVITA,
        "More tries of a look-up that failed; a create is never repeated.",
        default="3",
        also=("MAX_RETRY_ATTEMPTS",),
    )
    retry_delay: Annotated[timedelta, units.milliseconds(100, 10_000)] = optional(
        Group.NOVITA, "Pause before the first of them; it grows.", default="1000"
    )
    circuit_breaker_threshold: Annotated[int, units.whole(1, 50, "failures")] = optional(
        Group.NOVITA, "Failed calls in a row after which Novita is left alone for a while.", default="5"
    )
    circuit_breaker_timeout: Annotated[timedelta, units.milliseconds(10_000, 600_000)] = optional(
        Group.NOVITA, "How long it is left alone.", default="60000"
    )
    product_cache_ttl: Annotated[timedelta, units.milliseconds(1_000, 86_400_000)] = optional(
        Group.NOVITA, "How long products and prices are believed.", default="1800000"
    )
    template_cache_ttl: Annotated[timedelta, units.milliseconds(1_000, 86_400_000)] = optional(
        Group.NOVITA, "How long templates are believed.", default="3600000"
    )

    slack_bot_token: Annotated[SecretStr | None, units.secret(prefix="xoxb-")] = optional(
        Group.SLACK, "Bot token. Without it the service runs REST and webhooks only."
    )
    slack_app_token: Annotated[SecretStr | None, units.secret(prefix="xapp-")] = optional(
        Group.SLACK, "App-level token (connections:write): Socket Mode, no public address needed."
    )
    slack_signing_secret: Annotated[SecretStr | None, units.secret()] = optional(
        Group.SLACK, "HTTP mode: Slack calls POST /slack/events. This or the app token goes with a bot token."
    )
    slack_api_base_url: Annotated[str, units.http_url(end="/")] = optional(
        Group.SLACK, "Where Slack's Web API is.", default="https://slack.com/api/"
    )
    slack_channel: Annotated[str | None, units.SLACK_CHANNEL] = optional(
        Group.SLACK, "Channel for notices about instances that came in by REST. Unset: none are sent."
    )
    admin_users: Annotated[tuple[str, ...], units.listed(units.SLACK_USER)] = optional(
        Group.SLACK, "Who may act on anybody's instances.", default=""
    )

    database_url: Annotated[SecretStr, units.database_url()] = optional(
        Group.DATABASE,
        "SQLite for one process, PostgreSQL when several replicas run.",
        default="sqlite:///data/gpu-bot.db",
    )
    retention_days: Annotated[int, units.whole(1, 3_650, "days")] = optional(
        Group.DATABASE, "Finished instances and their events are purged after this.", default="90"
    )

    host: Annotated[str, units.host()] = optional(
        Group.SERVER, "Address to listen at. One that is not loopback needs API_KEYS.", default="127.0.0.1"
    )
    port: Annotated[int, units.whole(0, 65_535, note=", where 0 is any free one")] = optional(
        Group.SERVER, "Port to listen at.", default="3000"
    )
    api_keys: Annotated[tuple[SecretStr, ...] | Literal["none"], units.api_keys()] = optional(
        Group.SERVER,
        "REST keys (Authorization: Bearer or X-API-Key). Empty: REST answers loopback only. "
        "none: no keys, meant for a port that is published on loopback only.",
        default="",
    )
    cors_origin: Annotated[tuple[str, ...], units.listed(units.origin())] = optional(
        Group.SERVER, "Web pages of these origins may call REST.", default="", also=("ALLOWED_ORIGINS",)
    )
    cors_methods: Annotated[tuple[str, ...], units.listed(units.HTTP_METHOD)] = optional(
        Group.SERVER, "With these methods.", default="GET,POST,PUT,DELETE,OPTIONS"
    )
    rate_limit_window: Annotated[timedelta, units.milliseconds(60_000, 3_600_000)] = optional(
        Group.SERVER, "Requests are counted over this time.", default="60000", also=("RATE_LIMIT_WINDOW_MS",)
    )
    rate_limit_max_requests: Annotated[int, units.whole(10, 1_000_000, "requests")] = optional(
        Group.SERVER,
        "Per key or address and window; creates: 10 a minute, or a tenth of this where it is raised.",
        default="100",
    )
    request_size_limit: Annotated[int, units.size("1kb", "10mb")] = optional(
        Group.SERVER, "Largest request body.", default="1mb"
    )

    webhook_url: Annotated[SecretStr | None, units.webhook_url()] = optional(
        Group.WEBHOOKS, "Told about every instance; a request's webhookUrl adds one."
    )
    webhook_secret: Annotated[SecretStr | None, units.webhook_secret()] = optional(
        Group.WEBHOOKS, "Signs what is sent. Unset: no signature headers."
    )
    webhook_timeout: Annotated[timedelta, units.milliseconds(1_000, 60_000)] = optional(
        Group.WEBHOOKS, "Longest wait for a receiver.", default="15000"
    )
    webhook_retries: Annotated[int, units.webhook_retries()] = optional(
        Group.WEBHOOKS, "Tries after the first one, spread over three days.", default="9"
    )
    webhook_allowed_hosts: Annotated[tuple[str, ...], units.listed(units.allowed_host())] = optional(
        Group.WEBHOOKS, "Private hosts that a request's webhookUrl may name.", default=""
    )

    instance_poll_interval: Annotated[timedelta, units.poll_interval()] = optional(
        Group.INSTANCES,
        "The slow pace, when nothing is under way; faster by itself while something is.",
        default="30000",
    )
    instance_startup_timeout: Annotated[timedelta, units.milliseconds(60_000, 1_800_000)] = optional(
        Group.INSTANCES, "Longest wait until an instance is usable.", default="600000"
    )
    default_region: Annotated[str, units.NAME] = optional(
        Group.INSTANCES, "Tried first, not required.", default="CN-HK-01"
    )
    default_gpu_count: Annotated[int, units.whole(1, 8, "GPUs")] = optional(
        Group.INSTANCES, "Where a request names no count.", default="1"
    )
    default_rootfs_size: Annotated[int, units.whole(20, 500, "GB")] = optional(
        Group.INSTANCES, "Container disk where a request names none.", default="60"
    )
    default_template: Annotated[str | None, units.NAME] = optional(
        Group.INSTANCES, "Template id or name where a request names neither template nor image."
    )
    default_billing_mode: Annotated[BillingMode, units.BILLING_MODE] = optional(
        Group.INSTANCES, "Where a request names none.", default="spot"
    )

    log_level: Annotated[Literal["error", "warning", "info", "debug"], units.LOG_LEVEL] = optional(
        Group.LOGS, "Least important lines that are written.", default="info"
    )
    log_format: Annotated[Literal["json", "console"], units.LOG_FORMAT] = optional(
        Group.LOGS, "For programs or for people; simple and combined are read as console.", default="json"
    )


@cache
def variables() -> tuple[Variable, ...]:
    """All of them, group by group: what `.env.example` and the reference page are checked against."""
    return variables_of(Settings)


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Their plain values: what must never be read anywhere."""
    held = (getattr(settings, name) for name in Settings.model_fields)
    values = [each for value in held for each in (value if isinstance(value, tuple) else (value,))]
    return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))


def load(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """`environ` (None: this process's) wins over `env_file`, which may be missing. An empty value is unset.

    Raises SettingsError with every fault at once.
    """
    given = _given(os.environ if environ is None else environ, _read(env_file))
    texts = {name: text for name, (_, text) in given.items()}
    try:
        settings = Settings.model_validate({name.lower(): text for name, text in texts.items()})
    except ValidationError as error:
        faults = _faults(error, given)
    else:
        faults = {}
    # Conflicts are found in the texts: they are told beside the other faults, not after those are mended.
    faults = _conflicts(texts) | faults
    if faults:
        raise SettingsError(
            tuple(faults[variable.name] for variable in variables() if variable.name in faults)
        )
    return settings


def _read(env_file: Path | None) -> Mapping[str, str | None]:
    if env_file is None:
        return {}
    try:
        # Without interpolation: a `$` in a secret is a `$`.
        return dotenv_values(env_file, encoding="utf-8", interpolate=False)
    except UnicodeDecodeError:
        raise SettingsError((f"{env_file}: cannot be read: it is not UTF-8",)) from None
    except OSError as error:
        raise SettingsError((f"{env_file}: cannot be read: {error.strerror}",)) from error


def _given(*sources: Mapping[str, str | None]) -> dict[str, tuple[str, str]]:
    """Variable to the spelling that was found and its text. An earlier source wins, whatever its spelling."""
    found = {variable.name: next(_found(variable, sources), None) for variable in variables()}
    return {name: pair for name, pair in found.items() if pair is not None}


def _found(variable: Variable, sources: tuple[Mapping[str, str | None], ...]) -> Iterator[tuple[str, str]]:
    for source in sources:
        for spelling in (variable.name, *variable.also):
            text = source.get(spelling) or ""
            if text.strip():
                yield spelling, text


def _faults(error: ValidationError, given: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    wrong = {str(fault["loc"][0]).upper() for fault in error.errors(include_input=False)}
    return {
        variable.name: _fault(variable, given.get(variable.name))
        for variable in variables()
        if variable.name in wrong
    }


def _fault(variable: Variable, found: tuple[str, str] | None) -> str:
    if found is None:
        return f"{variable.name}: not set; allowed: {variable.allowed}"
    spelling, text = found
    read = "a value that is not shown" if variable.secret else _shown(text)
    return f"{spelling}: read {read}; allowed: {variable.allowed}"


def _shown(text: str) -> str:
    # Redacted here too: tokens get pasted into the wrong line.
    return json.dumps(redact_text(text)[:80])


def _conflicts(texts: Mapping[str, str]) -> dict[str, str]:
    faults = {}
    host = texts.get("HOST", "127.0.0.1").strip()
    if not units.is_loopback(host) and not texts.get("API_KEYS", "").strip(" ,"):
        faults["HOST"] = (
            f"HOST: read {_shown(host)}, without API_KEYS; allowed: a loopback address, or any with API_KEYS "
            "(the word none where the port is published on loopback only)"
        )
    if "SLACK_BOT_TOKEN" in texts and not texts.keys() & {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"}:
        faults["SLACK_BOT_TOKEN"] = _LONELY_BOT_TOKEN
    return faults


_LONELY_BOT_TOKEN = (
    "SLACK_BOT_TOKEN: read a value that is not shown, alone; allowed: together with SLACK_APP_TOKEN "  # noqa: S105
    "(Socket Mode), SLACK_SIGNING_SECRET (HTTP mode) or both"
)
