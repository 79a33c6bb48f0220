"""A line from the composer: a command, or a message, in which the app may be called."""

from __future__ import annotations

from collections.abc import Sequence

from bot.sandbox.page.place import Place
from bot.sandbox.page.refusals import sentence
from bot.sandbox.slack.people import Channel, ChannelKind
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.replies import Reply
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace

_INVITE = "/invite"


class Composing:
    def __init__(self, slack: SlackServer, *, commands: Sequence[str]) -> None:
        """`commands`: those that the app has, "/gpu"."""
        self._workspace = slack.workspace
        self._commands = tuple(commands)

    async def send(self, person: Person, place: Place, text: str) -> str:
        """Why Slack does not take it, or nothing. Raises SlackError where the thread is gone."""
        channel = self._workspace.channels[place.where]
        if (refusal := forbidden(self._workspace, channel, person.id)) is not None:
            return refusal
        if text.startswith("/"):
            return await self._command(person, place, channel, text)
        return self._told(await person.write(channel.id, text, place.thread), "your message")

    async def _command(self, person: Person, place: Place, channel: Channel, line: str) -> str:
        command, _, rest = line.partition(" ")
        if command == _INVITE:
            return self._invite(channel, rest.strip())
        if command not in self._commands:
            return f"{command} is no command here. There is: {', '.join((*self._commands, _INVITE))}."
        reply = await person.command(line, channel=channel.id, in_thread=place.thread is not None)
        return self._told(reply, command)

    def _invite(self, channel: Channel, whom: str) -> str:
        app = self._workspace.app.name
        if whom.lower() not in {app.lower(), f"@{app}".lower()}:
            return f"Only @{app} can be invited here."
        if not channel.name:
            return "Nobody can be added to direct messages."
        self._workspace.invite_bot(channel.id)
        return ""

    def _told(self, reply: Reply, what: str) -> str:
        return "" if reply.ok else sentence(str(reply.error), app=self._workspace.app.name, what=what)


def forbidden(workspace: Workspace, channel: Channel, person: str) -> str | None:
    """Why nothing can be written there."""
    if channel.is_archived:
        return f"#{channel.name} is archived: it can be read, not written to."
    if person not in channel.members:
        return f"You are not a member of #{channel.name}: you can read it, not write to it."
    with_app = channel.kind is ChannelKind.DIRECT and workspace.app.user_id in channel.members
    if with_app and not workspace.app.may_be_written_to:
        return f"{workspace.app.name} takes no messages here."
    return None
