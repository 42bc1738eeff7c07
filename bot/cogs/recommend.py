"""/recommend: tracks for your mood, each with its reasons, a preview to hear and more like it."""

from __future__ import annotations

import asyncio
import io
from dataclasses import asdict
from pathlib import Path

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.errors import answer_refusals
from bot.ui.buttons import Press, on_press
from bot.ui.cards import note_card, problem_card
from bot.ui.picks import PAGE, picks_card, similar_card, why_card
from bot.ui.theme import plain
from core.audio.preview import preview
from core.errors import UserError
from core.library.tracks import Track
from core.moods.profile import Profile
from core.moods.store import Moods
from core.recommend.rules import Recommendation, occasion_label, occasions, recommend
from core.recommend.similarity import similar
from core.recommend.store import AGAINST, FOR, Pick, Recommendations, Recommended


class Recommend(commands.Cog):
    """Recommends tracks and says why."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.moods = Moods(bot.database)
        self.recommendations = Recommendations(bot.database)

    @app_commands.command(name="recommend", description="Music for your mood, with the reasons.")
    @app_commands.describe(occasion="What the music is for", count="How many tracks (5 when not said)")
    @app_commands.choices(
        occasion=[app_commands.Choice(name=occasion_label(name), value=name) for name in occasions()]
    )
    @answer_refusals
    async def command(
        self,
        interaction: discord.Interaction[Moodstem],
        occasion: str | None = None,
        count: app_commands.Range[int, 1, 20] = 5,
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.answer(interaction, occasion, count, exclude=set())

    @on_press("recommend")
    async def pressed(self, interaction: discord.Interaction[Moodstem], occasion: str, count: str) -> None:
        """The occasion buttons under a finished questionnaire: a new answer, the profile stays readable."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.answer(interaction, occasion or None, int(count), exclude=set())

    @on_press("rec_more")
    async def more(self, interaction: discord.Interaction[Moodstem], recommendation_id: str) -> None:
        """Other picks for the same wish: nothing that was shown within the hour."""
        before = await self.stored(recommendation_id)
        await interaction.response.defer(ephemeral=True, thinking=True)
        shown = await self.recommendations.shown_lately(interaction.user.id)
        await self.answer(interaction, before.occasion, len(before.picks), exclude=shown)

    async def answer(
        self, interaction: discord.Interaction[Moodstem], occasion: str | None, count: int, exclude: set[int]
    ) -> None:
        """Choose, remember and show; the interaction is deferred already."""
        profile = await self.moods.profile(interaction.user.id)
        if profile is None:
            view = note_card(
                "I don't know your mood yet: a few questions, about a minute, and I can choose.",
                Press("mood_start", label="Ask me", style=discord.ButtonStyle.primary),
            )
            await interaction.edit_original_response(view=view)
            return
        found = await self.choose(profile, occasion, count, exclude)
        if not found and exclude:
            view = problem_card(
                "That was everything I have for now; come back in an hour, or begin again.",
                Press("recommend", occasion or "", count, label="Begin again"),
            )
            await interaction.edit_original_response(view=view)
            return
        if not found:
            raise UserError("The library is empty; ask an admin to index a folder with /reindex.")
        made = await self.recommendations.save(interaction.user.id, occasion, [_pick(one) for one in found])
        await interaction.edit_original_response(view=picks_card(made, profile))

    async def choose(
        self, profile: Profile, occasion: str | None, count: int, exclude: set[int]
    ) -> list[Recommendation]:
        catalog = await self.bot.catalog()
        return await asyncio.to_thread(recommend, catalog, profile, occasion, count, exclude=exclude)

    @on_press("rec_page")
    async def page(
        self, interaction: discord.Interaction[Moodstem], recommendation_id: str, page: str
    ) -> None:
        made = await self.stored(recommendation_id)
        profile = await self.moods.profile(made.user_id)
        pages = -(-len(made.picks) // PAGE)
        await interaction.response.edit_message(view=picks_card(made, profile, page=int(page) % pages))

    @on_press("rec_why")
    async def why(
        self, interaction: discord.Interaction[Moodstem], recommendation_id: str, position: str
    ) -> None:
        made = await self.stored(recommendation_id)
        pick = made.picks[int(position)]
        await interaction.response.send_message(view=why_card(pick, made.occasion), ephemeral=True)

    @on_press("rec_share")
    async def share(
        self, interaction: discord.Interaction[Moodstem], recommendation_id: str, page: str
    ) -> None:
        """Post the picks and their reasons for everyone here; the profile itself is not shown."""
        made = await self.stored(recommendation_id)
        if made.user_id != interaction.user.id:
            raise UserError("Only the person who asked can share these picks; use /recommend for your own.")
        await interaction.response.send_message(view=picks_card(made, None, page=int(page), shared=True))

    async def stored(self, recommendation_id: str) -> Recommended:
        made = await self.recommendations.get(int(recommendation_id))
        if made is None:
            raise UserError("These picks are no longer kept; use /recommend for new ones.")
        return made

    @on_press("play")
    async def play(self, interaction: discord.Interaction[Moodstem], track_id: str) -> None:
        """Thirty seconds to hear, as an ordinary attachment: Discord shows its player for those."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        track = await self.track(track_id)
        sound = await asyncio.to_thread(
            preview, self.audio(track), self.bot.settings.previews, track.content_hash
        )
        await interaction.edit_original_response(
            content=f"▶️ **{plain(track.title)}**" + (f" · {plain(track.artist)}" if track.artist else ""),
            attachments=[discord.File(io.BytesIO(sound), filename=f"{_file_name(track.title)}.ogg")],
        )

    @on_press("like_this")
    async def like_this(self, interaction: discord.Interaction[Moodstem], track_id: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        track = await self.track(track_id)
        analysis = await self.bot.library.analysis(track.id)
        if analysis is None:
            raise UserError("This track's analysis is gone; upload it again to compare it.")
        catalog = await self.bot.catalog()
        near = await asyncio.to_thread(
            similar, catalog, analysis.features(), "timbre", count=5, exclude=[track.id]
        )
        await interaction.edit_original_response(view=similar_card(track, near))

    async def track(self, track_id: str) -> Track:
        track = await self.bot.library.get(int(track_id))
        if track is None:
            raise UserError("This track is no longer in the library; use /recommend for new picks.")
        return track

    def audio(self, track: Track) -> Path:
        path = Path(track.path)
        path = path if path.is_absolute() else self.bot.settings.data / path
        if not path.is_file() and track.origin == "upload":
            days = self.bot.settings.retention.uploads_days
            raise UserError(
                f"Uploads are kept for {days} days, and this one is gone; upload it again to hear it."
            )
        if not path.is_file():
            raise UserError(
                f"The audio of “{track.title}” is not where it was; ask an admin to run /reindex."
            )
        return path


def _pick(one: Recommendation) -> Pick:
    return Pick(
        track_id=one.track.id,
        title=one.track.title,
        artist=one.track.artist,
        genre=one.track.genre,
        score=one.score,
        reasons=[asdict(reason) for reason in one.reasons[:FOR]],
        against=[asdict(reason) for reason in one.against[:AGAINST]],
    )


def _file_name(title: str) -> str:
    """Letters, digits and hyphens of the title, so that no client stumbles over the attachment's name."""
    return (
        "-".join("".join(c if c.isalnum() and c.isascii() else " " for c in title).split())[:60] or "preview"
    )


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Recommend(bot))
