"""Who may do what: every button of somebody else's, every admin command, and files by name."""

from __future__ import annotations

import inspect
import json
from typing import Any

import discord
import pytest

from bot.router import Press
from bot.widgets import Card, row
from core.library.consent import agree
from core.library.members import export_member
from core.moods.profile import Profile
from tests.bot.conftest import World, press_ids, previews_ready, upload, words
from tests.make import plucked

SECRETS = ("alices-secret-song", "alices-secret-list", "secret-search", "really nostalgic")

ADMINS = {
    "admin_jobs", "admin_cancel", "admin_log", "rules_topic", "rules_source", "rules_page", "rules_open", "rules_rule",
    "rules_number", "rules_typed", "rules_try", "rules_sample", "rules_apply", "rules_undo", "rules_changes",
}  # fmt: skip
"""Only for those who manage the server, whatever the arguments."""

SHOWN_TO_ALL = {"job_refresh"}
"""A job's card is a public message; pressing shows what stands there."""


async def alices(world: World) -> dict[str, object]:
    """Something of everything that Alice can have, and the ids by which buttons name it."""
    moods = world.bot.moods
    await moods.finish(world.alice.id, Profile({"nostalgia": 1.0}))
    shown = await world.alice.slash(world.channel, "recommend")
    recommendation = press_ids(shown.response, "rec_share")[0].split(":")[2]
    await world.alice.slash(world.channel, "mood")
    await upload(world, "alices-secret-song.wav", plucked())
    [job] = await world.bot.queue.jobs(user_id=world.alice.id)
    tracks = await world.bot.library.tracks()
    playlist = await world.bot.playlists.create(
        world.alice.id, "alices-secret-list", [track.id for track in tracks[:3]]
    )
    [entry, *_] = await world.bot.playlists.entries(playlist.id)
    party = await world.alice.slash(world.channel, "party")
    party_id = press_ids(party.response, "party_make")
    await world.alice.slash(world.channel, "library search", query="secret-search")
    searches = await world.bot.database.fetch("SELECT id FROM search WHERE user_id = ?", [world.alice.id])
    return {
        "recommendation_id": recommendation, "job_id": job.id, "playlist_id": playlist.id, "entry_id": entry.id,
        "party_id": party_id[0].split(":")[2] if party_id else 1, "track_id": tracks[0].id,
        "search_id": searches[0]["id"] if searches else 1, "position": 0, "place": 0, "page": 0, "count": 5,
        "occasion": "relaxation", "aim": "match", "mood": "power", "name": "calmer", "liked": 1, "kind": "picks",
        "question_id": "peacefulness_bore", "value": 3, "rule_id": "power.mix.tempo", "wanted": "0", "topic": "power",
        "source": "all", "number": "1", "sample": 0, "seen": "0", "change_id": 1,
    }  # fmt: skip


async def rows_of(world: World, user: int) -> str:
    """All that is kept about a member, less what changes by itself."""
    found = await export_member(world.bot.database, user)
    return json.dumps(found, default=str, sort_keys=True)


def arguments(handler: Any, ids: dict[str, object]) -> list[object]:
    names = list(inspect.signature(handler).parameters)[1:]
    return [ids.get(name, 0) for name in names]


async def test_no_button_of_alices_gives_bob_what_is_hers(world: World) -> None:
    """Bob presses every button that there is, with everything of Alice's as its arguments, as if he had seen them."""
    await previews_ready(world)
    ids = await alices(world)
    before = await rows_of(world, world.alice.id)
    channel: Any = world.bot.get_channel(world.channel.id)
    for action, handler in sorted(world.bot.handlers.items()):
        if action in ("party_leave", "party_join", "party_make"):
            continue  # a party is for all who see it; test_party looks at who may do what
        await agree(world.bot.database, world.bob.id)  # one of the buttons erases him, consent and all
        press = Press(action, *arguments(handler, ids), label="Press")
        await channel.send(view=Card(row(press)))
        shown = await world.bob.click(world.channel.last_message, custom_id=press.custom_id)
        said = " ".join(words(one) for one in (shown.response, *shown.followups) if one is not None)
        assert await rows_of(world, world.alice.id) == before, f"{action} changed what is Alice's"
        if action not in SHOWN_TO_ALL:
            assert not [secret for secret in SECRETS if secret in said], f"{action} told Bob: {said}"
        if action in ADMINS:
            assert "Only members who may manage" in said, action


async def test_what_bob_does_to_alices_things_is_refused_in_a_sentence(world: World) -> None:
    ids = await alices(world)
    channel: Any = world.bot.get_channel(world.channel.id)
    for action in ("job_cancel", "job_show", "upload_remove", "rec_share", "rec_more", "pl_gone", "pl_drop"):
        press = Press(action, *arguments(world.bot.handlers[action], ids), label="Press")
        await channel.send(view=Card(row(press)))
        shown = await world.bob.click(world.channel.last_message, custom_id=press.custom_id)
        said = [words(one) for one in (shown.response, *shown.followups) if one is not None]
        assert shown.ephemeral and any("⚠️" in one for one in said), (action, said)


async def test_an_admin_of_another_server_has_no_rights_here(world: World) -> None:
    """Bob owns a server of his own with this bot in it."""
    ids = await alices(world)
    mallory = world.env.create_user("mallory")
    other = world.env.create_guild("Other", owner=mallory)
    there = other.create_text_channel("general")
    boss = other.add_member(mallory)
    for action in ("job_cancel", "upload_remove", "admin_cancel"):
        press = Press(action, ids["job_id"], label="Press")
        await world.bot.get_channel(there.id).send(view=Card(row(press)))
        await boss.click(there.last_message, custom_id=press.custom_id)
    [job] = await world.bot.queue.jobs(user_id=world.alice.id)
    assert job.state == "queued" and not job.cancel_requested


async def test_admin_commands_refuse_members_whatever_the_server_shows(world: World) -> None:
    """A server's admins can show commands to everybody; the check in the code stays."""
    commands = [
        command
        for command in world.bot.tree.walk_commands()
        if isinstance(command, discord.app_commands.Command)
        and command.qualified_name.split()[0] in ("admin", "reindex")
    ]
    assert len(commands) >= 5
    for command in commands:
        root = command.root_parent or command
        assert root.default_permissions is not None and root.default_permissions.manage_guild, command.name
        assert root.guild_only, command.name
    for name in ("admin stats", "admin log", "reindex"):
        tree: Any = world.bot.tree
        command = tree.get_command(name.split()[0])
        command.default_permissions = None
        await tree.sync()
        shown = await world.bob.slash(world.channel, name)
        assert shown.ephemeral and "Only members who may manage" in words(shown.response), name
    world.expected = (*world.expected, discord.app_commands.MissingPermissions)


@pytest.mark.parametrize("evil", ["../../moodstem.db", "/etc/passwd", "..\\..\\moodstem.db", "a\0b"])
async def test_no_file_can_be_named(world: World, evil: str) -> None:
    """Arguments of buttons are numbers or words of ours; a path is answered like any old button."""
    channel: Any = world.bot.get_channel(world.channel.id)
    for action in ("play", "details", "job_show", "rec_why", "pl_export", "track_open"):
        names = list(inspect.signature(world.bot.handlers[action]).parameters)[1:]
        press = Press(action, *[evil for _ in names], label="Press")
        await channel.send(view=Card(row(press)))
        shown = await world.bob.click(world.channel.last_message, custom_id=press.custom_id)
        assert shown.acknowledged and shown.response is not None and "⚠️" in words(shown.response), action
        assert not shown.response.attachments
