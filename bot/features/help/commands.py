"""/help, /jobs and /privacy: what I can do, what I am doing for you, and what I keep about you."""

from __future__ import annotations

import io
import json

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.consent import stores_nothing
from bot.features.help.cards import help_card, jobs_card
from bot.features.privacy.cards import erase_card, privacy_card
from bot.i18n import tr
from bot.router import on_press
from bot.service.member_data import erase_member
from bot.widgets import note_card
from core.library import job_messages
from core.library.members import export_member


class About(commands.Cog):
    """Explains, lists and forgets."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    @app_commands.command(name="help", description="What I can do, in a few lines.", extras=stores_nothing)
    async def help_(self, interaction: discord.Interaction[Moodstem]) -> None:
        await interaction.response.send_message(view=help_card(), ephemeral=True)

    @app_commands.command(description="Your uploads and how far they are.", extras=stores_nothing)
    async def jobs(self, interaction: discord.Interaction[Moodstem]) -> None:
        found = await self.bot.queue.jobs(user_id=interaction.user.id, limit=5)
        always = await job_messages.wants_every_notice(self.bot.database, interaction.user.id)
        await interaction.response.send_message(view=jobs_card(found, always), ephemeral=True)

    @on_press("job_show", consent=False)
    async def show_job(self, interaction: discord.Interaction[Moodstem], job_id: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        job = await self.bot.job_cards.own_job(interaction, int(job_id))
        view, files = await self.bot.job_cards.draw(job, interaction.guild_id)
        await interaction.edit_original_response(view=view, attachments=files)

    @app_commands.command(
        description="What I keep about you; have it handed out or erased.", extras=stores_nothing
    )
    @app_commands.describe(action="Have it handed out or erased at once, without reading what it is.")
    @app_commands.choices(
        action=[
            app_commands.Choice(name="export", value="export"),
            app_commands.Choice(name="erase", value="erase"),
        ]
    )
    async def privacy(self, interaction: discord.Interaction[Moodstem], action: str | None = None) -> None:
        match action:
            case "export":
                await self.export(interaction)
            case "erase":
                await self.ask(interaction)
            case _:
                card = privacy_card(self.bot.settings.retention)
                await interaction.response.send_message(view=card, ephemeral=True)

    @on_press("privacy_export", consent=False)
    async def export(self, interaction: discord.Interaction[Moodstem]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await export_member(self.bot.database, interaction.user.id)
        data = json.dumps(found, ensure_ascii=False, indent=1).encode()
        await interaction.edit_original_response(
            content=tr("Everything that I keep about you:"),
            attachments=[discord.File(io.BytesIO(data), filename="moodstem-export.json")],
        )

    @on_press("privacy_ask", consent=False)
    async def ask(self, interaction: discord.Interaction[Moodstem]) -> None:
        await interaction.response.send_message(view=erase_card(), ephemeral=True)

    @on_press("privacy_erase", consent=False)
    async def erase(self, interaction: discord.Interaction[Moodstem]) -> None:
        await interaction.response.defer()
        counts = await erase_member(self.bot.database, self.bot.settings.data, interaction.user.id)
        rows = sum(count for table, count in counts.items() if table != "file")
        await interaction.edit_original_response(
            view=note_card(
                tr(
                    "Erased: {entries} entries and {files} files. I know nothing about you now.",
                    entries=rows,
                    files=counts["file"],
                )
            )
        )


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(About(bot))
