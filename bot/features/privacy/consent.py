"""The two answers to 'may I keep something about you?'. What was asked for goes on after a yes."""

from __future__ import annotations

import contextlib

import discord
from discord.ext import commands

from bot.app import Moodstem
from bot.consent import Waiting
from bot.errors import TROUBLE
from bot.i18n import mark, tr
from bot.router import on_press
from bot.theme import GOOD
from bot.widgets import note_card
from core.library.consent import agree

AGREED = mark(
    "Thank you. I was restarted meanwhile and have forgotten what you asked for: please do it once more."
)
NOT_NOW = mark(
    "All right, nothing was stored. `/help`, `/library track` and what others share work without it; I'll ask again when something needs it."
)


class Consent(commands.Cog):
    """Remembers a yes and goes on."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    @on_press("consent_yes", consent=False)
    async def yes(self, interaction: discord.Interaction[Moodstem], asked: str, *short: str) -> None:
        """Notes the consent, then does what waited for it: a command, a button, or nothing that is still known."""
        await agree(self.bot.database, interaction.user.id)
        waiting = self.bot.gate.take(int(asked), interaction.user.id)
        again = waiting.again if waiting is not None else self.bot.again(":".join(short))
        if again is not None:
            await again(interaction)
        else:
            await interaction.response.edit_message(view=note_card(tr(AGREED), colour=GOOD))
        await self.clear(interaction, waiting)

    async def clear(self, interaction: discord.Interaction[Moodstem], waiting: Waiting | None) -> None:
        """Take the card away, unless the answer has taken its place."""
        kind = interaction.response.type
        in_place = (
            discord.InteractionResponseType.message_update,
            discord.InteractionResponseType.deferred_message_update,
            discord.InteractionResponseType.modal,  # what is sent with it takes the card's place
        )
        if waiting is not None and kind not in in_place and not waiting.interaction.is_expired():
            with contextlib.suppress(*TROUBLE):
                await waiting.interaction.delete_original_response()

    @on_press("consent_no", consent=False)
    async def no(self, interaction: discord.Interaction[Moodstem]) -> None:
        await interaction.response.edit_message(view=note_card(tr(NOT_NOW)))


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Consent(bot))
