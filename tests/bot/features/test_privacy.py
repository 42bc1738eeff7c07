"""What is kept about a member: all of it can be handed out and erased, table by table."""

from __future__ import annotations

import json
import re
from pathlib import Path

from core.library.members import TABLES, export_member
from core.library.schema import open_database
from core.moods.profile import Profile
from tests.bot.conftest import World, tick, upload, uploads, within_budget, words
from tests.make import plucked


async def test_every_table_with_a_user_is_covered(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "new.db") as database:
        tables = [
            row["name"] for row in await database.fetch("SELECT name FROM sqlite_schema WHERE type='table'")
        ]
        with_user = set()
        for table in tables:
            columns = [row["name"] for row in await database.fetch(f"PRAGMA table_info({table})")]
            if any(re.search(r"user|member(?!_owned)|owner_id|author", column) for column in columns):
                with_user.add(table)
    assert with_user == set(TABLES)


async def test_export_and_erase_are_complete(world: World, runner) -> None:  # type: ignore[no-untyped-def]
    moods = world.bot.moods
    await moods.finish(world.alice.id, Profile({"sadness": 0.9}))
    await moods.finish(world.bob.id, Profile({"power": 0.8}))
    await world.alice.slash(world.channel, "mood")
    await world.alice.slash(world.channel, "recommend")
    await upload(world, "mine.wav", plucked())
    await runner.run_one()
    await tick(world)
    await upload(world, "waiting.wav", plucked(3))

    shown = await world.alice.slash(world.channel, "privacy")
    within_budget(shown.response)
    handed = await world.alice.click(shown.response.message, label="Hand it out")
    [file] = handed.response.attachments
    found = json.loads(await file.read())
    assert found["profile"][0]["data"]["moods"] == {"sadness": 0.9}
    assert found["questionnaire"] and found["recommendation"] and len(found["job"]) == 2
    assert len(found["uploaded_tracks"]) == 1

    asked = await world.alice.click(shown.response.message, label="Erase all")
    erased = await world.alice.click(asked.response.message, label="Erase")
    assert erased.acknowledged and "I know nothing about you now" in words(asked.response)
    left = await export_member(world.bot.database, world.alice.id)
    assert all(not rows for name, rows in left.items() if name != "user_id")
    assert not await uploads(world) and (await world.bot.library.counts())["upload"] == 0
    assert await moods.profile(world.bob.id) is not None


async def test_export_and_erase_by_command(world: World) -> None:
    moods = world.bot.moods
    await moods.finish(world.alice.id, Profile({"sadness": 0.9}))
    handed = await world.alice.slash(world.channel, "privacy", action="export")
    [file] = handed.response.attachments
    assert json.loads(await file.read())["profile"][0]["data"]["moods"] == {"sadness": 0.9}
    asked = await world.alice.slash(world.channel, "privacy", action="erase")
    assert await moods.profile(world.alice.id) is not None  # asked first
    await world.alice.click(asked.response.message, label="Erase")
    assert await moods.profile(world.alice.id) is None


async def test_help_and_privacy_fit_a_card(world: World) -> None:
    for name in ("help", "privacy"):
        shown = await world.alice.slash(world.channel, name)
        assert shown.ephemeral and shown.response is not None
        within_budget(shown.response)


async def test_the_card_names_everything_that_is_kept(world: World) -> None:
    named = {
        "consent": "agreed", "questionnaire": "answers", "profile": "profile", "recommendation": "recommended", "journey": "recommended", "play": "listened",
        "feedback": "👍", "search": "searches", "playlist": "playlists", "party": "parties", "party_member": "parties",
        "job": "uploaded", "card": "uploaded", "posted": "cards", "card_due": "uploaded", "upload_owner": "uploaded", "notice": "uploaded", "audit": "/admin",
        "rule_change": "/admin",
        "member_language": "language", "member_notice": "tell you",
    }  # fmt: skip
    assert set(named) == set(TABLES), "say on the card what the new table keeps"
    text = words((await world.alice.slash(world.channel, "privacy")).response)
    assert all(word in text for word in named.values()), text
