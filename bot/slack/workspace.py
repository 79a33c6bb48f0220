"""Who we are in Slack: asked once, remembered, asked again where Slack was down."""

from __future__ import annotations

from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient


class Workspace:
    """One bot token, one workspace. Bolt asks for the identity before each listener."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._identity: AuthorizeResult | None = None

    async def identity(self) -> AuthorizeResult:
        """Raises SlackApiError (a bad token among them) or what the transport raises."""
        if self._identity is None:
            answer = await self._client.auth_test()
            self._identity = AuthorizeResult.from_auth_test_response(
                auth_test_response=answer, bot_token=self._client.token
            )
        return self._identity

    async def team_id(self) -> str:
        return (await self.identity()).team_id or ""
