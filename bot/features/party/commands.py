"""/party: several members' moods make one playlist. Anyone joins by a tap; who started it makes the playlist."""

from __future__ import annotations

import asyncio

import discord
from discord import app_commands

from bot.app import Feature, Interaction
from bot.errors import slash
from bot.features.party.cards import party_card, waiting_card, why_card
from bot.features.playlists.showing import save_as_playlist
from bot.posted import changes, post
from bot.router import Press, on_press
from bot.widgets import note_card
from bot.words.i18n import tr
from bot.words.moods import occasion_label
from core.errors import Refusal
from core.library.consent import agreed
from core.library.parties import Opened
from core.recommend.party import guests_of, party, tracks_of
from core.recommend.table import occasions

MOST_GUESTS = 20


class PartyCog(Feature, name="Party"):
    """Makes one playlist for several members."""

    @slash(name="party", description="One playlist for several of you: everyone joins with their mood.")
    @app_commands.describe(occasion="What the music is for", count="How many tracks (10 when not said)")
    @app_commands.choices(
        occasion=[app_commands.Choice(name=occasion_label(name), value=name) for name in occasions()]
    )
    @app_commands.guild_only()
    async def command(
        self,
        interaction: Interaction,
        occasion: str | None = None,
        count: app_commands.Range[int, 3, 25] = 10,
    ) -> None:
        opened = await self.bot.parties.open(interaction.user.id, interaction.guild_id, occasion, count)
        if await self.bot.moods.profile(interaction.user.id) is not None:
            await self.bot.parties.join(opened.id, interaction.user.id)
        await post(interaction, waiting_card(await self.stored(interaction, opened.id)))

    @on_press("party_join", consent=False)
    async def join(self, interaction: Interaction, party_id: int) -> None:
        opened = await self.stored(interaction, party_id)
        here = {guest.user_id for guest in opened.guests}
        if interaction.user.id in here:
            raise Refusal("party-in-already")
        if len(here) >= MOST_GUESTS:
            raise Refusal("party-full", most_guests=MOST_GUESTS)
        known = await self.bot.moods.profile(interaction.user.id) is not None
        if not known or not await agreed(self.bot.database, interaction.user.id):
            card = note_card(
                tr("I don't know your mood yet: a few questions, then press Join again."),
                Press("mood_start", label=tr("Ask me"), style=discord.ButtonStyle.primary),
            )
            await interaction.response.send_message(view=card, ephemeral=True)
            return
        await self.bot.parties.join(opened.id, interaction.user.id)
        await self.show(interaction, party_id)

    @on_press("party_leave", consent=False)
    async def leave(self, interaction: Interaction, party_id: int) -> None:
        opened = await self.stored(interaction, party_id)
        if interaction.user.id not in {guest.user_id for guest in opened.guests}:
            raise Refusal("party-not-in")
        await self.bot.parties.leave(opened.id, interaction.user.id)
        await self.show(interaction, party_id)

    @on_press("party_make")
    async def make(self, interaction: Interaction, party_id: int) -> None:
        opened = await self.stored(interaction, party_id)
        if interaction.user.id != opened.host and not interaction.permissions.manage_guild:
            raise Refusal("party-not-yours")
        await interaction.response.defer()
        profiles = {guest.user_id: await self.bot.moods.profile(guest.user_id) for guest in opened.guests}
        known = {user_id: profile for user_id, profile in profiles.items() if profile is not None}
        catalog = await self.bot.catalogs.of(interaction.guild_id)
        if not len(catalog):
            raise Refusal("library-empty")
        made = await asyncio.to_thread(party, catalog, known, opened.occasion, opened.count)
        await self.bot.parties.make(opened.id, tracks_of(made), guests_of(made))
        card = party_card(await self.stored(interaction, party_id))
        await changes(self.bot, interaction.message, card)
        await interaction.edit_original_response(view=card)

    @on_press("party_page", consent=False)
    async def page(self, interaction: Interaction, party_id: int, page: int) -> None:
        await self.show(interaction, party_id, page)

    @on_press("party_why", consent=False)
    async def why(self, interaction: Interaction, party_id: int, place: int) -> None:
        opened = await self.stored(interaction, party_id)
        if place >= len(opened.tracks):
            raise Refusal("party-shorter-now")
        await interaction.response.send_message(view=why_card(opened, place), ephemeral=True)

    @on_press("party_save")
    async def save(self, interaction: Interaction, party_id: int) -> None:
        """The party's tracks as a playlist of one's own: for everybody who sees the card."""
        opened = await self.stored(interaction, party_id)
        if not opened.tracks:
            raise Refusal("party-not-made")
        await interaction.response.defer(ephemeral=True, thinking=True)
        tracks = [track["track_id"] for track in opened.tracks]
        await save_as_playlist(interaction, tr("Our party"), tracks)

    async def show(self, interaction: Interaction, party_id: int, page: int = 0) -> None:
        opened = await self.stored(interaction, party_id)
        card = party_card(opened, page) if opened.tracks else waiting_card(opened)
        await changes(self.bot, interaction.message, card)
        await interaction.response.edit_message(view=card)

    async def stored(self, interaction: Interaction, party_id: int) -> Opened:
        """For those of the server where it is. Raises UserError."""
        opened = await self.bot.parties.get(party_id, interaction.guild_id)
        if opened is None:
            raise Refusal("party-gone")
        return opened
