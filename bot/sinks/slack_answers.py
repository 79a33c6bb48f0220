"""What Slack's Web API answered: an answer, a refusal that means something, or nothing to rely on.

The codes are those of chat.postMessage, chat.update and conversations.open in Slack's method reference
(docs.slack.dev/reference/methods), and the ones that every method has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.schedule import parse_retry_after

NEEDS_A_HAND = timedelta(minutes=10)
"""Until the next try where only a person can help: a token to be renewed, a bot to be invited."""


class Why(StrEnum):
    """What a refusal means for a message; the codes that are not listed may pass."""

    UNREACHABLE = auto()
    """Nothing of ours can be said in this channel."""
    NO_MESSAGE = auto()
    """The message to be edited, or the thread to answer in, is not there."""
    NOT_EDITABLE = auto()
    LOOKS = auto()
    """Slack does not like its form, not what it says."""
    NOBODY = auto()
    """The person cannot be written to, and will not be."""
    CREDENTIALS = auto()
    PASSING = auto()


_CODES: dict[Why, frozenset[str]] = {
    Why.UNREACHABLE: frozenset(
        {
            "channel_not_found",
            "is_archived",
            "is_inactive",
            "not_in_channel",
            "restricted_action",
            "restricted_action_read_only_channel",
            "restricted_action_thread_only_channel",
        }
    ),
    Why.NO_MESSAGE: frozenset(
        {
            "cannot_reply_to_message",
            "message_not_found",
            "restricted_action_non_threadable_channel",
            "restricted_action_thread_locked",
            "thread_not_found",
        }
    ),
    Why.NOT_EDITABLE: frozenset({"cant_update_message", "edit_window_closed"}),
    Why.LOOKS: frozenset(
        {
            "block_mismatch",
            "invalid_blocks",
            "invalid_blocks_format",
            "invalid_metadata_format",
            "invalid_metadata_schema",
            "metadata_must_be_sent_from_app",
            "metadata_too_large",
            "msg_blocks_too_long",
            "msg_too_long",
            "no_text",
        }
    ),
    Why.NOBODY: frozenset(
        {
            "cannot_dm_bot",
            "invalid_user_combination",
            "messages_tab_disabled",
            "user_disabled",
            "user_not_found",
            "user_not_visible",
        }
    ),
    Why.CREDENTIALS: frozenset(
        {
            "access_denied",
            "account_inactive",
            "app_access_restricted",
            "ekm_access_denied",
            "invalid_auth",
            "missing_scope",
            "no_permission",
            "not_allowed_token_type",
            "not_authed",
            "org_login_required",
            "token_expired",
            "token_revoked",
        }
    ),
}


def _why(code: str) -> Why:
    return next((why for why, codes in _CODES.items() if code in codes), Why.PASSING)


class Refused(Exception):
    """Slack said no, and why: certainly nothing was done."""

    def __init__(self, code: str, details: tuple[str, ...] = ()) -> None:
        """`details`: sentences of Slack's about the fields that it refuses."""
        super().__init__(code)
        self.code = code
        self.details = details
        self.why = _why(code)


class Unavailable(Exception):
    """No answer, or none that says anything. What was asked may have been done, unless we are to wait."""

    def __init__(
        self, reason: str, *, status_code: int | None = None, after: timedelta | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status_code = status_code
        self.after = after


Call = Callable[[], Awaitable[AsyncSlackResponse]]


async def answer_of(call: Call, *, now: datetime, timeout: timedelta) -> AsyncSlackResponse:  # noqa: ASYNC109
    """One try. Raises Refused or Unavailable."""
    try:
        # Of our own: the SDK's is not used where it is given a session.
        async with asyncio.timeout(timeout.total_seconds()):
            return await call()
    except SlackApiError as error:
        raise _translated(error.response, now) from error
    except TimeoutError as error:
        raise Unavailable("Slack did not answer in time") from error
    except (aiohttp.ClientError, OSError, SlackClientError, AttributeError, ValueError) as error:
        # The last two: the SDK stumbles over an answer that is no JSON object, as a proxy may give.
        raise Unavailable(f"Slack cannot be reached ({type(error).__name__})") from error


def _translated(
    response: AsyncSlackResponse | aiohttp.ClientResponse, now: datetime
) -> Refused | Unavailable:
    """The SDK hands over its own response, or aiohttp's where the body was no JSON."""
    said = response.data if isinstance(response, AsyncSlackResponse) else None
    body = said if isinstance(said, dict) else {}
    status = response.status_code if isinstance(response, AsyncSlackResponse) else response.status
    code = body.get("error")
    if status == 429 or code in {"ratelimited", "rate_limited"}:
        after = parse_retry_after(response.headers.get("Retry-After"), now)
        return Unavailable("Slack asks us to wait", status_code=429, after=after or timedelta(seconds=1))
    if status >= 500 or not isinstance(code, str):
        return Unavailable(f"Slack answered {status} and nothing that says why", status_code=status)
    return Refused(code, details=_details(body))


def _details(body: dict[str, Any]) -> tuple[str, ...]:
    metadata = body.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    return tuple(str(message)[:300] for message in messages[:10]) if isinstance(messages, list) else ()
