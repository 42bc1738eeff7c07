"""The stems of one's own upload: made when asked for, heard and taken one by one or all at once.

Only who uploaded a recording gets its stems, whatever others see of it; admins do not. A button names a job and a stem,
never a file.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from pathlib import Path

import discord

from bot.app import Feature, Interaction
from bot.errors import TOO_LARGE
from bot.features.upload.job_cards import open_privately, promise
from bot.router import Press, on_press
from bot.service.listening import file_name
from bot.theme import STEM_EMOJI, plain
from bot.widgets import attached, problem_card
from bot.words.i18n import tr
from bot.words.names import stem_name
from core.audio.types import STEMS
from core.errors import Refusal
from core.library.guild_limits import limits_of
from jobs.configure import quotas
from jobs.kinds import analyse, stems
from jobs.kinds.stems import FORMS, read_stem
from jobs.model import INTERACTIVE, Job

FORM_NAMES = {"flac": "FLAC", "ogg": "Ogg"}


class Stems(Feature):
    """Has stems made and hands them out."""

    @on_press("stems")
    async def ask(self, interaction: Interaction, job_id: int) -> None:
        """From a result card: the stems if they are there, else a job that makes them."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        analysed = await self.own(interaction, job_id, "analyse")
        track = await self.bot.uploading.track_of(analysed)
        if track is None:
            raise Refusal("stems-removed")
        made = await self.made(interaction.user.id, track.id)
        if made is None:
            await asyncio.to_thread(self.bot.listening.audio, track)
            here = await limits_of(self.bot.database, interaction.guild_id, self.bot.settings.limits)
            made = await self.bot.queue.enqueue(
                "stems",
                stems.Spec(track.id, track.title, analysed.id),
                user_id=interaction.user.id,
                guild_id=interaction.guild_id,
                priority=INTERACTIVE,
                cost=track.duration_s,
                dedup=f"stems:{track.id}:{interaction.user.id}",
                subject=f"audio:{track.content_hash}",
                limits=quotas(here),
                alongside=promise(interaction, card=False),
            )
        await open_privately(interaction, made)

    async def made(self, user_id: int, track_id: int) -> Job | None:
        """Return the member's latest job that made this track's stems, if its archive still exists."""
        job = await self.bot.queue.latest_done("stems", user_id=user_id, track_id=track_id)
        there = job is not None and await asyncio.to_thread(self.archive(job).is_file)
        return job if there else None

    @on_press("stem", consent=False)
    async def hand_out(self, interaction: Interaction, job_id: int, stem: str) -> None:
        """One stem as an ordinary attachment: Discord shows its player for those, and a way to save it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        job = await self.own(interaction, job_id, "stems")
        sizes = stems.KIND.result(job).sizes.get(stem)
        if sizes is None or stem not in STEMS:
            raise Refusal("no-stem")
        title, icon = plain(stems.KIND.spec(job).name), STEM_EMOJI[stem]
        for form in self.fitting(interaction, sizes):
            try:
                content = await asyncio.to_thread(read_stem, self.archive(job), stem, form)
            except (OSError, KeyError, zipfile.BadZipFile):
                return await self.gone(interaction, job)
            told = [
                tr("{icon} **{stem}** of **{title}**", icon=icon, stem=stem_name(stem), title=title),
                tr("-# {form}, {mb:.1f} MB", form=FORM_NAMES[form], mb=len(content) / 1e6),
                *([tr("-# Compressed, as Discord takes no larger file here.")] if form != FORMS[0] else []),
            ]
            if await self.send(interaction, "\n".join(told), f"{file_name(title)}-{stem}.{form}", content):
                return None
        raise Refusal("stem-too-large", mb=sizes["ogg"] / 1e6)

    @on_press("stem_all", consent=False)
    async def hand_out_all(self, interaction: Interaction, job_id: int) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        job = await self.own(interaction, job_id, "stems")
        sizes = stems.KIND.result(job).sizes
        title = plain(stems.KIND.spec(job).name)
        totals = {form: sum(each[form] + 200 for each in sizes.values()) for form in FORMS}
        for form in self.fitting(interaction, totals):
            try:
                content = await asyncio.to_thread(
                    _zip, self.archive(job), list(sizes), form, file_name(title)
                )
            except (OSError, KeyError, zipfile.BadZipFile):
                return await self.gone(interaction, job)
            told = [
                tr("📦 All stems of **{title}**", title=title),
                tr("-# {form}, {mb:.1f} MB", form=FORM_NAMES[form], mb=len(content) / 1e6),
            ]
            if await self.send(interaction, "\n".join(told), f"{file_name(title)}-stems.zip", content):
                return None
        raise Refusal("all-stems-too-large")

    def fitting(self, interaction: Interaction, sizes: dict[str, int]) -> list[str]:
        """The forms, best first, that this place takes as far as it says. It may say too much (for members with
        Nitro), hence all of them are tried in turn."""
        return [form for form in FORMS if sizes[form] <= interaction.filesize_limit]

    async def send(self, interaction: Interaction, sentence: str, name: str, content: bytes) -> bool:
        """In place of the deferred answer; False when Discord finds it too large."""
        try:
            await interaction.edit_original_response(content=sentence, attachments=[attached(content, name)])
        except discord.HTTPException as error:
            if error.status == 413 or error.code == TOO_LARGE:
                return False
            raise
        return True

    async def gone(self, interaction: Interaction, job: Job) -> None:
        """Instead of a file that retention has removed: how long they are kept, and a button to make them again."""
        days = self.bot.settings.retention.stems_days
        await interaction.edit_original_response(
            view=problem_card(
                tr("Stems are kept for {days} days, and these are gone; I can make them again.", days=days),
                Press("stems", stems.KIND.spec(job).of, label=tr("Make them again")),
            )
        )

    async def own(self, interaction: Interaction, job_id: int, kind: str) -> Job:
        """The member's own job of this kind. Raises UserError for everybody else."""
        job = await self.bot.queue.get(job_id)
        if job is None or job.kind != kind or job.state != "done":
            raise Refusal("stems-job-gone")
        if job.user_id != interaction.user.id:
            raise Refusal("stems-not-yours")
        made = stems.KIND.result(job) if kind == stems.KIND.name else analyse.KIND.result(job)
        if await self.bot.library.result_of_upload(made.track_id, job.user_id) is None:
            raise Refusal("stems-removed")
        return job

    def archive(self, job: Job) -> Path:
        """The .zip of a job's stems, whether it is still there or not."""
        return self.bot.settings.data / stems.KIND.result(job).archive


def _zip(archive: Path, stems: list[str], form: str, name: str) -> bytes:
    """The stems in one form, uncompressed: they are compressed already."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as out:
        for stem in stems:
            out.writestr(f"{name}-{stem}.{form}", read_stem(archive, stem, form))
    return buffer.getvalue()
