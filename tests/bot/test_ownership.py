"""An upload belongs to those who uploaded it for as long as it is there; no card, job or id gives anybody another one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.router import Press
from bot.widgets import Card, row
from core.folders import DataFolder
from core.library.members import erase_rows
from core.library.schema import open_database
from core.library.tracks import Library, find_upload, put_track, set_upload_guild
from core.library.uploads import claim
from jobs.runner import Runner
from tests.bot.conftest import World, press_ids, raw, tick, walk, words
from tests.bot.test_servers import Elsewhere, elsewhere, newest, said, uploaded  # noqa: F401
from tests.make import plucked


async def test_old_cards_give_nothing_of_what_others_upload_later(
    world: World,
    runner: Runner,
    elsewhere: Elsewhere,  # noqa: F811
) -> None:
    """Alice uploads a bait and removes it; whatever she presses on its cards, Mallory's next upload stays Mallory's."""
    card = await uploaded(world, runner, world.alice, world.channel, "bait.wav", hz=300)
    bait = await newest(world, world.alice.id)
    buttons = [part["custom_id"] for part in walk(raw(card)) if part.get("custom_id")]
    assert len(buttons) > 3
    await world.alice.click(card, custom_id=press_ids(card, "upload_remove")[0])
    await uploaded(world, runner, elsewhere.mallory, elsewhere.channel, "mallorys-private-demo.wav", hz=520)
    theirs = await newest(world, elsewhere.user.id)
    assert theirs > bait
    for action, *arguments in (button.split(":")[1:] for button in buttons):
        shown = await press_anew(world, action, *arguments)
        assert "mallory" not in said(shown), action
    offered = await world.alice.autocomplete(world.channel, "similar", "track", "")
    assert "mallory" not in str(offered)
    kept = await world.bot.library.get(theirs)
    assert kept is not None and (world.settings.data / kept.path).is_file()


async def press_anew(world: World, action: str, *arguments: str) -> Any:
    """Press a button of a card that Discord did not change: on a screen that was open, or as another program sends it."""
    channel: Any = world.bot.get_channel(world.channel.id)
    button = Press(action, *arguments, label="x")
    await channel.send(view=Card(row(button)))
    return await world.alice.click(world.channel.last_message, custom_id=button.custom_id)


async def test_removing_takes_ones_own_claim_only(world: World, runner: Runner) -> None:
    """Alice and Bob uploaded the same bytes: one track, two owners, and a title of whoever is left."""
    song = plucked(hz=310)
    await world.alice.slash(world.channel, "upload", track=("alice-surname-diary.wav", song))
    await runner.run_one()
    await tick(world)
    hers = world.channel.last_message
    await world.bob.slash(world.channel, "upload", track=("bobs-copy.wav", song))
    await runner.run_one()
    await tick(world)
    his = world.channel.last_message
    track = await newest(world, world.alice.id)
    assert track == await newest(world, world.bob.id)
    shown = await world.alice.click(hers, custom_id=press_ids(hers, "upload_remove")[0])
    assert "theirs stays" in words(shown.response or hers)
    kept = await world.bot.library.get(track)
    assert kept is not None and "diary" not in kept.title and "bobs" in kept.title
    assert (world.settings.data / kept.path).is_file()
    refused = (
        await world.alice.click(hers, custom_id=press_ids(hers, "job_refresh")[0])
        if press_ids(hers, "job_refresh")
        else None
    )
    assert refused is None or "removed" in said(refused)
    await world.bob.click(his, custom_id=press_ids(his, "upload_remove")[0])
    assert await world.bot.library.get(track) is None
    assert not (world.settings.data / kept.path).is_file()


USERS, GUILDS, RECORDINGS = (
    st.sampled_from([1, 2, 3]),
    st.sampled_from([10, 20, None]),
    st.sampled_from("abc"),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("upload"), USERS, GUILDS, RECORDINGS),
        st.tuples(st.just("remove"), USERS, st.integers(0, 20)),
        st.tuples(st.just("erase"), USERS),
        st.tuples(st.just("restart")),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore")
def test_any_order_of_uploads_and_removals_keeps_claims_apart(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    """Against a model: who holds a claim on which track; ids never come back; nobody sees what is not theirs."""
    import asyncio

    asyncio.run(_follow(tmp_path_factory.mktemp("claims"), steps))


async def _follow(folder: Any, steps: list[tuple[Any, ...]]) -> None:
    owners: dict[int, set[int]] = {}  # of each track that is there
    places: dict[tuple[Any, ...], int] = {}
    ever: list[int] = []
    opened = await open_database(folder / "moodstem.db")
    for step in steps:
        library = Library(opened)
        match step:
            case ("upload", user, guild, recording):
                digest = recording * 64
                async with opened.transaction() as transaction:
                    known, name = await find_upload(transaction.run, digest, guild, user)
                    if known is None:
                        made = await put_track(
                            transaction, name, "uploads/x", "upload", recording, None, None, 1.0
                        )
                        await set_upload_guild(transaction, made, guild, digest)
                    else:
                        made = known.id
                    await claim(transaction.run, made, user, f"{recording}.wav")
                key = (guild if guild is not None else f"dm{user}", recording)
                if key in places:
                    assert places[key] == made
                else:
                    assert made not in ever, "an id came back"
                    places[key], owners[made] = made, set()
                    ever.append(made)
                owners[made].add(user)
            case ("remove", user, which) if ever:
                track = ever[which % len(ever)]
                if user in owners.get(track, set()):
                    gone = await library.disclaim(track, user)
                    owners[track].discard(user)
                    assert gone == (not owners[track])
            case ("erase", user):
                await erase_rows(opened, DataFolder(folder), user, [])
                for claims in owners.values():
                    claims.discard(user)
            case ("restart",):
                await opened.close()
                opened = await open_database(folder / "moodstem.db")
                library = Library(opened)
        for track in [track for track, claims in owners.items() if not claims]:
            del owners[track]
            places = {key: one for key, one in places.items() if one != track}
        for track in ever:
            assert (await library.get(track) is not None) == (track in owners)
            for user in (1, 2, 3):
                found = await library.result_of_upload(track, user)
                assert (found is not None) == (user in owners.get(track, set()))
    await opened.close()
