"""What Slack sends, handed on: commands, buttons, the form. Nothing here calls Novita for a change.

Everything is acknowledged, whatever happens: over Socket Mode an unacknowledged envelope is silence, and an
exception right after an `ack` loses it. So each listener computes its answer first, errors included, and acks
once.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any

import aiohttp
import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.errors import BotError
from bot.grammar.commands import Create, Ssh
from bot.messages import answers
from bot.messages.blocks import Message
from bot.messages.form import FORM_ID, create_form, read_form
from bot.slack.arguments import parse
from bot.slack.conversation import Conversation, Spoken
from storage.records import Wish

log = structlog.get_logger(__name__)

_EVERYTHING = re.compile(".*")
_ANSWER_WITHIN = 10.0


class Listeners:
    def __init__(
        self, conversation: Conversation, client: AsyncWebClient, *, clock: Callable[[], datetime]
    ) -> None:
        self._conversation = conversation
        self._client = client
        self._clock = clock

    def register(self, app: AsyncApp) -> None:
        app.command("/gpu")(self.command)
        app.action(re.compile(r"^gpu:"))(self.press)
        app.view(FORM_ID)(self.submit)
        for anything in (app.command, app.action, app.view):
            anything(_EVERYTHING)(_acknowledge)
        app.error(_acknowledge_error)

    async def command(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        spoken = Spoken.of_command(body)
        try:
            command = parse(body.get("text") or "")
        except BotError as error:
            await ack(**answers.error(error))
            return
        match command:
            case Create() if self._conversation.needs_form(command):
                await ack()
                await self._open_form(command, spoken)
            case Ssh(name=name):
                await ack()
                await self._tell(spoken, await _answered(self._conversation.connect(name, spoken)))
            case _:
                await ack(**await _answered(self._conversation.carry_out(command, spoken)))

    async def press(self, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        """A button: `gpu:<what>`, its value the instance's id. Whoever presses is judged anew."""
        spoken = Spoken.of_action(body)
        action = body["actions"][0]
        what, instance_id = action["action_id"].split(":")[1], action.get("value", "")
        match what:
            case "start" | "stop" | "restart" | "delete":
                answer = await _answered(self._conversation.act(Wish(what), instance_id, spoken))
                await ack()
                await self._tell(spoken, answer)
            case "connect":
                await ack()
                await self._tell(spoken, await _answered(self._conversation.connect(instance_id, spoken)))
            case "status":
                await ack()
                await self._tell(spoken, await _answered(self._conversation.status(instance_id, spoken)))
            case "create":
                await ack()
                await self._open_form(Create(), spoken)
            case _:
                await ack()  # a button of an earlier version

    async def submit(self, ack: AsyncAck, body: Mapping[str, Any], view: Mapping[str, Any]) -> None:
        spoken = Spoken.of_view(body, json.loads(view["private_metadata"] or "{}"))
        filled = read_form(view["state"])
        if not isinstance(filled, Create):
            await ack(response_action="errors", errors=filled)
            return
        try:
            receipt = await self._conversation.create(filled, spoken)
        except BotError as error:
            await ack(response_action="update", view=self._form(filled, spoken, error=str(error)))
        except Exception as error:  # noqa: BLE001 - as in `_answered`, of which this is the form's half
            answer = _unexpected(error)
            await ack(response_action="update", view=self._form(filled, spoken, error=answer["text"]))
        else:
            await ack()
            await self._tell(spoken, receipt)

    async def _open_form(self, typed: Create, spoken: Spoken) -> None:
        answer = await _answered(self._shown_form(typed, spoken))
        if answer is not None:
            await self._tell(spoken, answer)

    async def _shown_form(self, typed: Create, spoken: Spoken) -> Message | None:
        await self._conversation.require_member(spoken)
        try:
            await self._client.views_open(trigger_id=spoken.trigger_id, view=self._form(typed, spoken))
        except SlackApiError as error:
            if error.response.get("error") == "exchanged_trigger_id":
                return None  # a second delivery of the same command: its form is open
            raise
        return None

    def _form(self, filled: Create, spoken: Spoken, *, error: str | None = None) -> dict[str, Any]:
        return create_form(
            **self._conversation.form_choices(), filled=filled, private=spoken.kept(), error=error
        )

    async def _tell(self, spoken: Spoken, message: Message) -> None:
        """To the asker alone, after the ack. What cannot be told is not told twice."""
        if not spoken.response_url:
            return
        webhook = AsyncWebhookClient(spoken.response_url, timeout=10, retry_handlers=[])
        try:
            await webhook.send(response_type="ephemeral", replace_original=False, **message)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("answer_lost", user=spoken.user_id, why=type(error).__name__)


async def _answered(work: Coroutine[Any, Any, Message | None]) -> Any:
    """The answer, or the error as an answer."""
    try:
        return await asyncio.wait_for(work, _ANSWER_WITHIN)
    except BotError as error:
        return answers.error(error)
    except Exception as error:  # noqa: BLE001 - one of the three places that catch everything
        return _unexpected(error)


def _unexpected(error: Exception) -> Message:
    reference = uuid.uuid4().hex[:8]
    log.error("slack_request_failed", reference=reference, exc_info=error)
    return answers.unexpected(reference)


async def _acknowledge(ack: AsyncAck) -> None:
    """What nobody listens to: link buttons, parts of earlier versions."""
    await ack()


async def _acknowledge_error(error: Exception, body: Mapping[str, Any]) -> BoltResponse:
    """Bolt's own failures, such as Slack not saying who we are: told where an ack can carry a text."""
    answer = _unexpected(error)
    return BoltResponse(status=200, body=json.dumps(answer) if "command" in body else "")
