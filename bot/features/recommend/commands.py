"""/recommend: tracks for your mood, each with its reasons; one tap steers them, and every step can be undone."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.errors import answer_refusals
from bot.features.recommend.cards import PAGE, no_mood_card, picks_card, why_card
from bot.i18n import tr
from bot.router import Press, on_press
from bot.theme import plain
from bot.widgets import Card, problem_card
from core.errors import UserError
from core.moods.aim import AIMS, aim_label
from core.moods.profile import MOODS, Profile, mood_label
from core.recommend.counterfactual import ranks_higher
from core.recommend.recommendation_store import (
    Pick,
    Recommended,
    Wish,
    just_shown,
    reasons_needed,
)
from core.recommend.rules import Recommendation, occasion_label, occasions, recommend, topic_weights
from core.recommend.steer import SURPRISE, change, opposite_of, possible, pressed, steer_label, taken_back

if TYPE_CHECKING:
    from bot.features.listen.commands import Tracks

SAME = 1e-9
"""Scores that are asked for again agree this well unless the library or the rules have changed."""


class Recommend(commands.Cog):
    """Recommends tracks, says why, and lets them be steered."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    @app_commands.command(name="recommend", description="Music for your mood, with the reasons.")
    @app_commands.describe(
        mood="How you feel, if you would rather not answer questions",
        occasion="What the music is for",
        aim="Should it match your mood, lift it or settle it?",
        count="How many tracks (5 when not said)",
    )
    @app_commands.choices(
        mood=[app_commands.Choice(name=mood_label(name), value=name) for name in MOODS],
        occasion=[app_commands.Choice(name=occasion_label(name), value=name) for name in occasions()],
        aim=[app_commands.Choice(name=aim_label(name), value=name) for name in AIMS],
    )
    @answer_refusals
    async def command(
        self,
        interaction: discord.Interaction[Moodstem],
        mood: str | None = None,
        occasion: str | None = None,
        aim: str = "match",
        count: app_commands.Range[int, 1, 20] = 5,
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.ask(interaction, occasion, aim, count, mood)

    @on_press("recommend")
    async def by_occasion(
        self, interaction: discord.Interaction[Moodstem], occasion: str, count: str, aim: str = "match"
    ) -> None:
        """The occasion buttons under a finished questionnaire: a new answer, the profile stays readable."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.ask(interaction, occasion or None, aim, int(count))

    @on_press("recommend_for")
    async def by_other_occasion(
        self, interaction: discord.Interaction[Moodstem], count: str, aim: str, occasion: str
    ) -> None:
        await self.by_occasion(interaction, occasion, count, aim)

    @on_press("recommend_mood")
    async def by_mood(
        self, interaction: discord.Interaction[Moodstem], occasion: str, count: str, aim: str, mood: str
    ) -> None:
        """A mood chosen from the list, for those who were not asked yet."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.ask(interaction, occasion or None, aim, int(count), mood)

    async def ask(
        self,
        interaction: discord.Interaction[Moodstem],
        occasion: str | None,
        aim: str,
        count: int,
        mood: str | None = None,
    ) -> None:
        """Answer by the member's profile, or by the one mood that was named; the interaction is deferred already."""
        profile = await self.bot.moods.profile(interaction.user.id)
        if mood is not None:
            profile = Profile({mood: 1.0}, preferences=profile.preferences if profile else {})
        elif profile is None and occasion is None:
            await interaction.edit_original_response(view=no_mood_card(occasion, aim, count))
            return
        wish = Wish(profile or Profile(), occasion, aim, count=count, chosen=mood)
        await self.answer(interaction, wish)

    async def answer(self, interaction: discord.Interaction[Moodstem], wish: Wish) -> None:
        """Choose, remember and show; the interaction is deferred already."""
        now = int(time.time())
        before = await self.bot.recommendations.shown_before(interaction.user.id, at=now)
        found = await self.choose(interaction.user.id, wish, before, now, interaction.guild_id)
        if not found and wish.others:
            view = problem_card(
                tr("That was everything I have for now; come back in an hour, or begin again."),
                Press("recommend", wish.occasion or "", wish.count, wish.aim, label=tr("Begin again")),
            )
            await interaction.edit_original_response(view=view)
            return
        if not found:
            raise UserError(tr("The library is empty; ask an admin to index a folder with /reindex."))
        made = await self.bot.recommendations.save(
            interaction.user.id, wish, [Pick.of(one) for one in found], at=now
        )
        self.bot.metrics.recommended.inc()
        await interaction.edit_original_response(view=await self.card(interaction, made))

    async def choose(
        self,
        user_id: int,
        wish: Wish,
        before: dict[int, float],
        at: int,
        guild_id: int | None,
        *,
        all_reasons: bool = False,
    ) -> list[Recommendation]:
        """The tracks for a wish, by the weights of this server's rules; `before` says what the member was shown, and how
        many days ago. What the member likes counts as it stood at `at`, so that the same question has the same answer."""
        catalog = await self.bot.catalogs.of(guild_id)
        terms = await self.bot.feedback.terms(user_id, catalog, at)
        return await asyncio.to_thread(
            recommend,
            catalog,
            wish.target,
            wish.occasion,
            wish.count,
            steers=wish.steers,
            exclude={*wish.without, *(just_shown(before) if wish.others else ())},
            recent=before,
            seed=wish.seed,
            terms=terms,
            reasons=reasons_needed(wish),
            all_reasons=all_reasons,
        )

    async def card(
        self, interaction: discord.Interaction[Moodstem], made: Recommended, page: int = 0
    ) -> Card:
        catalog = await self.bot.catalogs.of(interaction.guild_id)
        return picks_card(made, page, steers=await asyncio.to_thread(possible, catalog))

    @on_press("rec_more")
    async def more(self, interaction: discord.Interaction[Moodstem], recommendation_id: str) -> None:
        """Other picks for the same wish: nothing that was shown within the hour."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        before = await self.own(interaction, recommendation_id)
        await self.answer(interaction, replace(before.wish, others=True))

    @on_press("rec_steer")
    async def steer(
        self, interaction: discord.Interaction[Moodstem], recommendation_id: str, name: str
    ) -> None:
        """One tap changes the picks in place: a steer, 'back.' and a steer, 'aim.' and an aim, 'skip.' and a track."""
        kind, _, what = name.rpartition(".")
        if kind == "skip":
            await self.skip(interaction, recommendation_id, what)
            return
        before = await self.own(interaction, recommendation_id)
        await interaction.response.defer()
        wish, title, measured = _steered(before.wish, kind, what)
        await self.turn(interaction, before, wish, title, measured, anew=name == SURPRISE)

    @on_press("rec_skip")
    async def skip(
        self, interaction: discord.Interaction[Moodstem], recommendation_id: str, track_id: str
    ) -> None:
        """The same answer without one track, so that the next best moves up. The skip itself counts from the next
        answer on, so that the others stay what they are and their reasons still add up."""
        before = await self.own(interaction, recommendation_id)
        await interaction.response.defer()
        places = [place for place, pick in enumerate(before.picks) if pick.track_id == int(track_id)]
        if not places:
            raise UserError(tr("This track is not among these picks; use /recommend for new ones."))
        title = before.picks[places[0]].title.replace(":", " ")
        wish = replace(before.wish, without=(*before.wish.without, int(track_id)))
        said = tr("Skipped {title}", title=plain(title))
        await self.turn(interaction, before, wish, said, None, anew=False, page=places[0] // PAGE)
        await self.bot.history.passed_over(interaction.user.id, int(track_id))

    @on_press("rec_next")
    async def play_next(
        self, interaction: discord.Interaction[Moodstem], recommendation_id: str, place: str
    ) -> None:
        """⏭ under a preview: the next pick in its place; whoever goes on at once did not want to hear it."""
        made = await self.own(interaction, recommendation_id)
        await interaction.response.defer()
        place_now = int(place) % len(made.picks)
        await self.bot.history.skipped(interaction.user.id, made.picks[place_now - 1].track_id)
        tracks = cast("Tracks", self.bot.get_cog("Tracks"))
        await tracks.listen(interaction, await tracks.track(interaction, str(made.picks[place_now].track_id)))

    @on_press("rec_less")
    async def less(
        self, interaction: discord.Interaction[Moodstem], recommendation_id: str, track_id: str
    ) -> None:
        """A no to one track, which counts against what sounds like it, and picks that know it."""
        before = await self.own(interaction, recommendation_id)
        await interaction.response.defer()
        track = await self.bot.catalogs.track(interaction.guild_id, interaction.user.id, track_id)
        if track is None:
            raise UserError(tr("This track is no longer in the library here; use /recommend for new picks."))
        await self.bot.feedback.say(interaction.user.id, track.id, False)
        title = tr(
            "Less like {title}", title=plain(track.title.replace(":", " "))
        )  # up to the colon, it is bold
        await self.turn(interaction, before, before.wish, title, None, anew=True)

    async def turn(
        self,
        interaction: discord.Interaction[Moodstem],
        before: Recommended,
        wish: Wish,
        title: str,
        measured: str | None,
        *,
        anew: bool,
        page: int = 0,
    ) -> None:
        """Other picks in place of those before, and what changed. `anew`: it is a new question, so that what was just
        shown counts as shown, and what the member likes counts as of now."""
        root = None if anew else before.root_id
        now = int(time.time())
        shown = await self.bot.recommendations.shown_before(interaction.user.id, root, at=now)
        asked = now if root is None else await self.bot.recommendations.asked_at(root) or now
        found = await self.choose(interaction.user.id, wish, shown, asked, interaction.guild_id)
        if not found:
            raise UserError(tr("Nothing is left to steer to; use /recommend to begin again."))
        catalog = await self.bot.catalogs.of(interaction.guild_id)
        old, new = [pick.track_id for pick in before.picks], [one.track.id for one in found]
        changed = await asyncio.to_thread(change, catalog, old, new, title, measured)
        made = await self.bot.recommendations.save(
            interaction.user.id,
            wish,
            [Pick.of(one) for one in found],
            parent=before,
            root_id=root,
            changed=changed,
            at=now,
        )
        await interaction.edit_original_response(view=await self.card(interaction, made, page))

    @on_press("rec_undo")
    async def undo(self, interaction: discord.Interaction[Moodstem], recommendation_id: str) -> None:
        """One step back: the picks as they were."""
        made = await self.own(interaction, recommendation_id)
        if made.parent_id is None:
            raise UserError(tr("These are the first picks; there is nothing to undo."))
        await interaction.response.defer()
        before = await self.bot.recommendations.get(made.parent_id)
        await interaction.edit_original_response(view=await self.card(interaction, before))

    @on_press("rec_page", consent=False)
    async def page(
        self, interaction: discord.Interaction[Moodstem], recommendation_id: str, page: str
    ) -> None:
        made = await self.own(interaction, recommendation_id)
        await interaction.response.defer()
        pages = -(-len(made.picks) // PAGE)
        await interaction.edit_original_response(view=await self.card(interaction, made, int(page) % pages))

    @on_press("rec_why", consent=False)
    async def why(
        self, interaction: discord.Interaction[Moodstem], recommendation_id: str, position: str
    ) -> None:
        """Open to everyone who sees the picks: the owner may have shared them."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        made = await self.bot.recommendations.get(int(recommendation_id))
        if made.user_id != interaction.user.id:
            await self.all_here(interaction, made)
        ranking = await self.ranking(made, int(position), interaction.guild_id)
        own = made.user_id == interaction.user.id
        await interaction.edit_original_response(view=why_card(made, int(position), ranking, own=own))

    async def ranking(self, made: Recommended, position: int, guild_id: int | None) -> list[str]:
        """What would have ranked higher, by asking again; only if the answer is still the same."""
        before = await self.bot.recommendations.shown_before(made.user_id, made.root_id)
        asked = await self.bot.recommendations.asked_at(made.root_id) or int(time.time())
        found = await self.choose(made.user_id, made.wish, before, asked, guild_id, all_reasons=True)
        same = len(found) == len(made.picks) and all(
            one.track.id == pick.track_id and abs(one.score - pick.score) < SAME
            for one, pick in zip(found, made.picks, strict=True)
        )
        if not same:
            return [
                tr(
                    "The library, its rules or what you like have changed since, so this can no longer be told; ask again."
                )
            ]
        topics = topic_weights(made.wish.target, made.wish.occasion, made.wish.steers)
        catalog = await self.bot.catalogs.of(guild_id)
        return await asyncio.to_thread(ranks_higher, catalog, topics, found, position)

    @on_press("rec_share")
    async def share(
        self, interaction: discord.Interaction[Moodstem], recommendation_id: str, page: str
    ) -> None:
        """Post the picks and their reasons for everyone here; the profile itself is not shown."""
        made = await self.own(interaction, recommendation_id)
        await self.all_here(interaction, made)
        await interaction.response.send_message(view=picks_card(made, int(page), shared=True))

    async def all_here(self, interaction: discord.Interaction[Moodstem], made: Recommended) -> None:
        """Raises UserError where some of the picks are of another server's library: nobody here is to read of them."""
        tracks = [pick.track_id for pick in made.picks]
        scope = self.bot.catalogs.scope(interaction.guild_id)
        if await self.bot.library.out_of_scope(scope, tracks):
            raise UserError(
                tr("Some of these tracks are another server's; use /recommend for picks of this one.")
            )

    async def own(self, interaction: discord.Interaction[Moodstem], recommendation_id: str) -> Recommended:
        """Raises UserError when they are somebody else's or no longer kept."""
        made = await self.bot.recommendations.get(int(recommendation_id))
        if made.user_id != interaction.user.id:
            raise UserError(tr("These picks are somebody else's; use /recommend for your own."))
        return made


def _steered(wish: Wish, kind: str, what: str) -> tuple[Wish, str, str | None]:
    """The wish after one tap, what the tap is called, and the steer whose measurements tell what it changed."""
    if kind == "aim":
        return replace(wish, aim=what), aim_label(what), None
    if kind == "back":
        steers = taken_back(wish.steers, what)
        return (
            replace(wish, steers=steers),
            tr("↩️ {steer} taken back", steer=steer_label(what)),
            opposite_of(what),
        )
    wish = replace(wish, steers=pressed(wish.steers, what))
    if what == SURPRISE:
        wish = replace(wish, seed=secrets.randbelow(2**31))
    return wish, steer_label(what), what


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Recommend(bot))
