"""Steering, aims and the quick path, as a member meets them: one tap, what it changed, undo, restart, other people."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np

from bot.features.mood.cards import profile_card
from bot.features.recommend.cards import picks_card
from core.library.recommendations import Recommended
from core.moods.profile import Profile
from core.recommend.steer import MOST_EACH, steers
from tests.bot.conftest import World, labels, press_ids, walk, within_budget, words
from tests.bot.features.test_recommend import picks, with_mood


def made_id(card: Any) -> int:
    return int(press_ids(card, "rec_more")[0].split(":")[2])


async def stored(world: World, card: Any) -> Recommended:
    found: Recommended = await world.bot.recommendations.get(made_id(card))
    return found


async def shown(world: World, card: Any) -> list[int]:
    return [pick.track_id for pick in (await stored(world, card)).picks]


def list_id(card: Any, action: str) -> str:
    [found] = [
        part["custom_id"] for part in walk(raw(card)) if part.get("custom_id", "").startswith(f"mc:{action}:")
    ]
    return str(found)


def raw(card: Any) -> list[dict[str, Any]]:
    return [part if isinstance(part, dict) else part.to_dict() for part in card.components]


def options(card: Any) -> dict[str, str]:
    return {
        option["value"]: option["label"] for part in walk(raw(card)) for option in part.get("options", ())
    }


async def press(world: World, card: Any, label: str) -> None:
    """Press a button that changes the card it is on."""
    pressed = await world.alice.click(card.message, label=label)
    assert pressed.acknowledged
    within_budget(card)


async def choose(world: World, card: Any, value: str, action: str = "rec_steer") -> Any:
    chosen = await world.alice.select(card.message, [value], custom_id=list_id(card, action))
    assert chosen.acknowledged
    return chosen.response


async def mean(world: World, ids: list[int], feature: str) -> float:
    catalog = await world.bot.catalogs.of(world.channel.guild.id)
    return float(np.nanmean([catalog.values(feature)[catalog.index(track)] for track in ids]))


async def test_one_tap_changes_the_picks_and_says_what(world: World) -> None:
    await with_mood(world, joyful_activation=1.0, power=0.5)
    card = await picks(world)
    before = await shown(world, card)
    await press(world, card, "Calmer")
    after = await shown(world, card)
    said = words(card)
    assert "steered: calmer" in said and "**Calmer:**" in said
    assert "less drums" in said and f"{len(set(after) - set(before))} of 5" in said
    loud = [await mean(world, ids, "mix.loudness") for ids in (before, after)]
    beats = [await mean(world, ids, "mix.tempo") for ids in (before, after)]
    named = re.search(r"slower \((\d+) → (\d+) BPM\)", said)
    assert named is None or [round(beat) for beat in beats] == [int(named[1]), int(named[2])]
    assert (named or "softer" in said) and loud[1] < loud[0]
    assert await mean(world, after, "drums.level_db") < await mean(world, before, "drums.level_db")
    assert any(
        reason.steer == "calmer" for pick in (await stored(world, card)).picks for reason in pick.reasons
    )


async def test_steers_add_up_and_every_step_can_be_undone(world: World) -> None:
    await with_mood(world, nostalgia=1.0, tenderness=0.5)
    card = await picks(world)
    first, first_ids = words(card), await shown(world, card)
    assert "Undo" not in labels(card)
    await press(world, card, "Less vocals")
    second = words(card)
    await choose(world, card, "faster")
    assert "steered: less vocals, faster" in words(card)
    assert (await stored(world, card)).query.steers == ("less_vocals", "faster")
    assert await mean(world, await shown(world, card), "mix.tempo") > await mean(
        world, first_ids, "mix.tempo"
    )
    await press(world, card, "Undo")
    assert words(card) == second
    await press(world, card, "Undo")
    assert words(card) == first and "Undo" not in labels(card)


async def test_any_steer_can_be_taken_back_and_its_opposite_does_so_too(world: World) -> None:
    await with_mood(world, wonder=1.0)
    card = await picks(world)
    first = await shown(world, card)
    await press(world, card, "Calmer")
    await press(world, card, "Less vocals")
    assert options(card)["back.calmer"] == "Take back: calmer"
    await choose(world, card, "back.calmer")
    assert "**Calmer taken back:**" in words(card) and "steered: less vocals" in words(card)
    await choose(world, card, "more_vocals")
    assert "steered" not in words(card) and await shown(world, card) == first


async def test_steering_survives_a_restart(world: World) -> None:
    await with_mood(world, sadness=1.0)
    card = await picks(world, occasion="study")
    await press(world, card, "Happier")
    once = words(card)
    await world.restart()
    await press(world, card, "Happier")
    assert "steered: happier ×2" in words(card)
    await world.restart()
    await press(world, card, "Undo")
    assert words(card) == once
    await choose(world, card, "more_guitar")
    assert "steered: happier, more guitar" in words(card)


async def test_a_steer_has_an_end(world: World) -> None:
    await with_mood(world, peacefulness=1.0)
    card = await picks(world)
    for _ in range(MOST_EACH):
        await press(world, card, "Calmer")
    before = words(card)
    refused = await world.alice.click(card.message, label="Calmer")
    assert "as strong as it gets" in "".join(words(message) for message in refused.followups)
    assert words(card) == before


async def test_surprises_differ_and_are_kept(world: World) -> None:
    await with_mood(world, transcendence=1.0)
    card = await picks(world)
    first = await shown(world, card)
    await press(world, card, "Surprise me")
    one = await stored(world, card)
    assert one.query.seed and await shown(world, card) != first
    assert all("surprise" in pick.parts for pick in one.picks)
    await press(world, card, "Surprise me")
    two = await stored(world, card)
    assert two.query.steers == ("surprise",) and two.query.seed != one.query.seed
    await press(world, card, "Calmer")
    assert (await stored(world, card)).query.seed == two.query.seed
    await world.restart()
    why = await world.alice.click(card.message, label="Why 3?")
    assert why.response is not None
    assert "What would rank higher" in words(why.response) and "have changed" not in words(why.response)


async def test_nobody_presses_another_members_buttons(world: World) -> None:
    await with_mood(world, power=1.0)
    card = await picks(world)
    made = await stored(world, card)
    await world.alice.click(card.message, label="Calmer")
    # Discord shows a private card to nobody else; here it stands in the channel.
    child = await world.bot.recommendations.get(made.id + 1)
    public = await world.bot.get_channel(world.channel.id).send(view=picks_card(child, steers=steers()))
    before = await world.bot.database.fetch("SELECT count(*) AS n FROM recommendation")
    for label in ("Calmer", "Undo", "Other picks", "Share", "Surprise me"):
        refused = await world.bob.click(public, label=label)
        assert refused.ephemeral and "somebody else's" in words(refused.response)
    after = await world.bot.database.fetch("SELECT count(*) AS n FROM recommendation")
    assert before[0]["n"] == after[0]["n"]


async def test_why_names_numbers_for_against_and_what_would_rank_higher(world: World) -> None:
    await with_mood(world, sadness=1.0, peacefulness=0.4)
    card = await picks(world, occasion="sleep", count=5)
    for place in range(1, 6):
        why = await world.alice.click(card.message, label=f"Why {place}?")
        assert why.response is not None and why.ephemeral
        within_budget(why.response)
        said = words(why.response)
        pro, _, rest = said.partition("**What speaks for it**")[2].partition("**What would rank higher**")
        assert pro.partition("**What speaks against")[0].count("\n**+0.") == 3
        assert any(character.isdigit() for character in pro.split("\n")[1])
        assert ("ranks above it" if place > 1 else "The next") in rest and " = +" in said
    shared = await world.alice.click(card.message, label="Share")
    assert shared.response is not None
    asked = await world.bob.click(shared.response.message, label="Why 2?")
    assert asked.ephemeral and asked.response is not None
    assert "What would rank higher" in words(asked.response) and " = +" not in words(asked.response)


async def test_why_says_when_the_library_has_changed(world: World) -> None:
    await with_mood(world, sadness=1.0)
    card = await picks(world)
    [top, *_] = await shown(world, card)
    await world.bot.database.write("DELETE FROM track WHERE id=?", (top,))
    await world.bot.database.write(
        "INSERT INTO track (content_hash, path, origin, title, duration_s) VALUES ('x','x','sample','x',1)"
    )
    why = await world.alice.click(card.message, label="Why 2?")
    assert why.response is not None and "have changed since" in words(why.response)
    assert "What speaks for it" in words(why.response)


async def test_match_lift_or_settle_after_the_questions(world: World) -> None:
    found = Profile({"sadness": 0.9, "tension": 0.5, "peacefulness": 0.1})
    await world.bot.moods.finish(world.alice.id, found)
    message = await world.bot.get_channel(world.channel.id).send(view=profile_card(found))
    await world.restart()
    await world.alice.click(message, label="Lift my mood")
    lifted = await world.alice.click(message, label="No occasion")
    assert lifted.response is not None and "from sad and tense towards joyful" in words(lifted.response)
    await world.alice.click(message, label="Match my mood")
    matched = await world.alice.click(message, label="No occasion")
    assert "towards joyful" not in words(matched.response)
    ids = [await shown(world, card.response) for card in (lifted, matched)]
    assert await mean(world, ids[0], "mix.majorness") > await mean(world, ids[1], "mix.majorness")
    slept = await choose(
        world, SimpleNamespace(message=message, components=message.components), "sleep", "recommend_for"
    )
    assert "Music for sleep" in words(slept)
    await choose(world, lifted.response, "aim.settle")
    assert "**Settle me:**" in words(lifted.response) and "towards calm" in words(lifted.response)


async def test_the_quick_path_asks_nothing(world: World) -> None:
    card = await picks(world, mood="sadness", occasion="study", aim="lift", count=3)
    said = words(card)
    assert "Music for study · sad" in said and "from sad towards joyful" in said and "**3. " in said
    by_occasion = words(await picks(world, occasion="workout"))
    assert "Music for workout" in by_occasion and "Answer `/mood`" in by_occasion
    asked = await picks(world, aim="settle")
    assert "don't know your mood" in words(asked)
    answered = await choose(world, asked, "tension", "recommend_mood")
    assert "from tense towards calm" in words(answered)
    refused = await world.alice.slash(world.channel, "recommend", occasion="sleep", aim="lift")
    assert "I must know where you start" in words(refused.response)


async def test_asking_again_brings_something_fresh(world: World) -> None:
    await with_mood(world, tenderness=1.0)
    first = await shown(world, await picks(world))
    again = await stored(world, await picks(world))
    assert len(set(first) & {pick.track_id for pick in again.picks}) <= 2
    await world.bot.database.write("UPDATE recommendation SET made_at = made_at - 8 * 86400")
    assert await shown(world, await picks(world)) == first
