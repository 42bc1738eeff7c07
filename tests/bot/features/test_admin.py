"""/admin as admins, members and strangers meet it."""

from __future__ import annotations

import re
from pathlib import Path

from core.library.backup import backup, backups, rehearse
from core.settings import DiscordSettings, JobSettings
from tests.bot.conftest import World, labels, press_ids, upload, within_budget, words
from tests.conftest import ROOT
from tests.make import plucked

COMMANDS = ("admin reindex", "admin jobs", "admin stats", "admin backup", "admin log", "reindex")


async def test_members_neither_see_nor_use_it(world: World) -> None:
    seen = world.alice.available_commands(world.channel)
    assert not set(COMMANDS) & set(seen)
    assert set(COMMANDS) <= set(world.admin.available_commands(world.channel))


async def test_every_command_that_the_readme_names_is_there(world: World) -> None:
    """In its table with nobody left out: `/library search`, `browse` stands for both."""
    there = set(world.admin.available_commands(world.channel))
    table = re.search(r"\| Command \| Who \|.*?\n\n", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert table is not None
    named = set()
    for line in table[0].strip().splitlines()[2:]:
        group = ""
        for one in re.findall(r"`(/?[a-z ]+)`", line.split("|")[1]):
            group = one[1:].split()[0] if one.startswith("/") else group
            named.add(one[1:] if one.startswith("/") else f"{group} {one}")
    assert {"mood", "library browse", "admin rules"} <= named
    assert not {
        one for one in named if one not in there and not any(two.startswith(f"{one} ") for two in there)
    }
    told = {one for one in there if one.split()[0] not in {two.split()[0] for two in named}}
    assert told <= {"reindex", "Analyse this track"}, f"the README does not name {told}"


async def test_every_command_that_a_page_names_is_there(world: World) -> None:
    there = set(world.admin.available_commands(world.channel))
    there |= {name.split()[0] for name in there}
    pages = [ROOT / "PRIVACY.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
    named = {one for page in pages for one in re.findall(r"`/([a-z]+(?: [a-z]+)?)`", page.read_text("utf-8"))}
    assert {"mood", "library map"} <= named
    assert named - there <= {"health", "metrics"}


async def test_buttons_of_an_admins_card_refuse_members(world: World) -> None:
    """As if the card had been posted for everybody."""
    await upload(world, "song.wav", plucked())
    cog = world.bot.get_cog("Admin")
    for view in (await cog.jobs_view(world.channel.guild.id), await cog.log_view(world.channel.guild.id, 0)):
        await world.bot.get_channel(world.channel.id).send(view=view)
    for message in world.channel.history()[-2:]:
        for button in [*press_ids(message, "admin_cancel"), *press_ids(message, "admin_jobs")]:
            refused = await world.bob.click(message, custom_id=button)
            assert refused.ephemeral and "Only members who may manage" in words(refused.response)
    [job] = await world.bot.queue.jobs()
    assert job.state == "queued" and not job.cancel_requested


async def test_jobs_can_be_seen_and_cancelled(world: World) -> None:
    empty = (await world.admin.slash(world.channel, "admin jobs")).response
    assert "No job waits" in words(empty)
    for number in range(3):
        await upload(world, f"song{number}.wav", plucked(2 + number))
    card = (await world.admin.slash(world.channel, "admin jobs")).response
    within_budget(card)
    assert words(card).count(f"<@{world.alice.id}>") == 3 and labels(card).count("Cancel 1") == 1
    await world.admin.click(card.message, custom_id=press_ids(card, "admin_cancel")[0])
    within_budget(card)
    assert words(card).count(f"<@{world.alice.id}>") == 2 and "1 cancelled" in words(card)
    log = (await world.admin.slash(world.channel, "admin log")).response
    assert "cancelled a job" in words(log) and f"<@{world.admin.id}>" in words(log)


async def test_stats_tell_how_things_stand(world: World) -> None:
    await upload(world, "song.wav", plucked())
    card = (await world.admin.slash(world.channel, "admin stats")).response
    within_budget(card)
    text = words(card)
    assert "30 samples" in text and "1 waiting" in text
    assert "GB free" not in text and "Workers" not in text, "the machine is its operator's"
    await operated_by_the_admin(world)
    text = words((await world.admin.slash(world.channel, "admin stats")).response)
    assert "30 samples" in text and "none yet" in text and "GB free" in text and "none is running" in text


async def operated_by_the_admin(world: World) -> None:
    operators = DiscordSettings(operators=[world.admin.id])
    world.settings = world.settings.model_copy(update={"discord": operators})
    await world.restart()


def separated_by(world: World, jobs: JobSettings) -> None:
    world.bot.settings = world.settings.model_copy(update={"jobs": jobs})


async def test_stats_name_the_separator_at_work(world: World, tmp_path: Path) -> None:
    """'auto' says nothing: what counts is whether htdemucs' weights are at hand, now."""
    await operated_by_the_admin(world)
    separated_by(world, JobSettings(separator="auto", weights=tmp_path))
    card = (await world.admin.slash(world.channel, "admin stats")).response
    assert "**Separator** unet (set to auto)" in words(card)
    (tmp_path / "5c90dfd2-34c22ccb.th").write_bytes(b"")
    card = (await world.admin.slash(world.channel, "admin stats")).response
    assert "**Separator** htdemucs_6s (set to auto)" in words(card)
    separated_by(world, JobSettings(separator="none"))
    card = (await world.admin.slash(world.channel, "admin stats")).response
    assert "**Separator** none\n" in words(card)


async def test_an_admin_who_is_not_the_operator_makes_no_backup(world: World) -> None:
    """Nor does one displace those of the night, however often it is asked for."""
    folder = world.settings.backups
    nightly = [await backup(world.bot.database, folder, now=night * 86400.0) for night in range(1, 8)]
    for _ in range(7):
        refused = (await world.admin.slash(world.channel, "admin backup")).response
        assert "Only whoever runs me" in words(refused)
    assert backups(folder) == nightly[::-1]
    assert "Nothing yet" in words((await world.admin.slash(world.channel, "admin log")).response)


async def test_backups_by_hand_displace_their_like_only(world: World) -> None:
    folder = world.settings.backups
    for night in range(1, 9):
        await backup(world.bot.database, folder, now=night * 86400.0)
        await backup(world.bot.database, folder, now=night * 86400.0 + 1, by_hand=True)
    manual = [one for one in backups(folder) if "manual" in one.name]
    assert len(manual) == 7 and len(backups(folder)) == 14


async def test_backup_is_written_and_restores(world: World) -> None:
    await operated_by_the_admin(world)
    card = (await world.admin.slash(world.channel, "admin backup")).response
    [copy] = backups(world.settings.data / "backups")
    assert copy.name in words(card) and (await rehearse(copy))["track"] == 30
    stats = (await world.admin.slash(world.channel, "admin stats")).response
    assert "<t:" in words(stats)


async def test_the_log_has_pages_and_survives_a_restart(world: World) -> None:
    from core.errors import fact
    from core.library.audit import record

    guild = world.channel.guild.id
    empty = (await world.admin.slash(world.channel, "admin log")).response
    assert "Nothing yet" in words(empty)
    for number in range(23):
        await record(
            world.bot.database,
            guild,
            world.admin.id,
            "changed",
            fact("plain", sentence=f"**thing** {number} " + "x" * 300),
        )
    await record(world.bot.database, guild + 1, world.admin.id, "elsewhere")
    card = (await world.admin.slash(world.channel, "admin log")).response
    within_budget(card)
    assert "thing\\*\\* 22" in words(card).replace("\\*\\*thing", "thing") and "elsewhere" not in words(card)
    await world.restart()
    for _ in range(2):
        await world.admin.click(card.message, label="Older")
        within_budget(card)
    assert words(card).count("changed") == 3 and "Older" not in labels(card)


async def test_limits_can_be_made_stricter_and_taken_back(world: World) -> None:
    shown = (await world.admin.slash(world.channel, "admin limits")).response
    within_budget(shown)
    assert "**2** size of an upload" in words(shown) and "set here" not in words(shown)
    stricter = (
        await world.admin.slash(world.channel, "admin limits", name="queued_per_user", value=1.0)
    ).response
    assert "**1** uploads of one member that wait or run (set here)" in words(stricter)
    await upload(world, "first.wav", plucked(2))
    refused = await upload(world, "second.wav", plucked(3))
    assert len(await world.bot.queue.jobs(user_id=world.alice.id)) == 1 and "1" in words(refused.response)
    await world.admin.slash(world.channel, "admin limits", name="upload_mb", value=0.1)
    assert "larger than 0.1 MB" in words((await upload(world, "third.wav", plucked(4))).response)
    await world.restart()
    for name in ("queued_per_user", "upload_mb"):
        back = (await world.admin.slash(world.channel, "admin limits", name=name)).response
    assert "set here" not in words(back)
    await upload(world, "second.wav", plucked(3))
    assert len(await world.bot.queue.jobs(user_id=world.alice.id)) == 2
    log = (await world.admin.slash(world.channel, "admin log")).response
    assert words(log).count("**limit**") == 4


async def test_limits_refuse_what_the_operator_does_not_allow(world: World) -> None:
    for options in ({"name": "upload_mb", "value": 500.0}, {"name": "queued_per_user", "value": 0.0}):
        refused = (await world.admin.slash(world.channel, "admin limits", **options)).response
        assert "choose a number between" in words(refused)
    lost = (await world.admin.slash(world.channel, "admin limits", value=3.0)).response
    assert "choose a name as well" in words(lost)
