"""Pictures that are drawn when somebody asks: one at a time, and the last ones stay in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from core.spoken import spoken

T = TypeVar("T")


class Drawings(Generic[T]):
    """Keeps the last `most`, each under its key and the language of the running task: words are part of a picture."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.one_at_a_time = asyncio.Lock()
        self.made: OrderedDict[tuple[Hashable, str], T] = OrderedDict()

    async def get(self, key: Hashable, draw: Callable[[], Awaitable[T]]) -> T:
        """What was drawn before, or is drawn now. Raises what `draw` raises."""
        full = key, spoken()
        async with self.one_at_a_time:
            if full not in self.made:
                self.made[full] = await draw()
                while len(self.made) > self.most:
                    self.made.popitem(last=False)
            self.made.move_to_end(full)
            return self.made[full]
