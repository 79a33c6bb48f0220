"""The state of a simulated Slack workspace and Slack's rules about it, without any protocol.

The bot's side raises SlackError with Slack's own codes. Times come from the clock, chance from the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

from bot.sandbox.slack.changes import (
    Change,
    EphemeralDeleted,
    EphemeralEdited,
    EphemeralShown,
    Feed,
    HomePublished,
    MessageDeleted,
    MessageEdited,
    MessagePosted,
    ViewClosed,
    ViewOpened,
    ViewUpdated,
)
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.forms import Entries
from bot.sandbox.slack.grants import ResponseUrls, Triggers
from bot.sandbox.slack.installation import App
from bot.sandbox.slack.messages import Content, Message, MessageBoard, Timestamps
from bot.sandbox.slack.people import Channel, ChannelKind, Team, User, cast_of_channels, cast_of_users
from bot.sandbox.slack.views import View, ViewStacks


class Workspace:
    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        seed: int = 0,
        users: Iterable[User] | None = None,
        channels: Iterable[Channel] | None = None,
        app: App | None = None,
    ) -> None:
        """`clock` gives aware UTC. Without `users` and `channels`: the cast of `people`. Without `app`: one
        that may do and hears all there is here."""
        self.clock = clock
        self.rng = Random(seed)
        self.team = Team()
        self.app = app or App()
        users = cast_of_users(self.app) if users is None else users
        channels = cast_of_channels(self.app) if channels is None else channels
        self.users = {user.id: user for user in users}
        self.channels = {channel.id: channel for channel in channels}
        self.board = MessageBoard(self.rng)
        self.views = ViewStacks(self.rng)
        self.triggers = Triggers(clock, self.rng)
        self.response_urls = ResponseUrls(clock, self.rng)
        self.feed = Feed()
        self.timestamps = Timestamps(clock)

    def subscribe(self, observer: Callable[[Change], None]) -> Callable[[], None]:
        """`observer` is called in the midst of each change: it must not change anything here itself.
        Returns what ends the subscription."""
        return self.feed.subscribe(observer)

    def user(self, user_id: str) -> User:
        """Raises SlackError user_not_found."""
        if user_id not in self.users:
            raise SlackError("user_not_found")
        return self.users[user_id]

    def readable_channel(self, channel_id: str) -> Channel:
        """One that the bot may know of. Raises SlackError channel_not_found."""
        channel = self.channels.get(channel_id)
        if channel is None:
            raise SlackError("channel_not_found")
        if channel.kind is not ChannelKind.PUBLIC and self.app.user_id not in channel.members:
            raise SlackError("channel_not_found")
        return channel

    def writable_channel(self, channel_id: str) -> Channel:
        """Raises SlackError channel_not_found, is_archived, not_in_channel or messages_tab_disabled."""
        channel = self.readable_channel(channel_id)
        if channel.is_archived:
            raise SlackError("is_archived")
        if self.app.user_id not in channel.members:
            raise SlackError("not_in_channel")
        if channel.kind is ChannelKind.DIRECT and not self.app.has_messages_tab:
            raise SlackError("messages_tab_disabled")
        return channel

    def destination(self, target: str) -> Channel:
        """Where a post to a channel id, or to a user id (their direct messages), goes."""
        user = self.users.get(target)
        if user is None:
            return self.writable_channel(target)
        if user.deleted or user.is_bot:
            raise SlackError("channel_not_found")
        return self.writable_channel(self.direct_channel({self.app.user_id, target}).id)

    def direct_channel(self, members: set[str]) -> Channel:
        """The conversation of exactly these, begun if there is none."""
        kind = ChannelKind.DIRECT if len(members) <= 2 else ChannelKind.GROUP_DIRECT
        for channel in self.channels.values():
            if channel.kind is kind and channel.members == members:
                return channel
        number = f"{len(self.channels):04}"
        direct = kind is ChannelKind.DIRECT
        channel = Channel(
            id=f"D0{number}" if direct else f"C0{number}",
            name="" if direct else f"mpdm-{'--'.join(sorted(self.users[m].name for m in members))}-1",
            kind=kind,
            members=set(members),
        )
        self.channels[channel.id] = channel
        return channel

    def invite_bot(self, channel_id: str) -> None:
        self.channels[channel_id].members.add(self.app.user_id)

    def remove_bot(self, channel_id: str) -> None:
        self.channels[channel_id].members.discard(self.app.user_id)

    def post(self, channel: Channel, content: Content, **extra: Any) -> Message:
        """By the app. `extra`: fields of Message. Raises SlackError thread_not_found."""
        self.check_thread(channel, extra.get("thread_ts"))
        return self._post(self._by_app(channel, content, **extra))

    def say(self, user_id: str, channel_id: str, text: str, thread_ts: str | None = None) -> Message:
        """By a person."""
        self.check_thread(self.channels[channel_id], thread_ts)
        message = Message(
            ts=self.timestamps.next(),
            channel=channel_id,
            user=user_id,
            content=Content(text=text),
            team_id=self.users[user_id].team_id,
            thread_ts=thread_ts,
        )
        return self._post(message)

    def edit(self, message: Message, content: Content, metadata: dict[str, Any] | None = None) -> Message:
        """Raises SlackError cant_update_message for what somebody else wrote."""
        if message.app_id != self.app.id:
            raise SlackError("cant_update_message")
        newer = replace(
            message,
            content=self.board.name_parts(content),
            metadata=metadata,
            # Slack marks only an edit that is shown as text.
            edited_ts=message.edited_ts if content.blocks else self.timestamps.next(),
            revision=message.revision + 1,
        )
        self.board.add(newer)
        self.feed.publish(MessageEdited(message=newer, before=message))
        return newer

    def delete(self, message: Message) -> None:
        """Raises SlackError cant_delete_message for what somebody else wrote."""
        if message.app_id != self.app.id:
            raise SlackError("cant_delete_message")
        self.board.remove(message)
        self.feed.publish(MessageDeleted(message=message))

    def whisper(self, user_id: str, channel: Channel, content: Content, **extra: Any) -> Message:
        """An ephemeral message. `extra`: fields of Message."""
        message = self._by_app(channel, content, is_ephemeral=True, **extra)
        self.board.whisper(user_id, message)
        self.feed.publish(EphemeralShown(user=user_id, message=message))
        return message

    def edit_whisper(self, user_id: str, message: Message, content: Content) -> Message:
        revision = message.revision + 1
        newer = replace(message, content=self.board.name_parts(content), revision=revision)
        self.board.whisper(user_id, newer)
        self.feed.publish(EphemeralEdited(user=user_id, message=newer))
        return newer

    def delete_whisper(self, user_id: str, message: Message) -> None:
        self.board.remove_whispered(user_id, message.ts)
        self.feed.publish(EphemeralDeleted(user=user_id, message=message))

    def open_view(self, trigger_id: str, definition: dict[str, Any]) -> View:
        """A new stack: what was open is gone. Raises SlackError for the trigger."""
        user = self.triggers.spend(trigger_id).user
        self.close_views(user)
        return self._push(user, definition)

    def push_view(self, trigger_id: str, definition: dict[str, Any]) -> View:
        """Raises SlackError for the trigger, which must come from an open modal, or push_limit_reached."""
        trigger = self.triggers.spend(trigger_id)
        below = self.views.find(trigger.view_id or "")
        if below is None or below.type != "modal":
            raise SlackError("not_found")
        return self._push(trigger.user, definition)

    def push_onto(self, view: View, definition: dict[str, Any]) -> View:
        """As the answer to a submission. Raises SlackError push_limit_reached."""
        return self._push(view.user, definition)

    def update_view(self, view: View, definition: dict[str, Any], wanted_hash: str | None = None) -> View:
        """Raises SlackError hash_conflict."""
        newer = self.views.replace(view, definition, wanted_hash)
        self.feed.publish(ViewUpdated(user=view.user, view=newer))
        return newer

    def fill_view(self, view: View, typed: Entries) -> View:
        newer = self.views.fill(view, typed)
        self.feed.publish(ViewUpdated(user=view.user, view=newer))
        return newer

    def reset_view(self, view: View) -> View:
        newer = self.views.reset(view)
        self.feed.publish(ViewUpdated(user=view.user, view=newer))
        return newer

    def publish_home(self, user_id: str, definition: dict[str, Any], wanted_hash: str | None = None) -> View:
        """Raises SlackError not_enabled, user_not_found or hash_conflict."""
        if not self.app.has_home_tab:
            raise SlackError("not_enabled")
        view = self.views.publish(self.user(user_id).id, definition, wanted_hash)
        self.feed.publish(HomePublished(user=user_id, view=view))
        return view

    def close_view(self, view: View) -> None:
        self.views.close(view)
        self.feed.publish(ViewClosed(user=view.user, view=view))

    def close_views(self, user_id: str) -> None:
        for view in reversed(self.views.stack(user_id)):
            self.close_view(view)

    def view_json(self, view: View) -> dict[str, Any]:
        return view.as_json(team_id=self.team.id, app_id=self.app.id, bot_id=self.app.bot_id)

    def permalink(self, message: Message) -> str:
        url = (
            f"https://{self.team.domain}.slack.com/archives/{message.channel}/p{message.ts.replace('.', '')}"
        )
        return f"{url}?thread_ts={message.thread_ts}&cid={message.channel}" if message.thread_ts else url

    def check_thread(self, channel: Channel, thread_ts: str | None) -> None:
        """A reply's own ts is no thread: Slack's reference warns against it. Raises SlackError
        thread_not_found."""
        if thread_ts is None:
            return
        parent = self.board.find(channel.id, thread_ts)
        if parent is None or parent.thread_ts not in {None, parent.ts}:
            raise SlackError("thread_not_found")

    def _push(self, user_id: str, definition: dict[str, Any]) -> View:
        view = self.views.push(user_id, definition)
        self.feed.publish(ViewOpened(user=user_id, view=view))
        return view

    def _post(self, message: Message) -> Message:
        self.board.add(message)
        self.feed.publish(MessagePosted(message=message))
        return message

    def _by_app(self, channel: Channel, content: Content, **extra: Any) -> Message:
        return Message(
            ts=self.timestamps.next(),
            channel=channel.id,
            user=self.app.user_id,
            content=self.board.name_parts(content),
            team_id=self.team.id,
            app_id=self.app.id,
            bot_id=self.app.bot_id,
            **extra,
        )
