"""/library, /history and the track cards as members use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import discord
import pytest

from bot.features.library.cards import estimate_note
from core.audio.types import STEMS
from core.library.tracks import put_latent
from tests.bot.conftest import World, labels, press_ids, previews_ready, raw, walk, within_budget, words
from tests.bot.features.test_recommend import with_mood
from tests.fakes.separator_plugin import installed_plugin, write_plugin
from tests.make import remove_track, save_analysis, upsert_track


async def ask(world: World, command: str, **options: Any) -> Any:
    shown = await world.alice.slash(world.channel, command, **options)
    assert shown.response is not None and shown.ephemeral
    within_budget(shown.response)
    return shown.response


async def test_search_by_sound_says_what_each_track_has(world: World) -> None:
    card = await ask(world, "library search", query="calm piano")
    text = words(card)
    assert "“calm piano”" in text and "calm and piano: by sound or name" in text
    assert text.count("> calm +") == 5 and text.count("% of the time") == 5
    heard = await world.alice.click(card.message, custom_id=press_ids(card, "play")[0])
    assert heard.ephemeral and heard.response is not None and heard.response.attachments


async def test_search_by_name_and_filters(world: World) -> None:
    text = words(await ask(world, "library search", query="halmstad strings"))
    assert "The Empty Chair" in text and "Procession in Rain" in text and "2 tracks" in text
    text = words(await ask(world, "library search", query="calm", genre="Folk", instrument="guitar"))
    assert "Folk" in text and "1 track" in text
    text = words(await ask(world, "library browse", key="C minor", tempo_from=70, tempo_to=80))
    assert "from 70 up to 80 BPM" in text and "in C minor" in text and "76 BPM · C minor" in text


@pytest.mark.parametrize("query", ["zzzz", "'; DROP TABLE track; --", '"""', "NEAR(a b) AND *", "💥", "%"])
async def test_a_search_that_finds_nothing_says_what_to_do(world: World, query: str) -> None:
    text = words(await ask(world, "library search", query=query))
    assert "Nothing in the library for" in text and "/library browse" in text


async def test_a_wrong_key_or_tempo_is_answered_in_a_sentence(world: World) -> None:
    assert "write it like D minor" in words(await ask(world, "library browse", key="H sharp"))
    assert "slower one first" in words(await ask(world, "library browse", tempo_from=120, tempo_to=90))


async def test_pages_turn_also_after_a_restart_and_for_nobody_else(world: World) -> None:
    card = await ask(world, "library browse")
    assert "30 tracks" in words(card) and "1 / 6" in labels(card)
    first = press_ids(card, "play")
    await world.alice.click(card.message, label="1 / 6")
    within_budget(card)
    second = press_ids(card, "play")
    assert len(second) == 5 and not set(first) & set(second)
    await world.restart()
    await world.alice.click(card.message, custom_id=press_ids(card, "lib_page")[0])
    assert press_ids(card, "play") == first
    await world.alice.click(card.message, custom_id=press_ids(card, "lib_page")[0])
    assert "6 / 6" in labels(card)
    own = await world.bot.history.search(int(press_ids(card, "lib_page")[0].split(":")[2]))
    assert own is not None and own[0] == world.alice.id


async def test_somebody_elses_search_is_refused(world: World) -> None:
    card = await ask(world, "library browse")
    search_id = press_ids(card, "lib_page")[0].split(":")[2]
    await world.bot.database.write("UPDATE search SET user_id = ? WHERE id = ?", [world.bob.id, search_id])
    refused = await world.alice.click(card.message, label="1 / 6")
    assert refused.response is not None and "no longer kept" in words(refused.response)


async def test_a_track_has_a_card_with_all_that_is_known(world: World) -> None:
    [choice, *_] = await world.alice.autocomplete(world.channel, "library track", "track", "pillow")
    assert choice["name"] == "Pillow of Snow · Orla Venn (0:44)" and choice["value"].startswith("track:")
    card = await ask(world, "library track", track=choice["value"])
    text = words(card)
    assert "## Pillow of Snow" in text and "Orla Venn · Moodstem Samples · Classical" in text
    assert "152 BPM · C# major" in text and "calm **+0." in text and "🎹" in text
    typed = await ask(world, "library track", track="pillow of")
    assert "## Pillow of Snow" in words(typed)
    await world.restart()
    near = await world.alice.click(card.message, label="More like this")
    assert near.response is not None and "Sounds like Pillow of Snow" in words(near.response)
    gone = await ask(world, "library track", track="track:99999")
    assert "no longer in the library" in words(gone)
    assert "begin to type" in words(await ask(world, "library track", track="qqqq"))


async def test_a_track_opens_from_a_search(world: World) -> None:
    card = await ask(world, "library search", query="tango")
    opened = await world.alice.click(card.message, label="About 1")
    assert opened.response is not None and "Tango" in words(opened.response)
    within_budget(opened.response)
    track_id = press_ids(opened.response, "pl_pick")[0].split(":")[2]
    await remove_track(world.bot.library, int(track_id))
    again = await world.alice.click(card.message, label="About 1")
    assert again.response is not None and "no longer in the library" in words(again.response)


async def test_choices_are_few_short_and_follow_what_is_typed(world: World) -> None:
    library = world.bot.library
    for place in range(40):
        await upsert_track(
            library,
            content_hash=f"{place:064x}",
            path=f"/m/{place}.mp3",
            origin="folder",
            title=f"Zebra {'stripes ' * 30}{place}",
            artist="Ünïcode & Sons" * 9,
            genre=f"Genre {place} {'x' * 150}",
            duration_s=61,
        )
    for option, command, typed in (
        ("track", "library track", "zeb"),
        ("query", "library search", "zebra str"),
        ("genre", "library browse", "genre"),
        ("genre", "library search", ""),
        ("key", "library browse", ""),
    ):
        found = await world.alice.autocomplete(world.channel, command, option, typed)
        assert len(found) == 25, (command, option)
        assert all(0 < len(one["name"]) <= 100 and len(one["value"]) <= 100 for one in found)
    assert [
        one["name"] for one in await world.alice.autocomplete(world.channel, "library browse", "key", "eb mi")
    ] == ["Eb minor"]
    assert await world.alice.autocomplete(world.channel, "library track", "track", "qqq \0\"'*(") == []
    found = await world.alice.autocomplete(world.channel, "library browse", "genre", "genre 39")
    assert "Genre 39" in words(await ask(world, "library browse", genre=found[0]["value"]))


async def test_the_longest_and_worst_names_fit_and_do_no_harm(world: World) -> None:
    worst = "*_`~|>#[x](http://evil.example)@everyone <@1> " * 9
    library = world.bot.library
    some = (await library.tracks("sample"))[0]
    analysis = await library.analysis(some.id)
    assert analysis is not None
    for place in range(12):
        track_id = await upsert_track(
            library,
            content_hash=f"{place:064x}",
            path=f"/m/{place}.mp3",
            origin="folder",
            title=worst[:200],
            artist=worst[:200],
            album=worst[:200],
            genre="夜に駆ける" * 40,
            duration_s=86_399,
        )
        await save_analysis(library, track_id, analysis)
    for card in (
        await ask(world, "library browse"),
        await ask(world, "library search", query="evil calm piano", genre="夜に駆ける" * 20),
        await ask(world, "library track", track=f"track:{track_id}"),
    ):
        text = words(card)
        assert "@everyone" not in text and "[x]" not in text and "http:/" not in text
        assert press_ids(card, "play") and not card.message.mentions


async def test_history_shows_what_was_heard_and_picked(world: World) -> None:
    assert "Nothing yet" in words(await ask(world, "history"))
    await previews_ready(world)
    await with_mood(world, peacefulness=1.0)
    picks = await ask(world, "recommend", occasion="relaxation")
    for custom_id in press_ids(picks, "play")[:2] + press_ids(picks, "play")[:1]:
        await world.alice.click(picks.message, custom_id=custom_id)
    card = await ask(world, "history")
    assert (
        words(card).count("▶️") == 3 and "Picked for relaxation" in words(card) and "and 2 more" in words(card)
    )
    assert words(await ask(world, "history", only="recommended")).count("▶️") == 0
    await world.restart()
    opened = await world.alice.click(card.message, label="Show")
    assert opened.response is not None and "For you, now" in words(opened.response)
    again = await world.alice.click(card.message, custom_id=press_ids(card, "hist_play")[0])
    assert again.response is not None and again.response.attachments
    assert words(await ask(world, "history", only="played")).count("▶️") == 4
    other = await world.bob.slash(world.channel, "history")
    assert other.response is not None and "Nothing yet" in words(other.response)


async def test_history_pages(world: World) -> None:
    tracks = await world.bot.library.tracks()
    history = world.bot.history
    for track in tracks[:20]:
        await history.played(world.alice.id, track.id)
    card = await ask(world, "history", only="played")
    seen = {line for line in words(card).splitlines() if line.startswith("▶️")}
    for label in ("1 / 3", "2 / 3"):
        await world.alice.click(card.message, label=label)
        within_budget(card)
        seen |= {line for line in words(card).splitlines() if line.startswith("▶️")}
    assert len(seen) == 20


async def test_the_map_is_drawn_and_told_with_the_last_recommendation(world: World) -> None:
    first = await world.alice.slash(world.channel, "library map")
    within_budget(first.response)
    assert first.ephemeral and "Ask me with /recommend" in words(first.response)
    await world.alice.slash(world.channel, "recommend", mood="sadness", count=5)
    shown = await world.alice.slash(world.channel, "library map")
    within_budget(shown.response)
    [picture] = shown.response.attachments
    assert (await picture.read())[:4] == b"\x89PNG"
    [gallery] = [part for part in walk(raw(shown.response)) if part.get("type") == 12]
    told = gallery["items"][0]["description"]
    assert "A map of 30 tracks." in told and "Recommended last: 1. " in told and "sad: " in told
    bobs = await world.bob.slash(world.channel, "library map")
    assert "Ask me with /recommend" in words(bobs.response)


async def test_a_genre_that_was_told_by_sound_says_so(world: World) -> None:
    database = world.bot.database
    [[track, title]] = await database.fetch("SELECT id, title FROM track WHERE title = 'Pillow of Snow'")
    await database.write("UPDATE track SET genre = NULL WHERE id = ?", [track])
    async with database.transaction() as transaction:
        heard = {"model": "m", "vector": [1.0], "genres": {"polka": 0.9, "rock": 0.1}}
        await put_latent(transaction, track, heard)
    text = words(await ask(world, "library track", track=f"track:{track}"))
    assert "polka, by its sound" in text and "Classical" not in text
    text = words(await ask(world, "library browse", genre="Polka"))
    assert "1 track" in text and title in text and "polka, by its sound" in text
    assert "by its sound" not in words(await ask(world, "library browse", genre="Folk"))


def test_a_list_is_offered_wherever_a_track_playlist_or_genre_is_asked_for(world: World) -> None:
    asked = [
        (command.qualified_name, parameter.name, parameter.autocomplete)
        for command in world.bot.tree.walk_commands()
        for parameter in getattr(command, "parameters", ())
        if parameter.name in ("track", "playlist", "genre", "key")
        and parameter.type is discord.AppCommandOptionType.string
    ]
    assert len(asked) >= 15 and all(offered for *_, offered in asked), asked


def test_stems_are_called_an_estimate_by_the_label_of_what_made_them(tmp_path: Path) -> None:
    said = "-# The instruments were told apart by {}: take this as an estimate."
    assert estimate_note("unet") == said.format("the bundled U-Net")
    assert not estimate_note("htdemucs_6s") and not estimate_note("none") and not estimate_note(None)
    with installed_plugin(write_plugin(tmp_path / "poor")):
        assert estimate_note("halves") == said.format("Halves 1.0")
    with installed_plugin(write_plugin(tmp_path / "good", reliability=dict.fromkeys(STEMS, 0.9))):
        assert not estimate_note("halves")
