"""/recommend: tracks for your mood, each with its reasons; one tap steers them, and every step can be undone."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

from discord import app_commands

from bot.app import Feature, Interaction
from bot.errors import slash
from bot.features.listen.commands import play, track_named
from bot.features.recommend.cards import PAGE, no_mood_card, picks_card, why_card
from bot.posted import post
from bot.router import Press, on_press, whole
from bot.widgets import Card, problem_card
from bot.words.i18n import tr
from bot.words.moods import aim_label, mood_label, occasion_label
from bot.words.ranking import ranks_higher
from core.errors import Fact, Refusal, fact
from core.library.recommendations import RecommendationQuery, Recommended
from core.moods.aim import AIMS
from core.moods.profile import MOODS
from core.recommend.rules import topic_weights
from core.recommend.steer import SURPRISE, opposite_of, pressed, taken_back
from core.recommend.table import occasions


async def picks_view(interaction: Interaction, made: Recommended, page: int = 0) -> Card:
    """A member's picks, with the steers that this server's library can follow."""
    steers = await interaction.client.recommending.steers(interaction.guild_id)
    return picks_card(made, page, steers=steers)


class Recommend(Feature):
    """Recommends tracks, says why, and lets them be steered."""

    @slash(name="recommend", description="Music for your mood, with the reasons.")
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
    async def command(
        self,
        interaction: Interaction,
        mood: str | None = None,
        occasion: str | None = None,
        aim: str = "match",
        count: app_commands.Range[int, 1, 20] = 5,
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.ask(interaction, occasion, aim, count, mood)

    @on_press("recommend")
    async def by_occasion(
        self, interaction: Interaction, occasion: str, count: int, aim: str = "match"
    ) -> None:
        """The occasion buttons under a finished questionnaire: a new answer, the profile stays readable."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.ask(interaction, occasion or None, aim, count)

    @on_press("recommend_for")
    async def by_other_occasion(self, interaction: Interaction, count: int, aim: str, occasion: str) -> None:
        await self.by_occasion(interaction, occasion, count, aim)

    @on_press("recommend_mood")
    async def by_mood(self, interaction: Interaction, occasion: str, count: int, aim: str, mood: str) -> None:
        """A mood chosen from the list, for those who were not asked yet."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.ask(interaction, occasion or None, aim, count, mood)

    async def ask(
        self, interaction: Interaction, occasion: str | None, aim: str, count: int, mood: str | None = None
    ) -> None:
        """Answer by what is known of the member, or ask for a mood; the interaction is deferred already."""
        query = await self.bot.recommending.query(interaction.user.id, occasion, aim, count, mood)
        if query is None:
            await interaction.edit_original_response(view=no_mood_card(occasion, aim, count))
        else:
            await self.answer(interaction, query)

    async def answer(self, interaction: Interaction, query: RecommendationQuery) -> None:
        """Choose, remember and show; the interaction is deferred already."""
        made = await self.bot.recommending.recommend(interaction.user.id, interaction.guild_id, query)
        if made is None:
            view = problem_card(
                tr("That was everything I have for now; come back in an hour, or begin again."),
                Press("recommend", query.occasion or "", query.count, query.aim, label=tr("Begin again")),
            )
        else:
            self.bot.metrics.recommended.inc()
            view = await picks_view(interaction, made)
        await interaction.edit_original_response(view=view)

    @on_press("rec_more")
    async def more(self, interaction: Interaction, recommendation_id: int) -> None:
        """Other picks for the same query: nothing that was shown within the hour."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        before = await self.own(interaction, recommendation_id)
        await self.answer(interaction, replace(before.query, others=True))

    @on_press("rec_steer")
    async def steer(self, interaction: Interaction, recommendation_id: int, name: str) -> None:
        """One tap changes the picks in place: a steer, 'back.' and a steer, 'aim.' and an aim, 'skip.' and a track."""
        kind, _, what = name.rpartition(".")
        if kind == "skip":
            await self.skip(interaction, recommendation_id, whole(what) or 0)
            return
        before = await self.own(interaction, recommendation_id)
        await interaction.response.defer()
        query, tap, measured = _steered(before.query, kind, what)
        await self.turn(interaction, before, query, tap, measured, anew=name == SURPRISE)

    @on_press("rec_skip")
    async def skip(self, interaction: Interaction, recommendation_id: int, track_id: int) -> None:
        """The same answer without one track, so that the next best moves up. The skip itself counts from the next
        answer on, so that the others stay what they are and their reasons still add up."""
        before = await self.own(interaction, recommendation_id)
        await interaction.response.defer()
        places = [place for place, pick in enumerate(before.picks) if pick.track_id == track_id]
        if not places:
            raise Refusal("not-among-picks")
        title = before.picks[places[0]].title
        query = replace(before.query, without=(*before.query.without, track_id))
        said = fact("skipped", title=title)
        await self.turn(interaction, before, query, said, page=places[0] // PAGE)
        await self.bot.history.passed_over(interaction.user.id, track_id)

    @on_press("rec_next")
    async def play_next(self, interaction: Interaction, recommendation_id: int, place: int) -> None:
        """⏭ under a preview: the next pick in its place; whoever goes on at once did not want to hear it."""
        made = await self.own(interaction, recommendation_id)
        await interaction.response.defer()
        place_now = place % len(made.picks)
        await self.bot.history.skipped(interaction.user.id, made.picks[place_now - 1].track_id)
        await play(interaction, await track_named(interaction, made.picks[place_now].track_id))

    @on_press("rec_less")
    async def less(self, interaction: Interaction, recommendation_id: int, track_id: int) -> None:
        """A no to one track, which counts against what sounds like it, and picks that know it."""
        before = await self.own(interaction, recommendation_id)
        await interaction.response.defer()
        track = await track_named(interaction, track_id)
        await self.bot.feedback.say(interaction.user.id, track.id, False)
        tap = fact("less-like", title=track.title)
        await self.turn(interaction, before, before.query, tap, anew=True)

    async def turn(
        self,
        interaction: Interaction,
        before: Recommended,
        query: RecommendationQuery,
        tap: Fact,
        measured: str | None = None,
        *,
        anew: bool = False,
        page: int = 0,
    ) -> None:
        """Other picks in place of those before, and what changed."""
        made = await self.bot.recommending.steer(
            interaction.user.id, interaction.guild_id, before, query, tap, measured, anew=anew
        )
        await interaction.edit_original_response(view=await picks_view(interaction, made, page))

    @on_press("rec_undo")
    async def undo(self, interaction: Interaction, recommendation_id: int) -> None:
        """One step back: the picks as they were."""
        made = await self.own(interaction, recommendation_id)
        if made.parent_id is None:
            raise Refusal("first-picks")
        await interaction.response.defer()
        before = await self.bot.recommendations.get(made.parent_id)
        await interaction.edit_original_response(view=await picks_view(interaction, before))

    @on_press("rec_page", consent=False)
    async def page(self, interaction: Interaction, recommendation_id: int, page: int) -> None:
        made = await self.own(interaction, recommendation_id)
        await interaction.response.defer()
        pages = -(-len(made.picks) // PAGE)
        await interaction.edit_original_response(view=await picks_view(interaction, made, page % pages))

    @on_press("rec_why", consent=False)
    async def why(self, interaction: Interaction, recommendation_id: int, position: int) -> None:
        """Open to everyone who sees the picks: the owner may have shared them."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        made = await self.bot.recommendations.get(recommendation_id)
        own = made.user_id == interaction.user.id
        if not own:
            await self.bot.recommending.check_all_here(interaction.guild_id, made)
        found = await self.bot.recommending.asked_again(interaction.guild_id, made)
        if found is None:
            ranking = [
                tr(
                    "The library, its rules or what you like have changed since, so this can no longer be told; ask again."
                )
            ]
        else:
            topics = topic_weights(made.query.target, made.query.occasion, made.query.steers)
            catalog = await self.bot.catalogs.of(interaction.guild_id)
            ranking = await asyncio.to_thread(ranks_higher, catalog, topics, found, position)
        await interaction.edit_original_response(view=why_card(made, position, ranking, own=own))

    @on_press("rec_share")
    async def share(self, interaction: Interaction, recommendation_id: int, page: int) -> None:
        """Post the picks and their reasons for everyone here; the profile itself is not shown."""
        made = await self.own(interaction, recommendation_id)
        await self.bot.recommending.check_all_here(interaction.guild_id, made)
        await post(interaction, picks_card(made, page, shared=True))

    async def own(self, interaction: Interaction, recommendation_id: int) -> Recommended:
        return await self.bot.recommending.own(interaction.user.id, recommendation_id)


def _steered(
    query: RecommendationQuery, kind: str, what: str
) -> tuple[RecommendationQuery, Fact, str | None]:
    """The query after one tap, the tap, and the steer whose measurements tell what it changed."""
    if kind == "aim":
        return replace(query, aim=what), fact("aimed", aim=what), None
    if kind == "back":
        steers = taken_back(query.steers, what)
        return (replace(query, steers=steers), fact("taken-back", steer=what), opposite_of(what))
    query = replace(query, steers=pressed(query.steers, what))
    if what == SURPRISE:
        query = replace(query, seed=secrets.randbelow(2**31))
    return query, fact("steered", steer=what), what
