"""`gpu-bot check`: whether what the settings name can be reached and lets us in. Changes nothing anywhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import utc_now
from bot.errors import NovitaError
from bot.logs import configure
from bot.novita.client import NovitaClient
from bot.novita.limits import Limits
from bot.parts import plain
from bot.redaction import Redaction
from bot.settings import Settings, secrets_of
from storage.database import open_database
from storage.errors import DatabaseNotMigrated, DatabaseUnavailable, StorageError

_WITHIN = timedelta(seconds=10)
"""Of each part; they are tried at the same time."""
_SLACK_SAYS = {
    "account_inactive": "is of an app that was removed, or of a workspace that was deleted",
    "invalid_auth": "is no token of this Slack",
    "missing_scope": "lacks a scope: install the app again with its present manifest",
    "not_allowed_token_type": "is a token of another kind",
    "token_expired": "has expired",
    "token_revoked": "was revoked",
}


@dataclass(frozen=True, slots=True)
class Finding:
    ok: bool
    text: str


async def check(settings: Settings) -> int:
    """Tries each part once and prints a line about it. The exit code: 0, or 1 where one failed."""
    # What goes wrong is in the lines; between them a log would only repeat it.
    configure(level="error", form=settings.log_format, stream=sys.stderr, secrets=secrets_of(settings))
    parts: dict[str, Callable[[Settings], Awaitable[Finding]]] = {
        "novita": _novita,
        "slack": _slack,
        "database": _database,
        "webhook": _webhook,
    }
    trials = {name: asyncio.create_task(_in_time(part, settings)) for name, part in parts.items()}
    findings = []
    for name, trial in trials.items():
        findings.append(await trial)
        print(_line(name, findings[-1], settings), flush=True)  # noqa: T201 - it is the command's answer
    return 0 if all(finding.ok for finding in findings) else 1


async def _in_time(part: Callable[[Settings], Awaitable[Finding]], settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(_WITHIN.total_seconds()):
            return await part(settings)
    except TimeoutError:
        return Finding(ok=False, text=f"no answer within {_WITHIN.total_seconds():g} s")


def _line(name: str, finding: Finding, settings: Settings) -> str:
    text = Redaction(secrets_of(settings)).text(finding.text)
    return f"{'ok' if finding.ok else 'FAIL':<4} {name:<9} {' '.join(text.split())}"


async def _novita(settings: Settings) -> Finding:
    limits = Limits(timeout=min(settings.api_timeout, _WITHIN), max_retries=0)
    client = NovitaClient(
        base_url=settings.novita_api_base_url, api_key=settings.novita_api_key, clock=utc_now, limits=limits
    )
    try:
        clusters = await client.list_clusters()
    except NovitaError as error:
        return Finding(ok=False, text=f"{error.code}: {error}")
    finally:
        await client.aclose()
    return Finding(ok=True, text=f"{len(clusters)} regions")


async def _slack(settings: Settings) -> Finding:
    if settings.slack_bot_token is None:
        return Finding(ok=True, text="not configured: REST and webhooks only")
    asked = "SLACK_BOT_TOKEN"
    client = AsyncWebClient(
        token=settings.slack_bot_token.get_secret_value(),
        base_url=settings.slack_api_base_url,
        timeout=int(_WITHIN.total_seconds()),
        retry_handlers=[],
    )
    try:
        identity = await client.auth_test()
        if app_token := plain(settings.slack_app_token):
            asked = "SLACK_APP_TOKEN"
            await client.apps_connections_open(app_token=app_token)
    except SlackApiError as error:
        return Finding(ok=False, text=_refused(error, asked))
    except (aiohttp.ClientError, OSError) as error:
        return Finding(ok=False, text=f"cannot be reached at {settings.slack_api_base_url}: {error}")
    return Finding(ok=True, text=f"{identity['user']} in {identity['team']}, {_modes(settings)}")


def _refused(error: SlackApiError, asked: str) -> str:
    # Of a page that is no answer of Slack's, the SDK hands on the raw response, which has no such field.
    find = getattr(error.response, "get", None)
    code = find("error") if find is not None else None
    if code is None:
        return "what answers there is not Slack: SLACK_API_BASE_URL"
    return f"{code}: {asked} {_SLACK_SAYS.get(code, 'was not accepted')}"


def _modes(settings: Settings) -> str:
    modes = {
        "Socket Mode": settings.slack_app_token,
        "HTTP mode (its signing secret shows with the first request)": settings.slack_signing_secret,
    }
    return " and ".join(mode for mode, secret in modes.items() if secret is not None)


async def _database(settings: Settings) -> Finding:
    url = settings.database_url.get_secret_value()
    try:
        database = await open_database(url, lock=False)
        await database.close()
    except DatabaseNotMigrated as error:
        return Finding(ok=False, text=f"{error} Run: gpu-bot migrate")
    except DatabaseUnavailable as error:
        return Finding(ok=False, text=f"DATABASE_URL: {error}")
    except StorageError as error:
        return Finding(ok=False, text=str(error))
    return Finding(ok=True, text=f"{url.partition(':')[0]}, tables of this version")


async def _webhook(settings: Settings) -> Finding:
    """Sends nothing: a receiver would take it for an event."""
    if settings.webhook_url is None:
        return Finding(ok=True, text="not configured")
    signed = "signed" if settings.webhook_secret is not None else "not signed: WEBHOOK_SECRET is not set"
    return Finding(ok=True, text=f"configured, {signed}; nothing was sent")
