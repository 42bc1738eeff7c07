"""/party as several members use it: joining, the playlist, its reasons, restarts, strangers, forgetting."""

from __future__ import annotations

import re
from typing import Any

from bot.service.member_data import erase_member
from bot.words.reasons import reason_text
from core.library.consent import agree
from core.moods.profile import Profile
from tests.bot.conftest import World, labels, press_ids, within_budget, words


async def moods(world: World, **profiles: dict[str, float]) -> None:
    for name, wish in profiles.items():
        await world.bot.moods.finish(getattr(world, name).id, Profile(wish))


async def opened(world: World, **options: Any) -> Any:
    shown = await world.alice.slash(world.channel, "party", **options)
    assert shown.response is not None and not shown.ephemeral
    within_budget(shown.response)
    return shown.response


async def test_two_join_and_both_are_served(world: World) -> None:
    await moods(world, alice={"peacefulness": 1.0}, bob={"power": 1.0})
    card = await opened(world, occasion="party", count=12)
    assert f"<@{world.alice.id}>" in words(card)
    await world.bob.click(card.message, label="Join")
    assert f"<@{world.alice.id}>, <@{world.bob.id}>" in words(card)
    await world.alice.click(card.message, label="Make the playlist")
    within_budget(card)
    text = words(card)
    assert "Our playlist" in text and "**1. " in text and "**6. " not in text and text.count("%") >= 2
    await world.bob.click(card.message, custom_id=press_ids(card, "party_page")[0])
    within_budget(card)
    assert "**6. " in words(card)
    why = await world.bob.click(card.message, label="Why 6?")
    assert why.ephemeral and all(f"<@{one.id}>" in words(why.response) for one in (world.alice, world.bob))
    within_budget(why.response)
    heard = await world.bob.click(card.message, custom_id=press_ids(card, "play")[0])
    assert heard.ephemeral and heard.response.attachments


async def test_who_has_no_mood_yet_is_asked_first(world: World) -> None:
    card = await opened(world)
    assert "nobody yet" in words(card) and "Make the playlist" not in labels(card)
    asked = await world.bob.click(card.message, label="Join")
    assert asked.ephemeral and "don't know your mood" in words(asked.response)
    await moods(world, bob={"sadness": 1.0})
    await world.bob.click(card.message, label="Join")
    assert f"<@{world.bob.id}>" in words(card)
    again = await world.bob.click(card.message, label="Join")
    assert again.ephemeral and "in already" in words(again.response)
    await world.bob.click(card.message, label="Leave")
    assert "nobody yet" in words(card)
    out = await world.bob.click(card.message, label="Leave")
    assert out.ephemeral and "not in this one" in words(out.response)


async def test_only_the_host_or_who_manages_makes_it(world: World) -> None:
    await moods(world, alice={"wonder": 1.0})
    card = await opened(world, count=5)
    refused = await world.bob.click(card.message, label="Make the playlist")
    assert refused.ephemeral and "Only the person who started this" in words(refused.response)
    await world.admin.click(card.message, label="Make the playlist")
    assert "Our playlist" in words(card)


async def test_it_survives_a_restart_and_can_be_made_again(world: World) -> None:
    await moods(world, alice={"tenderness": 1.0}, bob={"joyful_activation": 1.0})
    card = await opened(world, count=5)
    await world.restart()
    await world.bob.click(card.message, label="Join")
    await world.alice.click(card.message, label="Make the playlist")
    first = press_ids(card, "play")
    await world.bob.click(card.message, label="Leave")
    await world.restart()
    await world.alice.click(card.message, label="Make it again")
    assert press_ids(card, "play") != first and f"<@{world.bob.id}>" not in words(card)


async def test_what_is_erased_leaves_the_card(world: World) -> None:
    await moods(world, alice={"nostalgia": 1.0}, bob={"tension": 1.0})
    card = await opened(world, count=5)
    await world.bob.click(card.message, label="Join")
    await world.alice.click(card.message, label="Make the playlist")
    await erase_member(world.bot.database, world.settings.data, world.bob.id)
    why = await world.alice.click(card.message, label="Why 1?")
    assert f"<@{world.bob.id}>" not in words(why.response)
    await erase_member(world.bot.database, world.settings.data, world.alice.id)
    gone = await world.alice.click(card.message, label="Why 1?")
    assert "no longer kept" in words(gone.response)


async def test_twenty_guests_with_the_longest_names_fit(world: World) -> None:
    parties = world.bot.parties
    card = await opened(world, count=25)
    party_id = int(press_ids(card, "party_join")[0].split(":")[2])
    for number in range(19):
        guest = 10**18 + number
        await agree(world.bot.database, guest)
        await world.bot.moods.finish(guest, Profile({"power": 1.0, "sadness": number / 20}))
        await parties.join(party_id, guest)
    await moods(world, alice={"power": 1.0}, bob={"wonder": 1.0})
    await world.alice.click(card.message, label="Join")
    within_budget(card)
    full = await world.bob.click(card.message, label="Join")
    assert full.ephemeral and "20 is the most" in words(full.response)
    await world.alice.click(card.message, custom_id=press_ids(card, "party_make")[0])
    within_budget(card)
    why = await world.alice.click(card.message, label="Why 1?")
    within_budget(why.response)


async def test_everybody_can_save_it_as_a_playlist(world: World) -> None:
    await moods(world, alice={"peacefulness": 1.0}, bob={"power": 1.0})
    card = await opened(world, count=12)
    await world.alice.click(card.message, label="Make the playlist")
    within_budget(card)
    await world.restart()
    tracks = (
        await world.bot.parties.get(
            int(press_ids(card, "party_make")[0].split(":")[2]), world.channel.guild.id
        )
    ).tracks
    for member in (world.bob, world.bob, world.alice):  # twice: under another name
        saved = await member.click(card.message, label="Save as my playlist")
        assert saved.ephemeral and "Saved" in words(saved.response) and "Our party" in words(saved.response)
    lists = world.bot.playlists
    found = await lists.of(world.bob.id)
    assert len(found) == 2 and len({one.name for one in found}) == 2
    entries = await lists.entries(found[0].id)
    assert [entry.track_id for entry in entries] == [track["track_id"] for track in tracks]


async def test_each_one_gets_two_reasons_where_there_is_room(world: World) -> None:
    await moods(world, alice={"peacefulness": 1.0}, bob={"power": 1.0})
    card = await opened(world, count=5)
    await world.bob.click(card.message, label="Join")
    await world.alice.click(card.message, label="Make the playlist")
    party = await world.bot.parties.get(
        int(press_ids(card, "party_make")[0].split(":")[2]), world.channel.guild.id
    )
    why = await world.alice.click(card.message, label="Why 1?")
    for guest in party.guests:
        for reason in guest.heard[0].reasons[:2]:
            assert reason_text(reason)[:40] in words(why.response), guest


async def test_the_card_does_not_say_the_same_of_every_track(world: World) -> None:
    """As with picks: a reason that stands there already gives way to one that counts nearly as much."""
    await moods(world, alice={"wonder": 1.0, "joyful_activation": 0.8})
    card = await opened(world, count=5)
    await world.alice.click(card.message, label="Make the playlist")
    shown = re.findall(r"^> <@\d+>: .*; (.+)\.$", words(card), re.M)
    assert len(shown) == 5 and len(set(shown)) >= 4, shown
