"""/history: what you heard and what I picked for you."""

from __future__ import annotations

from discord import app_commands

from bot.app import Feature, Interaction
from bot.autocomplete import offered
from bot.consent import stores_nothing
from bot.errors import slash
from bot.features.library.cards import MOMENTS, history_card
from bot.features.listen.commands import play, track_named
from bot.features.recommend.commands import picks_view
from bot.router import on_press
from bot.widgets import Card, note_card
from bot.words.i18n import tr
from bot.words.named import words


class HistoryCommands(Feature):
    """Shows a member's own past, to nobody else."""

    @slash(name="history", description="What you heard and what I picked for you.", extras=stores_nothing)
    @app_commands.describe(only="Only one of the two")
    @app_commands.choices(only=offered("history"))
    async def command(self, interaction: Interaction, only: str | None = None) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.edit_original_response(view=await self.page(interaction.user.id, only or "", 0))

    @on_press("hist_page", consent=False)
    async def turn(self, interaction: Interaction, kind: str, page: int) -> None:
        kind = kind if kind in words("history") else ""
        await interaction.response.edit_message(view=await self.page(interaction.user.id, kind, page))

    async def page(self, user_id: int, kind: str, page: int) -> Card:
        """One page (from 0) of what the member heard and was shown; `kind` '' is both."""
        for shown in (page, 0):  # a page that is no longer there begins anew
            moments, total = await self.bot.history.moments(
                user_id, kind, limit=MOMENTS, offset=shown * MOMENTS
            )
            if moments:
                return history_card(moments, total, kind, shown)
        return note_card(tr("Nothing yet: ask me with /recommend, or find something with /library search."))

    @on_press("hist_play", consent=False)
    async def play_again(self, interaction: Interaction, track_id: int, _place: int) -> None:
        """As the button Play anywhere else; a track may stand on this card twice, a button's id may not."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await play(interaction, await track_named(interaction, track_id))

    @on_press("hist_open", consent=False)
    async def reopen(self, interaction: Interaction, recommendation_id: int) -> None:
        """The picks of then, as they were shown."""
        made = await self.bot.recommending.own(interaction.user.id, recommendation_id)
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.edit_original_response(view=await picks_view(interaction, made))
