"""A real database for the tests of the library."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.library.database import Database
from core.library.schema import open_database
from core.library.tracks import Library


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await open_database(tmp_path / "moodstem.db") as database:
        yield database


@pytest.fixture
def library(database: Database) -> Library:
    return Library(database)
