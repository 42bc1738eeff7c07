"""/journey: music that begins with the present mood and leads to another one; the way is drawn and can be saved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from discord import app_commands

from bot.app import Feature, Interaction, Moodstem
from bot.errors import slash
from bot.features.journey.cards import PICTURE, journey_card, where_card, why_card
from bot.features.playlists.showing import save_as_playlist
from bot.router import on_press
from bot.service.drawings import Drawings
from bot.widgets import attached
from bot.words.i18n import tr
from bot.words.moods import mood_label, moods_text
from bot.words.pictures import journey_words
from core.errors import UserError
from core.library.catalog import Catalog
from core.library.journeys import JourneyQuestion, Made, Stop
from core.moods.profile import MOODS, Profile
from core.pictures.drawing import draw_journey
from core.recommend.diversity import Term
from core.recommend.journey import drawn, journey, stops

TRACKS = 8
KEPT = 12
"""Pictures that stay in memory, about 0.15 MB each; others are drawn again when a page is turned."""

CHOICES = [app_commands.Choice(name=mood_label(name), value=name) for name in MOODS]


class JourneyCommands(Feature, name="Journey"):
    """Leads from one mood to another."""

    def __init__(self, bot: Moodstem) -> None:
        super().__init__(bot)
        self.pictures: Drawings[bytes] = Drawings(KEPT)

    @slash(description="Music that begins with how you feel and leads somewhere else, step by step.")
    @app_commands.describe(
        to="The mood to arrive at",
        start="How you feel now, if you would rather not answer questions",
        tracks="How many tracks (8 when not said)",
        minutes="How long it should take, in place of a number of tracks",
    )
    @app_commands.choices(to=CHOICES, start=CHOICES)
    async def journey(
        self,
        interaction: Interaction,
        to: str | None = None,
        start: str | None = None,
        tracks: app_commands.Range[int, 3, 40] | None = None,
        minutes: app_commands.Range[int, 5, 240] | None = None,
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.ask(interaction, to or "", start or "", tracks or TRACKS, minutes or 0)

    async def ask(self, interaction: Interaction, goal: str, start: str, count: int, minutes: int) -> None:
        """What is not known yet is asked for; then the way is chosen. The interaction is deferred already."""
        profile = await self.bot.moods.profile(interaction.user.id)
        if start in MOODS:
            profile = Profile({start: 1.0}, preferences=profile.preferences if profile else {})
        if profile is None or not any(profile.moods.values()):
            card = where_card("jr_from", (goal, count, minutes), known=False)
            await interaction.edit_original_response(view=card)
        elif goal not in MOODS:
            card = where_card("jr_to", (start, count, minutes), known=not start)
            await interaction.edit_original_response(view=card)
        else:
            question = JourneyQuestion(profile, goal, count, minutes or None, start or None)
            await self.answer(interaction, question)

    @on_press("jr_to")
    async def to_chosen(
        self, interaction: Interaction, start: str, count: int, minutes: int, goal: str
    ) -> None:
        await interaction.response.defer()
        await self.ask(interaction, goal, start, count, minutes)

    @on_press("jr_from")
    async def from_chosen(
        self, interaction: Interaction, goal: str, count: int, minutes: int, start: str
    ) -> None:
        await interaction.response.defer()
        await self.ask(interaction, goal, start, count, minutes)

    async def answer(
        self, interaction: Interaction, question: JourneyQuestion, without: frozenset[int] = frozenset()
    ) -> None:
        """Choose, keep and show; the picture follows some seconds later."""
        catalog = await self.bot.catalogs.of(interaction.guild_id)
        terms = await self.bot.tastes.terms(interaction.user.id, catalog)
        chosen, shown = await asyncio.to_thread(_chosen, catalog, question, without, terms)
        made = await self.bot.journeys.save(interaction.user.id, question, chosen, shown)
        await interaction.edit_original_response(view=journey_card(made, drawing=True), attachments=[])
        await self.show(interaction, made, 0)

    async def show(self, interaction: Interaction, made: Made, page: int) -> None:
        """With its picture, drawn in a process of its own; without it when it cannot be drawn."""
        try:
            start, goal = map(moods_text, made.ends)
            told, words = {**made.drawn, "ends": [start, goal]}, journey_words(start, goal)
            picture = await self.pictures.get(repr(told), lambda: draw_journey(told, words))
        except UserError:
            await interaction.edit_original_response(view=journey_card(made, page), attachments=[])
            return
        await interaction.edit_original_response(
            view=journey_card(made, page, picture=True), attachments=[attached(picture, PICTURE)]
        )

    @on_press("jr_page", consent=False)
    async def page(self, interaction: Interaction, journey_id: int, page: int) -> None:
        made = await self.bot.journeys.own(journey_id, interaction.user.id)
        await interaction.response.defer()
        await self.show(interaction, made, page)

    @on_press("jr_why", consent=False)
    async def why(self, interaction: Interaction, journey_id: int, place: int) -> None:
        made = await self.bot.journeys.own(journey_id, interaction.user.id)
        card = why_card(made, min(place, len(made.stops) - 1))
        await interaction.response.send_message(view=card, ephemeral=True)

    @on_press("jr_again")
    async def again(self, interaction: Interaction, journey_id: int) -> None:
        """The same question with other tracks, as a new answer."""
        made = await self.bot.journeys.own(journey_id, interaction.user.id)
        await interaction.response.defer(ephemeral=True, thinking=True)
        used = frozenset(stop.pick.track_id for stop in made.stops)
        await self.answer(interaction, made.question, used)

    @on_press("jr_save")
    async def save(self, interaction: Interaction, journey_id: int) -> None:
        """The way as a playlist, in its order."""
        made = await self.bot.journeys.own(journey_id, interaction.user.id)
        await interaction.response.defer(ephemeral=True, thinking=True)
        start, goal = map(moods_text, made.ends)
        wanted = tr("From {start} to {goal}", start=start, goal=goal)
        await save_as_playlist(interaction, wanted, [stop.pick.track_id for stop in made.stops])


def _chosen(
    catalog: Catalog, question: JourneyQuestion, without: frozenset[int], terms: Sequence[Term]
) -> tuple[list[Stop], dict[str, object]]:
    found = journey(
        catalog,
        question.start,
        Profile({question.goal: 1.0}),
        question.count,
        minutes=question.minutes,
        exclude=without,
        terms=terms,
    )
    return stops(found), drawn(catalog, found)
