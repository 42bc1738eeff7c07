"""What members read for what the code only names: stems, states, limits ... (words.toml)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from bot.words.i18n import tr


@cache
def _tables() -> dict[str, dict[str, str]]:
    return tomllib.loads(files("bot.words").joinpath("words.toml").read_text("utf-8"))


def words(table: str) -> dict[str, str]:
    """Return {name: English text} of one table of words.toml, for what discord.py translates itself."""
    return _tables()[table]


def word(table: str, name: str, **values: Any) -> str:
    """Return the text for a name in the reader's language; where the table has none, the name itself."""
    return tr(words(table).get(name, name), **values)
