"""/upload, and 'Analyse this track' on any message with audio: a track goes into the queue; one card follows it to its
result, from which it joins the library or goes."""

from __future__ import annotations

from functools import partial

import discord
from discord import app_commands

from bot.app import Feature, Interaction, Moodstem
from bot.errors import report, slash
from bot.features.upload.attachments import pieces
from bot.features.upload.job_cards import open_card, own_job, promise, show
from bot.router import on_press
from bot.widgets import note_card
from bot.words.named import word
from bot.words.pictures import analysis_words
from core.errors import Refusal, UserError
from core.library.sources.folder import EXTENSIONS


class Upload(Feature):
    """Takes a track, has it separated and analysed, and shows what it found."""

    def __init__(self, bot: Moodstem) -> None:
        super().__init__(bot)
        self.menu = app_commands.ContextMenu(name="Analyse this track", callback=self.analyse)

    async def cog_load(self) -> None:
        self.bot.tree.add_command(self.menu)

    async def cog_unload(self) -> None:
        self.bot.tree.remove_command(self.menu.name, type=self.menu.type)

    @slash(description="Have a track analysed: its instruments, its sound, and what goes with it.")
    @app_commands.describe(track="An audio file (mp3, flac, ogg, wav, m4a ...)")
    async def upload(self, interaction: Interaction, track: discord.Attachment) -> None:
        await self.take(interaction, track)

    async def analyse(self, interaction: Interaction, message: discord.Message) -> None:
        """discord.py hands the message to this callback alone, so consent is asked for here, not before."""
        if await self.bot.gate.lets_through(interaction, partial(self.take_from, message=message)):
            await self.take_from(interaction, message)

    async def take_from(self, interaction: Interaction, message: discord.Message) -> None:
        try:
            await self.take(interaction, first_audio(message))
        except UserError as refusal:
            await report(interaction, refusal)

    async def take(self, interaction: Interaction, track: discord.Attachment) -> None:
        """Put the file into the queue and show its card, wherever it came from. Raises UserError."""
        self.bot.uploading.check_size(track.size)  # what needs no look into the database
        await interaction.response.defer(ephemeral=True, thinking=True)
        job = await self.bot.uploading.take(
            track.filename,
            track.size,
            partial(pieces, track, self.bot.http),
            user_id=interaction.user.id,
            guild_id=interaction.guild_id,
            words=analysis_words(),
            key=f"interaction:{interaction.id}",  # Discord may deliver an interaction twice
            alongside=promise(interaction),
        )
        await open_card(interaction, job)

    @on_press("upload_list")
    async def list_(self, interaction: Interaction, job_id: int, listed: str) -> None:
        """Add one's upload to the library, or take it out."""
        job = await own_job(interaction, job_id)
        await self.bot.uploading.list_(job, interaction.user.id, listed == "1")
        await interaction.response.defer()
        await show(interaction, job)

    @on_press("upload_remove", consent=False)
    async def remove(self, interaction: Interaction, job_id: int) -> None:
        """Forget an uploaded track and its audio; the uploader's and the admins' right."""
        outcome = await self.bot.uploading.remove(await own_job(interaction, job_id), interaction.user.id)
        card = note_card(word("upload-removed", outcome))
        await interaction.response.edit_message(view=card, attachments=[])


def first_audio(message: discord.Message) -> discord.Attachment:
    """The message's first audio or video file. Raises UserError when there is none."""
    for attachment in message.attachments:
        kind = (attachment.content_type or "").partition("/")[0]
        if kind in ("audio", "video") or attachment.filename.lower().endswith(EXTENSIONS):
            return attachment
    if message.attachments:
        raise Refusal("message-without-audio")
    raise Refusal("message-without-file")
