"""👍 and 👎 as members use them: in the next answer, after a restart, taken back, each one's own."""

from __future__ import annotations

from typing import Any

from tests.bot.conftest import World, calm_picks, labels, press_ids, within_budget, words


def first(card: Any) -> str:
    return press_ids(card, "play")[0].split(":")[2]


async def test_a_no_counts_in_the_next_answer_and_after_a_restart(world: World) -> None:
    card = await calm_picks(world, world.alice, count=5)
    disliked = first(card)
    why = (await world.alice.click(card.message, label="Why 1?")).response
    within_budget(why)
    said = await world.alice.click(why.message, custom_id=f"ms:rate:{disliked}:0")
    assert said.ephemeral and "won't come up again" in words(said.response)
    await world.restart()
    await world.bot.database.write("DELETE FROM recommendation")  # no freshness: taste alone
    again = await calm_picks(world, world.alice, count=5)
    assert disliked not in [one.split(":")[2] for one in press_ids(again, "play")]
    bobs = await calm_picks(world, world.bob, count=5)
    assert first(bobs) == disliked  # one's opinions are one's own


async def test_a_like_under_the_preview_and_taken_back(world: World) -> None:
    card = await calm_picks(world, world.alice, count=5)
    track = int(first(card))
    heard = await world.alice.click(card.message, custom_id=press_ids(card, "play")[0])
    feedback = world.bot.feedback
    await world.alice.click(heard.response.message, custom_id=f"ms:rate:{track}:1")
    assert await feedback.said(world.alice.id, track) is True
    why = (await world.alice.click(card.message, label="Why 1?")).response
    assert "Why" in words(why)
    await world.alice.click(heard.response.message, custom_id=f"ms:rate:{track}:1")
    assert await feedback.said(world.alice.id, track) is None


async def test_taste_is_named_among_the_reasons(world: World) -> None:
    card = await calm_picks(world, world.alice, count=5)
    liked = press_ids(card, "play")[4].split(":")[2]
    await world.bot.feedback.say(world.alice.id, int(liked), True)
    await world.bot.database.write("DELETE FROM recommendation")
    await world.bot.database.write("UPDATE feedback SET at = at - 10")
    again = await calm_picks(world, world.alice, count=5)
    [row] = await world.bot.database.fetch("SELECT tracks FROM recommendation")
    assert "taste.sound" in row["tracks"] and again is not None


async def test_less_like_this_gives_other_picks_that_know_the_no(world: World) -> None:
    card = await calm_picks(world, world.alice, count=5)
    disliked = first(card)
    before = {one.split(":")[2] for one in press_ids(card, "play")}
    why = (await world.alice.click(card.message, label="Why 1?")).response
    shared = await world.alice.click(card.message, label="Share")
    others = (await world.bob.click(shared.response.message, label="Why 1?")).response
    assert "Less like this" in labels(why) and "Less like this" not in labels(others)
    await world.restart()
    await world.alice.click(why.message, label="Less like this")
    within_budget(why)
    after = [one.split(":")[2] for one in press_ids(why, "play")]
    assert "**Less like " in words(why) and "new" in words(why)
    assert disliked not in after and set(after) != before and len(after) == 5
    assert await world.bot.feedback.said(world.alice.id, int(disliked)) is False
    reasons = (await world.alice.click(why.message, label="Why 1?")).response
    assert "can no longer be told" not in words(reasons), "the same question has the same answer"
    await world.alice.click(why.message, label="Undo")
    assert first(why) == disliked
