"""What can be done with a track wherever it is shown: hear it, find more like it."""

from __future__ import annotations

import asyncio

import discord

from bot.app import Feature, Interaction, Moodstem
from bot.features.recommend.cards import next_button, opinion_buttons, similar_card
from bot.router import Buttons, on_press
from bot.service.listening import file_name
from bot.theme import plain
from bot.widgets import attached, note_card
from bot.words.i18n import tr
from core.errors import Refusal
from core.library.tracks import Track
from core.recommend.similar import similar


async def track_named(interaction: Interaction, track_id: int) -> Track:
    """The track that a button names. Raises UserError where it is gone, or of another server's library."""
    catalogs = interaction.client.catalogs
    track = await catalogs.track(interaction.guild_id, interaction.user.id, track_id)
    if track is None:
        raise Refusal("track-gone")
    return track


async def preview_file(bot: Moodstem, track: Track) -> discord.File:
    """The preview as an ordinary attachment: Discord shows its player for those. Raises UserError."""
    sound = await bot.listening.preview(track)
    return attached(sound, f"{file_name(track.title)}.ogg")


async def play(interaction: Interaction, track: Track) -> None:
    """Thirty seconds to hear, in place of the deferred answer or of the preview whose button was pressed."""
    bot = interaction.client
    await interaction.edit_original_response(
        content=f"▶️ **{plain(track.title)}**" + (f" · {plain(track.artist)}" if track.artist else ""),
        attachments=[await preview_file(bot, track)],
        view=await buttons(bot, interaction.user.id, track.id),
    )
    await bot.listening.heard(interaction.user.id, track.id)


async def buttons(bot: Moodstem, user_id: int, track_id: int) -> Buttons:
    """Under a preview: 👍 👎, and ⏭ where the track is one of the member's picks of now."""
    found = opinion_buttons(track_id, await bot.feedback.said(user_id, track_id))
    made = await bot.recommendations.latest_with(user_id, track_id)
    if made is not None and len(made.picks) > 1:
        found.append(next_button(made, track_id))
    return Buttons(*found)


class Tracks(Feature):
    """Plays previews and finds similar tracks."""

    @on_press("play", consent=False)
    async def play(self, interaction: Interaction, track_id: int) -> None:
        """Thirty seconds to hear, as an ordinary attachment: Discord shows its player for those."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await play(interaction, await track_named(interaction, track_id))

    @on_press("rate")
    async def rate(self, interaction: Interaction, track_id: int, liked: str) -> None:
        """👍 or 👎, which counts from the next picks on; the same again takes it back."""
        track = await track_named(interaction, track_id)
        before = await self.bot.feedback.said(interaction.user.id, track.id)
        said = None if before is (liked == "1") else liked == "1"
        await self.bot.feedback.say(interaction.user.id, track.id, said)
        if interaction.message is not None and not interaction.message.flags.components_v2:
            view = await buttons(self.bot, interaction.user.id, track.id)
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
    async def like_this(self, interaction: Interaction, track_id: int) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        track = await track_named(interaction, track_id)
        analysis = await self.bot.library.analysis(track.id)
        if analysis is None:
            raise Refusal("analysis-gone")
        catalog = await self.bot.catalogs.of(interaction.guild_id)
        near = await asyncio.to_thread(
            similar, catalog, analysis.features(), "timbre", count=5, exclude=[track.id]
        )
        await interaction.edit_original_response(view=similar_card(track, near))
