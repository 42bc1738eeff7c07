"""/recommend as a member uses it: picks, reasons, previews, other picks, sharing."""

from __future__ import annotations

import io

import soundfile

from core.moods.profile import Profile
from tests.bot.conftest import World, labels, picks, press_ids, within_budget, words


async def with_mood(world: World, **moods: float) -> None:
    await world.bot.moods.finish(world.alice.id, Profile(moods))


async def test_without_a_mood_it_offers_to_ask(world: World) -> None:
    card = await picks(world)
    assert "don't know your mood" in words(card)
    await world.alice.click(card.message, label="Ask me")
    assert "Question 1 of" in words(card)


async def test_picks_have_reasons_with_numbers_and_a_preview(world: World) -> None:
    await with_mood(world, peacefulness=1.0)
    card = await picks(world, occasion="relaxation", count=5)
    text = words(card)
    assert all(f"**{place}. " in text for place in range(1, 6))
    assert text.count("> ") >= 5 and any(character.isdigit() for character in text.split("> ")[1])
    heard = await world.alice.click(card.message, custom_id=press_ids(card, "play")[0])
    assert heard.response is not None and heard.ephemeral
    [sound] = heard.response.attachments
    data, rate = soundfile.read(io.BytesIO(await sound.read()))
    assert rate == 44100 and 20 < len(data) / rate <= 30.1 and abs(data).max() > 0.01


async def test_moods_give_different_answers(world: World) -> None:
    await with_mood(world, peacefulness=1.0)
    calm = press_ids(await picks(world, occasion="relaxation"), "play")
    await with_mood(world, power=1.0)
    strong = press_ids(await picks(world, occasion="workout"), "play")
    assert len(calm) == len(strong) == 5 and len(set(calm) & set(strong)) <= 1


async def test_why_gives_reasons_for_and_against_with_citations(world: World) -> None:
    await with_mood(world, sadness=1.0)
    card = await picks(world)
    why = await world.alice.click(card.message, label="Why 1?")
    assert why.response is not None and why.ephemeral
    within_budget(why.response)
    assert "What speaks for it" in words(why.response) and "After " in words(why.response)


async def test_pages(world: World) -> None:
    await with_mood(world, wonder=1.0)
    card = await picks(world, count=12)
    assert "**1. " in words(card) and "**6. " not in words(card)
    for first in (6, 11, 1):
        await world.alice.click(card.message, custom_id=press_ids(card, "rec_page")[-1])
        within_budget(card)
        assert f"**{first}. " in words(card)


async def test_other_picks_repeat_nothing_until_all_were_shown(world: World) -> None:
    await with_mood(world, tenderness=1.0)
    seen: list[str] = []
    card = await picks(world, count=10)
    for _ in range(10):
        shown = press_ids(card, "play")
        recommendation = int(press_ids(card, "rec_more")[0].split(":")[2])
        stored = await world.bot.recommendations.get(recommendation)
        ids = [pick.track_id for pick in stored.picks]
        assert not set(ids) & set(seen) and shown
        seen += ids
        answer = await world.alice.click(card.message, label="Other picks")
        assert answer.response is not None
        card = answer.response
        if "That was everything" in words(card):
            break
    assert len(seen) == (await world.bot.library.counts())["total"]
    again = await world.alice.click(card.message, label="Begin again")
    assert again.response is not None and "**1. " in words(again.response)


async def test_share_posts_for_everyone_without_the_mood(world: World) -> None:
    await with_mood(world, sadness=1.0)
    card = await picks(world)
    shared = await world.alice.click(card.message, label="Share")
    assert shared.response is not None and not shared.ephemeral
    assert "Picked to share" in words(shared.response) and "sad" not in words(shared.response).split("\n")[1]
    assert "Other picks" not in labels(shared.response)
    heard = await world.bob.click(shared.response.message, custom_id=press_ids(shared.response, "play")[0])
    assert heard.ephemeral and heard.response is not None and heard.response.attachments


async def test_buttons_work_after_a_restart(world: World) -> None:
    await with_mood(world, nostalgia=1.0)
    card = await picks(world)
    await world.restart()
    why = await world.alice.click(card.message, label="Why 2?")
    assert why.response is not None and "What speaks for it" in words(why.response)
    more = await world.alice.click(why.response.message, label="More like this")
    assert more.response is not None and "Sounds like" in words(more.response)
    within_budget(more.response)


async def test_picks_that_are_gone_say_so(world: World) -> None:
    await with_mood(world, power=1.0)
    card = await picks(world)
    await world.bot.moods.forget(world.alice.id)
    shown = await world.alice.click(card.message, label="Why 1?")
    assert shown.response is not None and "no longer kept" in words(shown.response)
