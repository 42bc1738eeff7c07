"""What can be done with a track wherever it is shown: hear it, find more like it."""

from __future__ import annotations

import asyncio

import discord
from discord.ext import commands

from bot.app import Moodstem
from bot.features.recommend.cards import next_button, opinion_buttons, similar_card
from bot.i18n import tr
from bot.router import Buttons, on_press
from bot.service.clips import clip
from bot.theme import plain
from bot.widgets import note_card
from core.errors import UserError
from core.library.consent import agreed
from core.library.tracks import Track
from core.recommend.similar import similar


class Tracks(commands.Cog):
    """Plays previews and finds similar tracks."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    @on_press("play", consent=False)
    async def play(self, interaction: discord.Interaction[Moodstem], track_id: str) -> None:
        """Thirty seconds to hear, as an ordinary attachment: Discord shows its player for those."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.listen(interaction, await self.track(interaction, track_id))

    async def listen(self, interaction: discord.Interaction[Moodstem], track: Track) -> None:
        """In place of the deferred answer, or of the preview whose button was pressed."""
        sound = await clip(self.bot.settings, track)
        await interaction.edit_original_response(
            content=f"▶️ **{plain(track.title)}**" + (f" · {plain(track.artist)}" if track.artist else ""),
            attachments=[sound],
            view=await self.buttons(interaction.user.id, track.id),
        )
        if await agreed(self.bot.database, interaction.user.id):
            await self.bot.history.played(interaction.user.id, track.id)

    @on_press("rate")
    async def rate(self, interaction: discord.Interaction[Moodstem], track_id: str, liked: str) -> None:
        """👍 or 👎, which counts from the next picks on; the same again takes it back."""
        track = await self.track(interaction, track_id)
        before = await self.bot.feedback.said(interaction.user.id, track.id)
        said = None if before is (liked == "1") else liked == "1"
        await self.bot.feedback.say(interaction.user.id, track.id, said)
        if interaction.message is not None and not interaction.message.flags.components_v2:
            view = await self.buttons(interaction.user.id, track.id)
            await interaction.response.edit_message(view=view)
            return
        name = plain(track.title)
        sentence = {
            True: tr("👍 I'll remember that you like **{name}**, and what sounds like it.", name=name),
            False: tr("👎 **{name}** won't come up again by itself.", name=name),
            None: tr("Taken back: I have no opinion of yours on **{name}** any more.", name=name),
        }[said]
        await interaction.response.send_message(view=note_card(sentence), ephemeral=True)

    @on_press("like_this", consent=False)
    async def like_this(self, interaction: discord.Interaction[Moodstem], track_id: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        track = await self.track(interaction, track_id)
        analysis = await self.bot.library.analysis(track.id)
        if analysis is None:
            raise UserError(tr("This track's analysis is gone; upload it again to compare it."))
        catalog = await self.bot.catalogs.of(interaction.guild_id)
        near = await asyncio.to_thread(
            similar, catalog, analysis.features(), "timbre", count=5, exclude=[track.id]
        )
        await interaction.edit_original_response(view=similar_card(track, near))

    async def buttons(self, user_id: int, track_id: int) -> Buttons:
        """Under a preview: 👍 👎, and ⏭ where the track is one of the member's picks of now."""
        buttons = opinion_buttons(track_id, await self.bot.feedback.said(user_id, track_id))
        made = await self.bot.recommendations.latest_with(user_id, track_id)
        if made is not None and len(made.picks) > 1:
            buttons.append(next_button(made, track_id))
        return Buttons(*buttons)

    async def track(self, interaction: discord.Interaction[Moodstem], track_id: str) -> Track:
        """Raises UserError where it is gone, or of another server's library."""
        track = await self.bot.catalogs.track(interaction.guild_id, interaction.user.id, track_id)
        if track is None:
            raise UserError(tr("This track is no longer in the library here; use /recommend for new picks."))
        return track


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Tracks(bot))
