"""The demo's page: a small Slack in the browser, on loopback, with a panel of what happens behind it.

```
GET /              all of it, for one person at one place     POST /slack/...      deeds of that person
GET /changes       which region would look different now      POST /backstage/...  deeds behind the scene
GET /part/REGION   one region anew; page.js fits it in
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any, Protocol, Self

from aiohttp import web

from bot.sandbox.page.announcing import Announcer
from bot.sandbox.page.composing import Composing
from bot.sandbox.page.deeds import Deeds
from bot.sandbox.page.drawing import Drawing
from bot.sandbox.page.guarding import add_headers, guarded
from bot.sandbox.page.offers import Suggestion
from bot.sandbox.page.openforms import OpenForms
from bot.sandbox.page.place import read_place
from bot.sandbox.slack.server import SlackServer

_STATIC = Path(__file__).parent / "static"
_HOST = "127.0.0.1"


class Backstage(Protocol):
    """The panel beside Slack."""

    def context(self) -> dict[str, Any]:
        """For the template backstage.html."""

    def routes(self) -> Iterable[web.RouteDef]: ...

    def subscribe(self, callback: Callable[[], None], /) -> object:
        """`callback` is called whenever the panel would look different."""


class PageServer:
    def __init__(  # noqa: PLR0913 - keywords with defaults
        self,
        slack: SlackServer,
        *,
        backstage: Backstage | None = None,
        suggestions: Sequence[Suggestion] = (),
        first_line: str = "",
        port: int = 0,
        zone: tzinfo | None = None,
    ) -> None:
        """`suggestions`: what the composer offers after a slash. `first_line`: what a newcomer may try.
        `zone`: in which days begin; None is that of this machine."""
        forms = OpenForms()
        commands = tuple(dict.fromkeys(item.literal.split(" ")[0] for item in suggestions))
        self._workspace = slack.workspace
        self._backstage = backstage
        self._port = port
        self._announcer = Announcer()
        composing = Composing(slack, commands=commands)
        self._deeds = Deeds(slack, forms, composing, changed=self._slack_changed)
        self._drawing = Drawing(slack, forms, suggestions=suggestions, first_line=first_line, zone=zone)
        self._runner: web.AppRunner | None = None
        self._unsubscribe = self._workspace.subscribe(lambda _: self._slack_changed())
        if backstage is not None:
            backstage.subscribe(lambda: self._announcer.changed("backstage"))

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._port}"

    def application(self) -> web.Application:
        app = web.Application(middlewares=[guarded])
        app.on_response_prepare.append(add_headers)
        app.router.add_get("/", self._page)
        app.router.add_get("/changes", self._announcer.serve)
        app.router.add_get("/part/{region}", self._part)
        app.router.add_get("/slack/options", self._options)
        app.router.add_static("/static", _STATIC)
        app.router.add_routes(self._deeds.routes())
        app.router.add_routes(self._backstage.routes() if self._backstage else ())
        return app

    async def start(self) -> None:
        """Raises OSError if the port is taken."""
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, self._port).start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        self._unsubscribe()
        self._announcer.end()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _page(self, request: web.Request) -> web.Response:
        place = read_place(request.query, self._workspace)
        return _html(self._drawing.page(place, self._behind()))

    async def _part(self, request: web.Request) -> web.Response:
        place = read_place(request.query, self._workspace)
        match request.match_info["region"], self._behind():
            case "slack", _:
                return _html(self._drawing.slack(place))
            case "backstage", dict(context):
                return _html(self._drawing.backstage(place, context))
            case _:
                raise web.HTTPNotFound

    async def _options(self, request: web.Request) -> web.Response:
        try:
            options = await self._deeds.search(request.query)
        except LookupError:
            raise web.HTTPNotFound from None
        return _html(self._drawing.options(read_place(request.query, self._workspace), options))

    def _behind(self) -> Mapping[str, Any] | None:
        return self._backstage.context() if self._backstage else None

    def _slack_changed(self) -> None:
        self._announcer.changed("slack")


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")
