"""What was stored for a member in one language is read in another: the same cards, opened again after /language."""

from __future__ import annotations

from typing import Any

import pytest

from bot.words.changes import change_text, change_title
from bot.words.reasons import reason_text
from core.errors import Refusal, fact
from core.spoken import LANGUAGES, speaking
from tests.bot.conftest import World, press_ids, upload, words
from tests.make import plucked

ENDS = {
    "en": ("Something went wrong inside Moodstem. It failed 3 times and was set aside.", "lasts only 0.25 s"),
    "de": ("3-mal fehlgeschlagen und wurde beiseitegelegt.", "0,25 s"),
    "es": ("Falló 3 veces y quedó apartado.", "0,25 s"),
}


async def in_each_language(world: World, message: Any, custom_id: str) -> dict[str, str]:
    """What the answer to the same button says after each change of the member's language."""
    said = {}
    for language in LANGUAGES:
        await world.alice.slash(world.channel, "language", language=language)
        pressed = await world.alice.click(message, custom_id=custom_id)
        said[language] = words(pressed.response if pressed.response is not None else message)
    return said


async def end(world: World, error: dict[str, Any], code: str, times: int) -> None:
    for _ in range(times):
        await world.bot.database.write("UPDATE job SET run_at = 0 WHERE state = 'queued'")
        claimed = await world.bot.queue.claim("me", 60.0)
        assert claimed is not None
        await world.bot.queue.fail(claimed, error, code=code, permanent=code == "input")


@pytest.mark.parametrize("which", [0, 1], ids=["failed after attempts", "refused upload"])
async def test_the_end_of_a_job(world: World, which: int) -> None:
    await upload(world, "song.wav", plucked())
    if which == 0:
        await end(world, fact("bug"), "bug", 3)
    else:
        await end(world, Refusal("recording-too-short", number=0.25, minutes=10.0).fact, "input", 1)
    listed = (await world.alice.slash(world.channel, "jobs")).response
    said = await in_each_language(world, listed.message, press_ids(listed, "job_show")[0])
    assert len(set(said.values())) == 3
    for language, ends in ENDS.items():
        assert ends[which] in said[language], said[language]


async def test_a_steer_and_its_reasons(world: World) -> None:
    card = (await world.alice.slash(world.channel, "recommend", mood="power", count=10)).response
    await world.alice.click(card.message, label="Calmer")
    made = await world.bot.recommendations.get(int(press_ids(card, "rec_more")[0].split(":")[2]))
    assert made.changed is not None
    said = await in_each_language(world, card.message, press_ids(card, "rec_why")[0])
    for language in LANGUAGES:
        with speaking(language):
            told = [reason_text(reason) for reason in made.picks[0].reasons]
            assert f"{change_title(made.changed)}" and change_text(made.changed)
        assert any(one in said[language] for one in told), said[language]
    for language in LANGUAGES:
        await world.alice.slash(world.channel, "language", language=language)
        await world.alice.click(card.message, custom_id=press_ids(card, "rec_page")[-1])
        with speaking(language):
            changed = f"**{change_title(made.changed)}:** {change_text(made.changed)}"
        assert changed in words(card), words(card)


async def test_a_track_with_a_colon_in_its_title_is_skipped_by_its_name(world: World) -> None:
    card = (await world.alice.slash(world.channel, "recommend", mood="power")).response
    made = await world.bot.recommendations.get(int(press_ids(card, "rec_more")[0].split(":")[2]))
    track = made.picks[0].track_id
    await world.bot.database.write(
        "UPDATE recommendation SET tracks = json_set(tracks, '$[0].title', 'Suite: Air') WHERE id = ?",
        (made.id,),
    )
    await world.alice.select(card.message, [f"skip.{track}"], custom_id=f"mc:rec_steer:{made.id}")
    assert "**Skipped Suite: Air:**" in words(card)


@pytest.mark.usefixtures("drawn_here")
async def test_a_journey(world: World) -> None:
    shown = await world.alice.slash(world.channel, "journey", start="power", to="tenderness", tracks=6)
    card = shown.response
    why = press_ids(card, "jr_why")[1]
    said = await in_each_language(world, card.message, why)
    assert len(set(said.values())) == 3
    for language in LANGUAGES:
        await world.alice.slash(world.channel, "language", language=language)
        await world.alice.click(card.message, custom_id=press_ids(card, "jr_page")[-1])
        said[language] += words(card)
    for language, way in {"en": "From powerful to tender", "de": "Von", "es": "De"}.items():
        assert way in said[language]
        with speaking(language):
            made = await world.bot.journeys.own(int(why.split(":")[2]), world.alice.id)
            told = [reason_text(reason) for stop in made.stops for reason in stop.pick.reasons]
        assert any(one in said[language] for one in told), said[language]
