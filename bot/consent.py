"""Consent before the first thing is stored: what may go on without it, and how what was asked for goes on after it.

Whoever has not agreed yet gets a private card in place of the answer. What they asked for waits in this process's
memory (nothing about them is stored before they agree) and, where it is short enough, in the card's own button, so that
it goes on even after a restart.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import discord

from bot.features.privacy.cards import consent_card
from core.library.consent import agreed
from core.library.database import Database
from core.settings import RetentionSettings

FREE_COMMANDS = frozenset(
    {
        "help",
        "jobs",
        "privacy",
        "history",
        "library track",
        "playlist show",
        "playlist play",
        "similar",
        "library map",
        "admin jobs",
        "admin limits",
        "admin log",
        "admin rules",
        "admin stats",
    }
)
"""Commands that store nothing about who uses them; all others ask first, and so does what is added later. A limit that is
changed is written down with who changed it (see `open_for_command`)."""

FREE_BUTTONS = frozenset(
    {
        *("consent_yes", "consent_no", "privacy_export", "privacy_ask", "privacy_erase", "mood_forget"),
        *("play", "hist_play", "hist_page", "hist_open", "details", "like_this", "track_open", "lib_page"),
        *("job_show", "job_refresh", "job_cancel", "upload_remove", "stem", "stem_all"),
        *("pl_lists", "pl_page", "pl_show", "pl_play", "pl_on", "pl_export", "rec_why", "rec_page"),
        *("sim", "sim_metric", "sim_stem", "sim_practise", "compare", "jr_page", "jr_why"),
        *("party_join", "party_leave", "party_page", "party_why", "admin_jobs", "admin_log"),
        *(
            "rules_topic",
            "rules_source",
            "rules_page",
            "rules_open",
            "rules_rule",
            "rules_number",
            "rules_typed",
        ),
        *("rules_try", "rules_sample", "rules_changes"),
    }
)
"""Buttons likewise. 'play' remembers nothing of those who have not agreed; nobody joins a party without a mood of theirs,
for which they were asked."""

KEPT_S, MOST = 900.0, 1000
"""What waits is forgotten with its interaction, after a quarter of an hour, and when too many wait."""

LONGEST = 62
"""Characters of the custom id that may say what waits: Discord takes 100, of which the rest of it needs up to 37."""


@dataclass(frozen=True)
class Waiting:
    """What a member asked for before they agreed: a command's data as Discord sent it, or a button's action."""

    interaction: discord.Interaction[Any]
    command: dict[str, Any] | None
    button: tuple[str, ...]
    since: float


class Gate:
    """Lets through what stores nothing and those who have agreed; asks the others."""

    def __init__(self, database: Database, retention: RetentionSettings) -> None:
        self.database = database
        self.retention = retention
        self._waiting: OrderedDict[int, Waiting] = OrderedDict()

    async def open_for_command(self, interaction: discord.Interaction[Any]) -> bool:
        """May this command run? If not, its member has been asked."""
        name = getattr(interaction.command, "qualified_name", "")
        wanted = getattr(interaction.namespace, "form", None) if name == "mood" else None
        changes = name == "admin limits" and getattr(interaction.namespace, "name", None) is not None
        if (
            (name in FREE_COMMANDS and not changes)
            or wanted in ("show", "forget")
            or await agreed(self.database, interaction.user.id)
        ):
            return True
        data: dict[str, Any] = dict(interaction.data or {})
        await self._ask(interaction, data, ())
        return False

    async def open_for_button(
        self, interaction: discord.Interaction[Any], action: str, arguments: tuple[str, ...]
    ) -> bool:
        """May this button act? If not, its member has been asked."""
        if action in FREE_BUTTONS or await agreed(self.database, interaction.user.id):
            return True
        await self._ask(interaction, None, (action, *arguments))
        return False

    async def _ask(
        self, interaction: discord.Interaction[Any], command: dict[str, Any] | None, button: tuple[str, ...]
    ) -> None:
        self._waiting[interaction.id] = Waiting(interaction, command, button, time.monotonic())
        while len(self._waiting) > MOST or (
            time.monotonic() - next(iter(self._waiting.values())).since > KEPT_S
        ):
            self._waiting.popitem(last=False)
        card = consent_card(self.retention, interaction.id, in_short(command, button))
        await interaction.response.send_message(view=card, ephemeral=True)

    def take(self, asked: int, user_id: int) -> Waiting | None:
        """What waits under the interaction's id, if it is this member's."""
        waiting = self._waiting.get(asked)
        if waiting is None or waiting.interaction.user.id != user_id:
            return None
        return self._waiting.pop(asked)


def in_short(command: dict[str, Any] | None, button: tuple[str, ...]) -> str:
    """What waits as a few characters of a custom id; empty when they would be too many, or not say it all."""
    if command is None:
        short = "b" + ":".join(button)
    elif command.get("resolved") or command.get("type", 1) != 1:
        return ""
    else:
        bare = [command["name"], _bare(command.get("options", []))]
        short = "c" + json.dumps(bare, separators=(",", ":"), ensure_ascii=False)
    return short if len(short) <= LONGEST else ""


def from_short(short: str) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """(a command's data, or None; a button's action and arguments): the way back."""
    if short.startswith("b"):
        return None, tuple(short[1:].split(":"))
    if short.startswith("c"):
        try:
            name, options = json.loads(short[1:])
            return {"id": "0", "name": name, "type": 1, "options": _full(options)}, ()
        except (ValueError, TypeError):  # from another version of us
            return None, ()
    return None, ()


def _bare(options: list[dict[str, Any]]) -> list[list[Any]]:
    return [
        [one["type"], one["name"], _bare(one["options"]) if "options" in one else one.get("value", [])]
        for one in options
    ]


def _full(options: list[list[Any]]) -> list[dict[str, Any]]:
    return [
        {"type": kind, "name": name, **({"options": _full(rest)} if kind in (1, 2) else {"value": rest})}
        for kind, name, rest in options
    ]
