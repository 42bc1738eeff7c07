"""/admin: what only those who manage the server see and may do."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Feature, Interaction
from bot.autocomplete import offered
from bot.condition import look
from bot.consent import asks_for, stores_nothing
from bot.errors import slash
from bot.features.admin import cards
from bot.features.language.commands import AUTOMATIC, CHOICES
from bot.features.rules.commands import rules_view
from bot.features.upload.job_cards import open_card
from bot.permissions import admin_only, must_manage
from bot.router import on_press
from bot.translator import language_of
from bot.widgets import note_card
from bot.words.i18n import mark, tr
from core.errors import Fact, Refusal, fact
from core.library import languages
from core.library.audit import audit_entries, record
from core.library.backup import backup, rehearse
from core.library.guild_limits import limits_of, own_limits, set_limit
from core.separation.registry import at_hand
from core.spoken import LANGUAGES, speak
from jobs.files import cancel
from jobs.kinds import index
from jobs.model import BACKGROUND


async def enqueue_folders(interaction: Interaction) -> None:
    """A job for each music folder, with its card."""
    bot = interaction.client
    folders = bot.settings.library.folders_of(must_manage(interaction))
    if not folders:
        raise Refusal("no-music-folder")
    await interaction.response.defer(ephemeral=True, thinking=True)
    keys = {f"index:{folder.resolve()}": folder for folder in folders}
    if (under_way := await bot.queue.active(keys)) is not None:
        raise Refusal("indexing-already", state=cards.state_of(under_way))
    for key, folder in keys.items():
        job = await bot.queue.enqueue(
            "index",
            index.Spec(str(folder.resolve())),
            user_id=interaction.user.id,
            guild_id=interaction.guild_id,
            priority=BACKGROUND,
            dedup=key,
        )
        await open_card(interaction, job)
    await note(interaction, mark("re-index"), ", ".join(folder.name for folder in folders)[:400])


async def note(interaction: Interaction, action: str, about: Fact | str) -> None:
    """Into the server's log."""
    about = fact("plain", sentence=about) if isinstance(about, str) else about
    await record(interaction.client.database, must_manage(interaction), interaction.user.id, action, about)


@app_commands.default_permissions(manage_guild=True)
@app_commands.guild_only()
class Admin(
    Feature, commands.GroupCog, group_name="admin", group_description="For those who manage this server."
):
    """Every command is hidden from members by default and checked again here."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Discord lets a server's owner give these commands to others: they need the permission all the same."""
        if not interaction.permissions.manage_guild:
            raise app_commands.MissingPermissions(["manage_guild"])
        return True

    @slash(description="Look through the music folders for new, changed, moved and deleted files.")
    async def reindex(self, interaction: Interaction) -> None:
        await enqueue_folders(interaction)

    @slash(description="What waits and runs on this server; cancel what should not.", extras=stores_nothing)
    async def jobs(self, interaction: Interaction) -> None:
        await interaction.response.send_message(
            view=await self.jobs_view(must_manage(interaction)), ephemeral=True
        )

    @on_press("admin_jobs", consent=False)
    async def jobs_again(self, interaction: Interaction) -> None:
        await interaction.response.edit_message(view=await self.jobs_view(must_manage(interaction)))

    @on_press("admin_cancel")
    async def cancel(self, interaction: Interaction, job_id: int) -> None:
        guild_id = must_manage(interaction)
        job = await self.bot.queue.get(job_id)
        if job is None or job.guild_id != guild_id:
            raise Refusal("job-not-here")
        if await cancel(self.bot.queue, self.bot.settings, job.id):
            await note(interaction, mark("cancelled a job"), job.kind)
        await interaction.response.edit_message(view=await self.jobs_view(guild_id))

    async def jobs_view(self, guild_id: int) -> discord.ui.LayoutView:
        waiting = await self.bot.queue.jobs(guild_id=guild_id, state=("running", "queued"), limit=cards.PAGE)
        return cards.server_jobs_card(waiting, await self.bot.queue.counts(guild_id))

    @slash(
        description="Library and jobs of this server; for whoever runs me, also workers, disk and backups.",
        extras=stores_nothing,
    )
    async def stats(self, interaction: Interaction) -> None:
        guild_id = must_manage(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        host: list[str] = []
        if await self.bot.is_owner(interaction.user):
            jobs = self.bot.settings.jobs
            separator = await asyncio.to_thread(at_hand, jobs.separator, weights_dir=jobs.weights)
            host = cards.host_lines(await look(self.bot), separator, jobs.separator)
        tracks = {"total": 0, "folder": 0, "upload": 0, "sample": 0} | await self.bot.library.counts(guild_id)
        card = cards.stats_card(tracks, await self.bot.queue.counts(guild_id), host)
        await interaction.edit_original_response(view=card)

    @slash(
        description="For whoever runs me: copy the database now, and prove that the copy can be restored.",
        extras=stores_nothing,
    )
    async def backup(self, interaction: Interaction) -> None:
        must_manage(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        if not await self.bot.is_owner(interaction.user):
            raise Refusal("operator-only")
        folder, keep = self.bot.settings.backups, self.bot.settings.retention.backups
        copy = await backup(self.bot.database, folder, keep=keep, by_hand=True)
        rows = await rehearse(copy)
        sentence = tr(
            "💾 {name} is written and was restored on trial: {rows} rows in {tables} tables.",
            name=copy.name,
            rows=sum(rows.values()),
            tables=len(rows),
        )
        await interaction.edit_original_response(view=note_card(sentence))

    @slash(
        description="What members may upload here; with a name and a number, change it.",
        extras=asks_for(lambda given: given.name is not None),
    )
    @app_commands.describe(name="Which limit", value="The new number; left out, back to the operator's")
    @app_commands.choices(name=offered("limits"))
    async def limits(
        self, interaction: Interaction, name: str | None = None, value: float | None = None
    ) -> None:
        guild_id, limits = must_manage(interaction), self.bot.settings.limits
        if name is None and value is not None:
            raise Refusal("limit-without-name")
        if name is not None:
            await set_limit(self.bot.database, guild_id, name, value, limits)
            change = fact("limit", limit=name, value=fact("the-usual") if value is None else value)
            await note(interaction, mark("limit"), change)
        here = await limits_of(self.bot.database, guild_id, limits)
        card = cards.limits_card(here, set(await own_limits(self.bot.database, guild_id)))
        await interaction.response.send_message(view=card, ephemeral=True)

    @slash(description="How much each rule counts here: look, try out, change, undo.", extras=stores_nothing)
    async def rules(self, interaction: Interaction) -> None:
        view = await rules_view(self.bot, must_manage(interaction))
        await interaction.response.send_message(view=view, ephemeral=True)

    @slash(description="The language in which I answer here those who chose none of their own.")
    @app_commands.describe(language="Without a choice: each member's Discord decides")
    @app_commands.choices(language=CHOICES)
    async def language(self, interaction: Interaction, language: str) -> None:
        guild_id = must_manage(interaction)
        chosen = None if language == AUTOMATIC else language
        await languages.choose_for_server(self.bot.database, guild_id, chosen)
        await note(interaction, mark("language"), chosen or "")
        speak(await language_of(self.bot.database, interaction))
        sentence = (
            tr("I speak {language} here with everybody who chose nothing else.", language=LANGUAGES[chosen])
            if chosen
            else tr("I speak with everybody here as their Discord is set.")
        )
        await interaction.response.send_message(view=note_card(sentence), ephemeral=True)

    @slash(name="log", description="What admins did with my commands, newest first.", extras=stores_nothing)
    async def log_(self, interaction: Interaction) -> None:
        await interaction.response.send_message(
            view=await self.log_view(must_manage(interaction), 0), ephemeral=True
        )

    @on_press("admin_log", consent=False)
    async def log_page(self, interaction: Interaction, page: int) -> None:
        await interaction.response.edit_message(view=await self.log_view(must_manage(interaction), page))

    async def log_view(self, guild_id: int, page: int) -> discord.ui.LayoutView:
        found = await audit_entries(self.bot.database, guild_id, cards.PAGE + 1, page * cards.PAGE)
        return cards.log_card(found[: cards.PAGE], page, len(found) > cards.PAGE)


class Reindex(Feature):
    """/reindex: the shortcut of /admin reindex."""

    @slash(description="Look through the music folders for new, changed, moved and deleted files.")
    @admin_only
    async def reindex(self, interaction: Interaction) -> None:
        await enqueue_folders(interaction)
