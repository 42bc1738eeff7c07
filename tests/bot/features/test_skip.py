"""⏭ on recommended tracks: the next best moves up, and the skip counts from the next answer on."""

from __future__ import annotations

from typing import Any

from core.recommend.steer import possible
from tests.bot.conftest import World, calm_picks, press_ids, previews_ready, raw, walk, within_budget, words
from tests.refusals import refusal


def tracks(card: Any) -> list[int]:
    return [int(one.split(":")[2]) for one in press_ids(card, "play")]


def skips(card: Any) -> list[str]:
    """Values of the list under the picks that skip one."""
    options = [option for part in walk(raw(card)) for option in part.get("options") or []]
    return [option["value"] for option in options if option["value"].startswith("skip.")]


async def kinds(world: World, who: Any) -> dict[int, str]:
    return dict((await world.bot.tastes.opinions(who.id)).kinds)


async def test_a_skipped_pick_gives_way_to_the_next_and_counts_afterwards(world: World) -> None:
    card = await calm_picks(world, world.alice)
    before = tracks(card)
    assert skips(card) == [f"skip.{track}" for track in before]
    [custom_id] = [part["custom_id"] for part in walk(raw(card)) if part.get("type") == 3]
    await world.restart()
    await world.alice.select(card.message, [f"skip.{before[1]}"], custom_id=custom_id)
    within_budget(card)
    after = tracks(card)
    assert "**Skipped " in words(card) and len(after) == 5 and before[1] not in after
    assert len(set(after) - set(before)) == 1, "the others stay"
    assert await kinds(world, world.alice) == {before[1]: "skipped"}
    assert not await kinds(world, world.bob)
    await world.bot.database.write("UPDATE recommendation SET made_at = made_at - 5")
    why = (await world.alice.click(card.message, label="Why 5?")).response
    assert "can no longer be told" not in words(why), "the same question has the same answer"
    await world.alice.click(card.message, label="Undo")
    assert tracks(card) == before
    await calm_picks(world, world.alice)
    rows = await world.bot.database.fetch("SELECT tracks FROM recommendation ORDER BY id")
    assert "taste.sound" not in rows[1]["tracks"] and "taste.sound" in rows[2]["tracks"]


async def test_a_full_list_keeps_every_steer_and_leaves_out_skips(world: World) -> None:
    card = await calm_picks(world, world.alice)
    steers = set(possible(await world.bot.catalogs.of(world.channel.guild.id)))
    for name in ("livelier", "more_wistful", "faster", "more_vocals", "more_bass", "louder"):
        [custom_id] = [part["custom_id"] for part in walk(raw(card)) if part.get("type") == 3]
        await world.alice.select(card.message, [name], custom_id=custom_id)
    values = [option["value"] for part in walk(raw(card)) for option in part.get("options") or []]
    buttons = {one.split(":")[3] for one in press_ids(card, "rec_steer")}
    assert len(values) <= 25 and len(skips(card)) < 5
    assert steers - buttons <= set(values), "a steer stands nowhere else"


async def test_skip_beside_the_thumbs(world: World) -> None:
    card = await calm_picks(world, world.alice, count=12)
    await world.alice.click(card.message, custom_id=press_ids(card, "rec_page")[-1])
    why = (await world.alice.click(card.message, label="Why 7?")).response
    track = tracks(why)[0]
    await world.restart()
    await world.alice.click(why.message, label="Skip")
    within_budget(why)
    assert "**6. " in words(why) and track not in tracks(why) and "**Skipped " in words(why)
    again = (await world.alice.click(why.message, label="Why 6?")).response
    await world.alice.click(again.message, label="Skip")
    assert set(await kinds(world, world.alice)) >= {track} and len(await kinds(world, world.alice)) == 2
    made = await world.bot.recommendations.get(int(press_ids(again, "rec_more")[0].split(":")[2]))
    assert len(made.query.without) == 2 and not set(made.query.without) & {one.track_id for one in made.picks}


async def test_what_was_only_skipped_was_not_heard(world: World) -> None:
    card = await calm_picks(world, world.alice)
    why = (await world.alice.click(card.message, label="Why 1?")).response
    await world.alice.click(why.message, label="Skip")
    history = (await world.alice.slash(world.channel, "history", only="played")).response
    assert "Nothing yet" in words(history)


async def test_the_next_pick_under_a_preview(world: World) -> None:
    await previews_ready(world)
    card = await calm_picks(world, world.alice)
    shown = tracks(card)
    heard = (await world.alice.click(card.message, custom_id=f"ms:play:{shown[4]}")).response
    await world.restart()
    await world.alice.click(heard.message, label="Next")
    [first] = [one for one in (await world.bot.library.tracks()) if one.id == shown[0]]
    assert first.title in heard.content and heard.attachments
    assert await kinds(world, world.alice) == {shown[4]: "skipped", shown[0]: "played"}
    await world.bot.database.write("UPDATE play SET at = at - 25")
    await world.alice.click(heard.message, label="Next")
    assert (await kinds(world, world.alice))[shown[0]] == "played", "heard for a while is no skip"
    await world.alice.click(heard.message, custom_id=f"ms:rate:{shown[1]}:1")
    assert press_ids(heard, "rec_next"), "a thumb leaves the other buttons"


async def test_nobody_skips_anothers_picks(world: World) -> None:
    card = await calm_picks(world, world.alice)
    made = press_ids(card, "rec_more")[0].split(":")[2]
    shared = (await world.alice.click(card.message, label="Share")).response
    why = (await world.bob.click(shared.message, label="Why 1?")).response
    assert not press_ids(why, "rec_skip") and not skips(shared)
    track = await world.bot.library.get(tracks(card)[0])
    for action, last in (("rec_skip", track.id), ("rec_next", 1), ("rec_steer", f"skip.{track.id}")):
        interaction = _Press(world.bob.id)
        with refusal("somebody else's"):
            await world.bot.handle(interaction, action, (made, str(last)))
    assert not await kinds(world, world.bob) and not await kinds(world, world.alice)


class _Press:
    """As much of an interaction as a handler sees before it says no."""

    def __init__(self, user_id: int) -> None:
        self.user = type("User", (), {"id": user_id})
