"""The demo reaches nothing outside this machine, whatever webhook a request names."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bot.confinement import ConfinedWebhooks
from bot.sinks.verdicts import Dead, Delivered


def to(address):
    return SimpleNamespace(target=SimpleNamespace(address=address))


class Sink:
    def __init__(self):
        self.sent = []
        self.started = False

    async def start(self):
        self.started = True

    async def send(self, delivery):
        self.sent.append(delivery.target.address)
        return Delivered(status_code=200)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/hook", "http://localhost/", "http://[::1]:8/"])
async def test_this_machine_is_told(address):
    sink = Sink()
    verdict = await ConfinedWebhooks(sink).send(to(address))
    assert (verdict, sink.sent) == (Delivered(status_code=200), [address])


@pytest.mark.parametrize(
    "address", ["https://hooks.example.com/x", "http://10.0.0.9/", "http://127.0.0.1.example.com/"]
)
async def test_nobody_else_is(address):
    sink = Sink()
    verdict = await ConfinedWebhooks(sink).send(to(address))
    assert (verdict, sink.sent) == (Dead(reason="the demo reaches nothing outside this machine"), [])


async def test_all_else_is_the_sinks():
    sink = Sink()
    await ConfinedWebhooks(sink).start()
    assert sink.started
