"""/help, /jobs and /privacy: what I can do, what I am doing for you, and what I keep about you."""

from __future__ import annotations

import io
import json

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.i18n import mark, tr
from bot.ui.buttons import Press, on_press
from bot.ui.cards import Card, Style, note_card, row, text
from bot.ui.jobs import job_title
from bot.ui.privacy import privacy_card
from bot.ui.theme import roughly
from jobs.members import erase_member, export_member

STATES = {
    "queued": mark("waiting"),
    "running": mark("being analysed"),
    "done": mark("done"),
    "failed": mark("failed"),
    "cancelled": mark("cancelled"),
}


class About(commands.Cog):
    """Explains, lists and forgets."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    @app_commands.command(name="help", description="What I can do, in a few lines.")
    async def help_(self, interaction: discord.Interaction[Moodstem]) -> None:
        card = Card(
            text(tr("## Music that fits your mood, with reasons")),
            text(
                tr(
                    "**/mood** asks about seven short questions and keeps your answers, even if you stop half-way."
                ),
                tr(
                    "**/recommend** picks tracks whose *instruments* fit, and says why in measured numbers; a tap steers them: calmer, less vocals, a surprise."
                ),
                tr("**/journey** leads from how you feel to another mood, step by step."),
                tr("**/party** makes one playlist of several people's moods, fair to each."),
                tr(
                    "**/upload** takes a track apart, shows what each instrument does and what goes with it, and hands you its stems."
                ),
                tr(
                    "**/similar** finds tracks like one of yours or the library's, or music to practise an instrument with."
                ),
                tr(
                    "**/library** finds music by name or by sound (“calm piano”); **/playlist** keeps what you like."
                ),
                tr(
                    "**/jobs** lists your uploads. **/privacy** shows, hands out or erases what I keep about you."
                ),
            ),
            row(Press("mood_start", label=tr("Ask me"), style=Style.primary)),
        )
        await interaction.response.send_message(view=card, ephemeral=True)

    @app_commands.command(description="Your uploads and how far they are.")
    async def jobs(self, interaction: discord.Interaction[Moodstem]) -> None:
        found = await self.bot.queue.jobs(user_id=interaction.user.id, limit=5)
        if not found:
            card = note_card(tr("Nothing yet: give me a track with /upload."))
        else:
            lines = [f"**{job_title(job)}**: {_state(job.state, job.eta_s)}" for job in found]
            card = Card(
                text(tr("### Your latest jobs"), *lines),
                row(
                    *(
                        Press("job_show", job.id, label=tr("Show {place}", place=place))
                        for place, job in enumerate(found, 1)
                    )
                ),
            )
        await interaction.response.send_message(view=card, ephemeral=True)

    @on_press("job_show")
    async def show_job(self, interaction: discord.Interaction[Moodstem], job_id: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        job = await self.bot.job_cards.own_job(interaction, int(job_id))
        view, files = await self.bot.job_cards.draw(job)
        await interaction.edit_original_response(view=view, attachments=files)

    @app_commands.command(description="What I keep about you; have it handed out or erased.")
    async def privacy(self, interaction: discord.Interaction[Moodstem]) -> None:
        card = privacy_card(self.bot.settings.retention)
        await interaction.response.send_message(view=card, ephemeral=True)

    @on_press("privacy_export")
    async def export(self, interaction: discord.Interaction[Moodstem]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await export_member(self.bot.database, interaction.user.id)
        data = json.dumps(found, ensure_ascii=False, indent=1).encode()
        await interaction.edit_original_response(
            content=tr("Everything that I keep about you:"),
            attachments=[discord.File(io.BytesIO(data), filename="moodstem-export.json")],
        )

    @on_press("privacy_ask")
    async def ask(self, interaction: discord.Interaction[Moodstem]) -> None:
        card = note_card(
            tr(
                "Erase your answers, profile, recommendations, ratings, playlists, uploads and all else? This cannot be undone."
            ),
            Press("privacy_erase", label=tr("Erase"), style=Style.danger),
        )
        await interaction.response.send_message(view=card, ephemeral=True)

    @on_press("privacy_erase")
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


def _state(state: str, eta_s: float | None) -> str:
    left = tr(", {time} to go", time=roughly(eta_s)) if eta_s else ""
    word = tr(STATES.get(state, state))
    return f"{word}{left}" if state in ("queued", "running") else word


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(About(bot))
