"""The panel over a cloud whose clock stands still, and its HTML."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from clocks import Clock

from bot.sandbox.hook import Arrival, Receiver
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.fate import Fate
from bot.sandbox.novita.instances import Instance
from bot.sandbox.novita.journal import Call
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.page import backstage as backstage_module
from bot.sandbox.page.backstage import Backstage, Panel

SECRET = f"whsec_{base64.b64encode(b'a secret of the demo').decode()}"
TEMPLATES = Path(backstage_module.__file__).parent / "templates"
PANEL = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
)


class World:
    """Nothing listens on any port."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cloud = Cloud(clock=self.clock)
        self.server = NovitaServer(self.cloud)
        self.receiver = Receiver(SECRET, clock=self.clock)
        self.fate = Fate(self.server, region="CN-HK-01", speed=1, novita_id=self.novita_id)
        self.names: dict[str, str] = {}
        self.backstage = Backstage(self.server, self.fate, self.receiver, names=self.ask_names, zone=UTC)

    async def novita_id(self, _name: str) -> str | None:
        return None

    async def ask_names(self) -> Mapping[str, str]:
        return dict(self.names)

    def rent(self, name: str = "gb-demo-1-a1", **fields: Any) -> Instance:
        return self.cloud.create_in_console(name, **{"billingMode": "spot", **fields})

    def call(self, endpoint: str, status: int | None = 200) -> None:
        call = Call(
            endpoint=endpoint, method="GET", path="/", query={}, body=None, headers={}, at=self.clock()
        )
        self.server.journal.add(call)
        self.server.journal.close(call, status)

    def arrive(self, **fields: Any) -> None:
        self.receiver.arrivals.append(arrival(**fields))
        self.receiver.total += 1

    @property
    def panel(self) -> Panel:
        panel = self.backstage.context()["backstage"]
        assert isinstance(panel, Panel)
        return panel

    @property
    def html(self) -> str:
        return PANEL.get_template("backstage.html").render(self.backstage.context())


def arrival(**fields: Any) -> Arrival:
    usual: dict[str, Any] = {
        "at": datetime(2026, 11, 23, 12, 0, 7, tzinfo=UTC),
        "webhook_id": "e1",
        "tries": 1,
        "event": "instance.ready",
        "name": "my-train",
        "status": "running",
        "sequence": 2,
        "problem": "",
        "answered": 200,
        "headers": (("webhook-id", "e1"),),
        "body": json.dumps({"event": "instance.ready"}),
    }
    return Arrival(**{**usual, **fields})
