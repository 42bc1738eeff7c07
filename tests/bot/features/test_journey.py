"""/journey as a member uses it: chosen by lists, drawn, explained, turned, saved, and each one's own."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from bot.service.member_data import erase_member
from core.library.members import export_member
from core.moods.profile import Profile
from tests.bot.conftest import World, press_ids, raw, walk, within_budget, words
from tests.bot.features.test_similar import choose
from tests.refusals import refusal

pytestmark = pytest.mark.usefixtures("drawn_here")


async def asked(world: World, **options: Any) -> Any:
    shown = await world.alice.slash(world.channel, "journey", **options)
    assert shown.response is not None and shown.ephemeral
    within_budget(shown.response)
    return shown.response


async def test_both_moods_by_choice_and_the_way_is_drawn(world: World) -> None:
    card = await asked(world)
    assert "begins where you are" in words(card)
    await world.alice.select(card.message, ["sadness"], custom_id=choose(card, "jr_from"))
    assert "Where should the music lead you?" in words(card)
    await world.restart()
    await world.alice.select(card.message, ["joyful_activation"], custom_id=choose(card, "jr_to"))
    within_budget(card)
    text = words(card)
    assert (
        "From sad to joyful" in text
        and "8 tracks" in text
        and "% of the way" in text
        and "being drawn" not in text
    )
    [picture] = card.attachments
    with Image.open(io.BytesIO(await picture.read())) as image:
        assert image.size == (1000, 1300)
    [gallery] = [part for part in walk(raw(card)) if part.get("type") == 12]
    assert "The way from sad to joyful" in gallery["items"][0]["description"]
    [row] = await world.bot.database.fetch("SELECT steps FROM journey")
    assert row["steps"].count("track_id") == 8


async def test_from_the_profile_by_minutes_with_pages_and_reasons(world: World) -> None:
    await world.bot.moods.finish(world.alice.id, Profile({"tension": 1.0}))
    card = await asked(world, to="peacefulness", minutes=5)
    assert "From tense to calm" in words(card)
    first = press_ids(card, "play")
    await world.alice.click(card.message, custom_id=press_ids(card, "jr_page")[-1])
    within_budget(card)
    assert press_ids(card, "play") != first and card.attachments
    await world.restart()
    why = await world.alice.click(card.message, custom_id=press_ids(card, "jr_why")[0])
    within_budget(why.response)
    assert "Why " in words(why.response) and "of the way" in words(why.response) and why.ephemeral


async def test_saved_as_a_playlist_in_its_order(world: World) -> None:
    card = await asked(world, start="power", to="tenderness", tracks=5)
    saved = await world.alice.click(card.message, label="Save")
    assert "From powerful to tender" in words(saved.response)
    tracks = [int(one.split(":")[2]) for one in press_ids(card, "play")]
    rows = await world.bot.database.fetch("SELECT track_id FROM playlist_entry ORDER BY position")
    assert [row["track_id"] for row in rows] == tracks


async def test_another_way_has_other_tracks(world: World) -> None:
    card = await asked(world, start="power", to="tenderness", tracks=5)
    other = await world.alice.click(card.message, label="Another way")
    assert not set(press_ids(card, "play")) & set(press_ids(other.response, "play"))


async def test_nobody_elses_and_nothing_stays_after_erasing(world: World) -> None:
    card = await asked(world, start="power", to="tenderness")
    assert "there already" in words(await asked(world, start="power", to="power"))
    journeys = world.bot.journeys
    [row] = await world.bot.database.fetch("SELECT id FROM journey")
    with refusal("somebody else's"):
        await journeys.own(row["id"], world.bob.id)
    assert len((await export_member(world.bot.database, world.alice.id))["journey"]) == 1
    await erase_member(world.bot.database, world.settings.data, world.alice.id)
    gone = await world.alice.click(card.message, custom_id=press_ids(card, "jr_why")[0])
    assert "no longer kept" in words(gone.response)
