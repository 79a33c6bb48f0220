"""What every simulated process of the service has: tasks that end with it, and a pause at every await."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_OWNER: ContextVar[Process | None] = ContextVar("owner", default=None)


class Process:
    """Killed, it runs no further than the await that it has come to; stalled, not until the stall is over."""

    def __init__(self, name: str, *, failed: Callable[[BaseException], None]) -> None:
        """`failed` hears of what a task of it raises."""
        self.name = name
        self.is_dead = False
        self.stalled_until = 0.0
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self._pauses = 0
        self._fuses: list[tuple[int, Callable[[], None]]] = []
        self._failed = failed
        self._loop = asyncio.get_running_loop()

    @property
    def is_stalled(self) -> bool:
        return self.stalled_until > self._loop.time()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Whatever tasks that one makes belong to this process too."""
        token = _OWNER.set(self)
        try:
            task = self._loop.create_task(work)
        finally:
            _OWNER.reset(token)
        task.add_done_callback(self._note)
        return task

    def _note(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    def after_pauses(self, count: int, act: Callable[[], None]) -> None:
        """By awaits and not by time, so that it happens where work is done."""
        self._fuses.append((self._pauses + count, act))

    async def pause(self, seconds: float) -> None:
        self._pauses += 1
        if self._fuses:
            self._burn()
        await asyncio.sleep(seconds)
        while self.is_stalled and not self.is_dead:  # noqa: ASYNC110 - another stall may follow
            await asyncio.sleep(self.stalled_until - self._loop.time())
        self.check()

    def _burn(self) -> None:
        over = [act for count, act in self._fuses if count <= self._pauses]
        self._fuses = [fuse for fuse in self._fuses if fuse[0] > self._pauses]
        for act in over:
            act()

    def check(self) -> None:
        """What a task still does while it is being cancelled reaches nobody."""
        if self.is_dead:
            raise asyncio.CancelledError

    async def ask(self, answer: Coroutine[Any, Any, T]) -> T:
        """Something outside: what was sent is on its way, whether we live to hear the answer or not."""
        try:
            await self.pause(0)
        except asyncio.CancelledError:
            answer.close()
            raise
        answered = await asyncio.shield(outside(answer))
        await self.pause(0)
        return answered

    def stall(self, seconds: float) -> None:
        self.stalled_until = self._loop.time() + seconds

    def kill(self) -> None:
        self.is_dead = True
        for task in tuple(self.tasks):
            task.cancel()


def outside(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task that no death ends."""
    token = _OWNER.set(None)
    try:
        return asyncio.get_running_loop().create_task(work)
    finally:
        _OWNER.reset(token)


def keep_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """From now on each task is known to the process that made it."""
    loop.set_task_factory(_owned)


def _owned(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    task = asyncio.Task(work, loop=loop, **options)
    if (owner := _OWNER.get()) is not None:
        owner.tasks[task] = None
        task.add_done_callback(owner.tasks.pop)
    return task
