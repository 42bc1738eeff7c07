"""/help: what I can do."""

from __future__ import annotations

from bot.app import Feature, Interaction
from bot.consent import stores_nothing
from bot.errors import slash
from bot.features.help.cards import help_card


class Help(Feature):
    """Explains."""

    @slash(name="help", description="What I can do, in a few lines.", extras=stores_nothing)
    async def command(self, interaction: Interaction) -> None:
        await interaction.response.send_message(view=help_card(), ephemeral=True)
