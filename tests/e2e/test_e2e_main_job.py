"""The main job, as people and programs see it."""

from tests.e2e.stage import Stage


async def test_x(stage: Stage) -> None:
    import time

    t = time.monotonic()
    await stage.start()
    print("up", time.monotonic() - t)
    t = time.monotonic()
    await stage.running()
    print("running", time.monotonic() - t)
    t = time.monotonic()
    print(stage.states())
    for m in stage.history:
        print(m.ts, m.thread_ts, m.text)
    for h in stage.receiver.received:
        print(h)
    stage.service.terminate()
    assert await stage.service.over() == 0
    print("term", time.monotonic() - t)
    t = time.monotonic()
