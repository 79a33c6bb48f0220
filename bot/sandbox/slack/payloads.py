"""The payloads that Slack sends to an app, with every field an app may rely on.

Shapes as in docs.slack.dev/reference/interaction-payloads and /interactivity/implementing-slash-commands.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from bot.sandbox.slack.blocktree import Block, Element
from bot.sandbox.slack.delivery import Delivery, Kind
from bot.sandbox.slack.forms import Entries, state_values
from bot.sandbox.slack.messages import Message
from bot.sandbox.slack.people import Channel
from bot.sandbox.slack.views import View
from bot.sandbox.slack.workspace import Workspace

VERIFICATION_TOKEN = "sandbox-verification-token"  # noqa: S105 (deprecated by Slack, and sent all the same)


class Payloads:
    """`address_of` makes a whole URL of a response_url's path. Each payload brings a fresh trigger_id."""

    def __init__(self, workspace: Workspace, address_of: Callable[[str], str]) -> None:
        self._workspace = workspace
        self._address_of = address_of

    def envelope_id(self) -> str:
        return str(uuid.UUID(int=self._workspace.rng.getrandbits(128), version=4))

    def command(self, user_id: str, channel: Channel, command: str, text: str) -> Delivery:
        """`text` as Slack has escaped it."""
        workspace = self._workspace
        payload = {
            "token": VERIFICATION_TOKEN,
            "team_id": workspace.team.id,
            "team_domain": workspace.team.domain,
            "channel_id": channel.id,
            "channel_name": channel.payload_name,
            "user_id": user_id,
            "user_name": workspace.users[user_id].name,
            "command": command,
            "text": text,
            "api_app_id": workspace.app.id,
            "is_enterprise_install": "false",
            "response_url": self._address_of(workspace.response_urls.issue(user_id, channel.id)),
            "trigger_id": workspace.triggers.issue(user_id),
        }
        return self._delivery(Kind.COMMAND, payload)

    def message_action(  # noqa: PLR0913, PLR0917 (a press has that many parts)
        self,
        user_id: str,
        message: Message,
        block: Block,
        element: Element,
        choice: dict[str, Any],
        typed: Entries,
    ) -> Delivery:
        """A button or menu of a message. `typed`: what this person has chosen in the message by now. Slack
        does not send an ephemeral message along."""
        payload = {
            **self._interaction("block_actions", user_id),
            **self._place(user_id, message),
            "container": _container(message, block),
            "state": {"values": state_values(message.all_blocks, typed)},
            "actions": [self._action(block, element, choice)],
        }
        return self._delivery(Kind.INTERACTIVE, payload)

    def view_action(self, view: View, block: Block, element: Element, choice: dict[str, Any]) -> Delivery:
        payload = {
            **self._interaction("block_actions", view.user, view),
            "container": {"type": "view", "view_id": view.id},
            "actions": [self._action(block, element, choice)],
        }
        return self._delivery(Kind.INTERACTIVE, payload)

    def view_submission(self, view: View) -> Delivery:
        payload = {**self._interaction("view_submission", view.user, view), "response_urls": []}
        return self._delivery(Kind.INTERACTIVE, payload)

    def view_closed(self, view: View, *, is_cleared: bool) -> Delivery:
        payload = {**self._interaction("view_closed", view.user, view), "is_cleared": is_cleared}
        del payload["trigger_id"]
        return self._delivery(Kind.INTERACTIVE, payload)

    def shortcut(self, user_id: str, callback_id: str, message: Message | None) -> Delivery:
        """A global one, or one on a message. Neither names the app, and each names the person in its own way;
        the response_url of the latter cannot replace a message."""
        workspace, user = self._workspace, self._workspace.users[user_id]
        payload = {
            **self._interaction("shortcut", user_id),
            "user": {"id": user.id, "username": user.name, "team_id": user.team_id},
            "callback_id": callback_id,
            "action_ts": workspace.timestamps.next(),
        }
        del payload["api_app_id"]
        if message is not None:
            path = workspace.response_urls.issue(user_id, message.channel)
            payload |= {
                "type": "message_action",
                "user": {"id": user.id, "name": user.name, "team_id": user.team_id},
                "channel": self._channel(message),
                "message_ts": message.ts,
                "message": (workspace.board.find(message.channel, message.ts) or message).as_json(),
                "response_url": self._address_of(path),
            }
        return self._delivery(Kind.INTERACTIVE, payload)

    def suggestion(self, view: View, block: Block, element: Element, typed: str) -> Delivery:
        """For the options of an external select of a view."""
        payload = {
            **self._interaction("block_suggestion", view.user, view),
            "container": {"type": "view", "view_id": view.id},
        }
        return self._suggestion(payload, block, element, typed)

    def message_suggestion(
        self, user_id: str, message: Message, block: Block, element: Element, typed: str
    ) -> Delivery:
        """For the options of an external select of a message, of which only the place is told."""
        payload = {
            **self._interaction("block_suggestion", user_id),
            "container": _container(message, block),
            "channel": self._channel(message),
        }
        return self._suggestion(payload, block, element, typed)

    def event(self, event: dict[str, Any]) -> Delivery:
        workspace = self._workspace
        bot = {"team_id": workspace.team.id, "user_id": workspace.app.user_id, "is_bot": True}
        payload = {
            "token": VERIFICATION_TOKEN,
            "team_id": workspace.team.id,
            "api_app_id": workspace.app.id,
            "type": "event_callback",
            "event": {"event_ts": workspace.timestamps.next(), **event},
            "event_id": f"Ev{workspace.rng.getrandbits(40):010X}",
            "event_time": int(workspace.clock().timestamp()),
            "authorizations": [{**bot, "enterprise_id": None, "is_enterprise_install": False}],
            "is_ext_shared_channel": False,
        }
        return self._delivery(Kind.EVENT, payload)

    def _suggestion(self, payload: dict[str, Any], block: Block, element: Element, typed: str) -> Delivery:
        """It can open nothing: there is no trigger_id."""
        names = {"action_id": element["action_id"], "block_id": block["block_id"], "value": typed}
        del payload["trigger_id"]
        return self._delivery(Kind.INTERACTIVE, payload | names)

    def _interaction(self, kind: str, user_id: str, view: View | None = None) -> dict[str, Any]:
        workspace, user = self._workspace, self._workspace.users[user_id]
        payload: dict[str, Any] = {
            "type": kind,
            "token": VERIFICATION_TOKEN,
            "api_app_id": workspace.app.id,
            "team": {"id": workspace.team.id, "domain": workspace.team.domain},
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
            "enterprise": None,
            "is_enterprise_install": False,
            "trigger_id": workspace.triggers.issue(user_id, view.id if view else None),
        }
        return payload | ({"view": workspace.view_json(view)} if view else {})

    def _place(self, user_id: str, message: Message) -> dict[str, Any]:
        """Where the message is, what it is now, and how to answer there."""
        path = self._workspace.response_urls.issue_for_message(
            user_id, message.channel, message.ts, is_ephemeral=message.is_ephemeral
        )
        current = self._workspace.board.find(message.channel, message.ts) or message
        shown = {} if message.is_ephemeral else {"message": current.as_json()}
        return {
            "channel": self._channel(message),
            "response_url": self._address_of(path),
            **shown,
        }

    def _channel(self, message: Message) -> dict[str, Any]:
        channel = self._workspace.channels[message.channel]
        return {"id": channel.id, "name": channel.payload_name}

    def _action(self, block: Block, element: Element, choice: dict[str, Any]) -> dict[str, Any]:
        return {
            "block_id": block["block_id"],
            "action_id": element["action_id"],
            **choice,
            "type": element["type"],
            "action_ts": self._workspace.timestamps.next(),
        }

    def _delivery(self, kind: Kind, payload: dict[str, Any]) -> Delivery:
        return Delivery(envelope_id=self.envelope_id(), kind=kind, payload=payload)


def _container(message: Message, block: Block) -> dict[str, Any]:
    container = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel,
        "is_ephemeral": message.is_ephemeral,
    }
    for number, attachment in enumerate(message.content.attachments, start=1):
        if block in attachment.get("blocks", ()):
            container |= {"type": "message_attachment", "attachment_id": number, "is_app_unfurl": False}
    return container | ({"thread_ts": message.thread_ts} if message.thread_ts else {})
