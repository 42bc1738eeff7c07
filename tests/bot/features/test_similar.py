"""/similar as a member uses it: by sound and instruments, one's own upload, to practise with, compared in a picture."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from bot.service.catalogs import Catalogs
from core.library.uploads import claim
from core.track_analysis import TrackAnalysis
from tests.bot.conftest import World, labels, press_ids, raw, walk, within_budget, words
from tests.make import remove_track, save_analysis, upsert_track


async def asked(world: World, **options: Any) -> Any:
    shown = await world.alice.slash(world.channel, "similar", **options)
    assert shown.response is not None and shown.ephemeral
    within_budget(shown.response)
    return shown.response


def choose(message: Any, action: str) -> str:
    [found] = [
        part["custom_id"]
        for part in walk(raw(message))
        if part.get("custom_id", "").startswith(f"mc:{action}:")
    ]
    return str(found)


async def test_by_sound_by_instruments_and_by_some_of_them(world: World) -> None:
    card = await asked(world, track="Mango Street")
    text = words(card)
    assert "Like Mango Street" in text and "by sound, cosine" in text and "Alike in " in text
    by_sound = press_ids(card, "play")
    assert len(by_sound) == 5
    await world.alice.click(card.message, label="Instruments")
    within_budget(card)
    assert "by instruments" in words(card) and press_ids(card, "play") != by_sound
    await world.restart()
    await world.alice.select(card.message, ["guitar"], custom_id=choose(card, "sim_stem"))
    await world.alice.select(card.message, ["bass"], custom_id=choose(card, "sim_stem"))
    within_budget(card)
    assert "only bass and guitar" in words(card)
    await world.alice.click(card.message, label="Distance")
    assert "by instruments, distance, only bass and guitar" in words(card)
    await world.alice.select(card.message, ["guitar"], custom_id=choose(card, "sim_stem"))
    assert "only bass:" in words(card)


async def test_to_practise_with(world: World) -> None:
    card = await asked(world, practise="guitar")
    text = words(card)
    assert "To practise guitar with" in text and "guitar sounds" in text and "of the energy" in text
    standing = [float(part.split()[0]) for part in text.split("prominence ")[1:]]
    assert len(standing) == 5 and standing == sorted(standing, reverse=True)
    assert not [label for label in labels(card) if label.startswith("Compare")]  # with nothing to compare to
    like = await asked(world, track="The Empty Chair", practise="guitar")
    assert "Like The Empty Chair, to practise guitar with" in words(like) and "Alike in " in words(like)
    await world.alice.select(like.message, ["none"], custom_id=choose(like, "sim_practise"))
    assert "to practise" not in words(like) and "by sound" in words(like)


async def test_without_anything_it_says_what_to_do(world: World) -> None:
    assert "Name a track" in words(await asked(world))
    assert "No track is called that" in words(await asked(world, track="qqqq zzzz"))


async def test_ones_own_upload_though_others_cannot_find_it(world: World) -> None:
    world.bot.catalogs = Catalogs(world.bot.database, world.bot.library, uploads=False)
    analysis = (await world.bot.library.analysis(1)).to_json() | {"content_hash": "f" * 64}
    track = await upsert_track(
        world.bot.library,
        content_hash="f" * 64,
        path="uploads/f.ogg",
        origin="upload",
        title="My demo",
        duration_s=30.0,
    )
    await save_analysis(world.bot.library, track, TrackAnalysis.from_json(analysis))
    await claim(world.bot.database.write, track, world.alice.id, "demo.ogg")
    offered = await world.alice.autocomplete(world.channel, "similar", "track", "demo")
    assert [one["value"] for one in offered] == [f"track:{track}"]
    assert await world.bob.autocomplete(world.channel, "similar", "track", "demo") == []
    card = await asked(world, track=f"track:{track}")
    first = await world.bot.library.get(int(press_ids(card, "play")[0].split(":")[2]))
    assert "Like My demo" in words(card) and first.id == 1  # the same sound
    shown = await world.bob.slash(world.channel, "similar", track=f"track:{track}")
    assert "no longer in the library" in words(shown.response)


async def test_compare_draws_both_beside_each_other(world: World) -> None:
    card = await asked(world, track="Letters from Trieste")
    [first, *_] = press_ids(card, "compare")
    shown = await world.alice.click(card.message, custom_id=first)
    within_budget(shown.response)
    assert "Alike in " in words(shown.response) and shown.ephemeral
    [picture] = shown.response.attachments
    data = await picture.read()
    from PIL import Image

    with await asyncio.to_thread(Image.open, io.BytesIO(data)) as image:
        assert image.size == (1200, 1000)
        left, right = image.crop((150, 150, 550, 450)), image.crop((700, 150, 1150, 450))
        assert len(left.convert("RGB").getcolors(10**6)) > 50 < len(right.convert("RGB").getcolors(10**6))
    gallery = [part for part in walk(raw(shown.response)) if part.get("type") == 12]
    assert "beside each other" in gallery[0]["items"][0]["description"]
    second = press_ids(card, "compare")[1]
    await remove_track(world.bot.library, int(second.split(":")[3]))
    gone = await world.alice.click(card.message, custom_id=second)
    assert "no longer in the library" in words(gone.response)


async def test_more_like_this_leads_to_comparing(world: World) -> None:
    card = await asked(world, track="Letters from Trieste")
    track = press_ids(card, "play")[0].split(":")[2]
    why = await world.alice.slash(world.channel, "library track", track=f"track:{track}")
    more = await world.alice.click(why.response.message, label="More like this")
    within_budget(more.response)
    assert len(press_ids(more.response, "compare")) == 5
    await world.alice.click(more.response.message, label="More ways to compare")
    assert "by sound, cosine" in words(more.response)


async def test_by_what_the_network_hears(world: World) -> None:
    card = await asked(world, track="Letters from Trieste", by="latent")
    assert "by network" in words(card) and "To the network this one is " in words(card)
    assert len(press_ids(card, "play")) == 5
    await world.alice.select(card.message, ["piano"], custom_id=choose(card, "sim_practise"))
    within_budget(card)
    assert "to practise" in words(card)
    await world.bot.database.write("DELETE FROM latent WHERE track_id = 3")
    await world.bot.database.write("UPDATE counter SET value = value + 1 WHERE name = 'library'")
    assert "not heard this track yet" in words(await asked(world, track="track:3", by="latent"))
