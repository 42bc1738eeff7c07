"""Consent at first use: what asks, what does not, and that the conversation goes on after a yes."""

from __future__ import annotations

from typing import Any

import pytest

from bot.consent import LONGEST, from_short, short_command, short_press
from bot.router import Press, marked
from bot.service.member_data import erase_member
from bot.widgets import Card, row
from core.library import consent
from core.library.consent import agreed
from core.library.members import export_member
from core.library.profiles import Moods
from core.library.schema import open_database
from core.moods.profile import Profile
from tests.bot.conftest import World, labels, press_ids, previews_ready, within_budget, words
from tests.bot.test_rights import alices, arguments
from tests.make import plucked

ASKED = "Before we begin"
YES, NO = "Agree and go on", "Not now"


@pytest.fixture
async def carol(world: World) -> Any:
    """A member who was never asked."""
    return world.channel.guild.add_member(world.env.create_user("carol"))


async def kept(world: World, member: Any) -> dict[str, Any]:
    found = await export_member(world.bot.database, member.id)
    return {name: rows for name, rows in found.items() if rows and name != "user_id"}


async def test_the_first_command_asks_and_goes_on(world: World, carol: Any) -> None:
    shown = await carol.slash(world.channel, "mood", form="long")
    assert shown.ephemeral and ASKED in words(shown.response) and {YES, NO} == set(labels(shown.response))
    within_budget(shown.response)
    text = words(shown.response)
    retention = world.settings.retention
    for days in (retention.uploads_days, retention.history_days):
        assert f"{days} days" in text
    assert len(text) < 600, "short"
    assert not await kept(world, carol), "nothing is stored before"
    gone_on = await carol.click(shown.response.message, label=YES)
    assert gone_on.ephemeral and "Question 1 of 40" in words(gone_on.response), (
        "with the option that was typed"
    )
    assert set(await kept(world, carol)) == {"consent", "questionnaire"}
    again = await carol.slash(world.channel, "recommend", mood="power")
    assert "For you, now" in words(again.response), "asked once only"


async def test_not_now_stores_nothing_and_asks_again_next_time(world: World, carol: Any) -> None:
    for _ in range(2):
        shown = await carol.slash(world.channel, "recommend", mood="power", occasion="study")
        assert ASKED in words(shown.response)
        await carol.click(shown.response.message, label=NO)
        assert "nothing was stored" in words(shown.response)
    assert not await kept(world, carol)


async def test_an_upload_goes_on_with_its_file(world: World, carol: Any) -> None:
    shown = await carol.slash(world.channel, "upload", track=("song.wav", plucked()))
    assert ASKED in words(shown.response) and not await world.bot.queue.jobs()
    went_on = await carol.click(shown.response.message, label=YES)
    assert "follows its way" in words(went_on.response)
    deletions = [one for one in world.env.http_requests if one.method == "DELETE"]
    assert any(one.path.endswith("/messages/@original") for one in deletions), "the card is taken away"
    [job] = await world.bot.queue.jobs(user_id=carol.id)
    assert job.spec["name"] == "song.wav" and "song.wav" in words(world.channel.last_message)


async def test_a_menu_on_a_message_goes_on(world: World, carol: Any) -> None:
    message = await world.bob.send(world.channel, "listen", attachments=[("song.wav", plucked())])
    shown = await carol.context_menu(world.channel, "Analyse this track", message)
    assert ASKED in words(shown.response)
    await carol.click(shown.response.message, label=YES)
    [job] = await world.bot.queue.jobs(user_id=carol.id)
    assert job.spec["name"] == "song.wav"


async def test_another_wording_is_asked_for_once_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "WORDING", consent.WORDING + 1)
    shown = await world.alice.slash(world.channel, "mood")
    assert ASKED in words(shown.response)
    await world.alice.click(shown.response.message, label=YES)
    assert await agreed(world.bot.database, world.alice.id)


async def test_a_button_goes_on_in_place(world: World, carol: Any) -> None:
    help_ = await carol.slash(world.channel, "help")
    assert ASKED not in words(help_.response)
    shown = await carol.click(help_.response.message, label="Ask me")
    assert ASKED in words(shown.response) and not await kept(world, carol)
    await carol.click(shown.response.message, label=YES)
    assert "Question 1 of" in words(shown.response)


async def test_after_a_restart_a_short_command_still_goes_on(world: World, carol: Any) -> None:
    shown = await carol.slash(world.channel, "recommend", mood="power")
    await world.restart()
    gone_on = await carol.click(shown.response.message, label=YES)
    assert "For you, now" in words(gone_on.response)
    dave = world.channel.guild.add_member(world.env.create_user("dave"))
    shown = await dave.slash(world.channel, "upload", track=("song.wav", plucked()))
    await world.restart()
    await dave.click(shown.response.message, label=YES)
    assert "please do it once more" in words(shown.response), "a file cannot wait in a button"
    assert await agreed(world.bot.database, dave.id) and not await world.bot.queue.jobs(user_id=dave.id)


async def test_what_is_erased_is_asked_for_again(world: World, carol: Any) -> None:
    shown = await carol.slash(world.channel, "mood")
    await carol.click(shown.response.message, label=YES)
    await erase_member(world.bot.database, world.settings.data, carol.id)
    assert not await kept(world, carol)
    again = await carol.slash(world.channel, "mood")
    assert ASKED in words(again.response)


FREE_COMMANDS = frozenset(
    {
        *(
            "help",
            "jobs",
            "privacy",
            "history",
            "library track",
            "library map",
            "playlist show",
            "playlist play",
        ),
        *("similar", "admin backup", "admin jobs", "admin limits", "admin log", "admin rules", "admin stats"),
    }
)
"""Looking around needs no consent; a limit that is changed is written down with who changed it."""

FREE_USES: dict[str, dict[str, Any]] = {
    "library track": {"track": ""}, "playlist show": {}, "playlist play": {"playlist": "mine"},
}  # fmt: skip


def buttons(world: World, *, asking: bool) -> list[str]:
    """The buttons that ask for consent, or those that do not."""
    noted = {action: marked(handler) for action, handler in world.bot.handlers.items()}
    return sorted(action for action, one in noted.items() if one is not None and one.consent is asking)


async def test_what_asks_nothing_stores_nothing(world: World, carol: Any, drawn_here: None) -> None:
    await previews_ready(world)
    ids = await alices(world)
    tracks = await world.bot.library.tracks()
    FREE_USES["library track"]["track"] = tracks[0].title
    await erase_member(world.bot.database, world.settings.data, world.admin.id)
    for name in sorted(FREE_COMMANDS):
        member = world.admin if name.startswith("admin ") else carol
        shown = await member.slash(world.channel, name, **FREE_USES.get(name, {}))
        assert shown.response is not None and ASKED not in words(shown.response), name
        assert "Only members who" not in words(shown.response), name
        assert not await kept(world, member), f"/{name} stored something"
    for form in ("show", "forget"):
        shown = await carol.slash(world.channel, "mood", form=form)
        assert ASKED not in words(shown.response) and not await kept(world, carol), form
    channel: Any = world.bot.get_channel(world.channel.id)
    free = buttons(world, asking=False)
    assert {"play", "details", "pl_show", "rec_why", "privacy_erase"} <= set(free)
    for action in free:
        if action == "consent_yes":
            continue
        press = Press(action, *arguments(world.bot.handlers[action], ids), label="Press")
        await channel.send(view=Card(row(press)))
        shown = await carol.click(world.channel.last_message, custom_id=press.custom_id)
        assert shown.response is None or ASKED not in words(shown.response), action
        assert not await kept(world, carol), f"{action} stored something"


async def test_a_manager_looks_at_limits_at_once_and_is_asked_before_a_change(world: World) -> None:
    """Who changed what is written down; what the limits are, anybody who manages the server may see."""
    await erase_member(world.bot.database, world.settings.data, world.admin.id)
    looked = await world.admin.slash(world.channel, "admin limits")
    assert ASKED not in words(looked.response)
    changed = await world.admin.slash(world.channel, "admin limits", name="upload_mb", value=1)
    assert ASKED in words(changed.response) and not await kept(world, world.admin)
    await world.admin.click(changed.response.message, label="Agree and go on")
    looked = await world.admin.slash(world.channel, "admin limits")
    assert "**1** size of an upload in MB (set here)" in words(looked.response)


async def test_every_other_button_asks_first(world: World, carol: Any) -> None:
    ids = await alices(world)
    channel: Any = world.bot.get_channel(world.channel.id)
    for action in buttons(world, asking=True):
        press = Press(action, *arguments(world.bot.handlers[action], ids), label="Press")
        await channel.send(view=Card(row(press)))
        shown = await carol.click(world.channel.last_message, custom_id=press.custom_id)
        assert shown.ephemeral and ASKED in words(shown.response), action
        within_budget(shown.response)
    assert not await kept(world, carol)


async def test_who_has_no_consent_joins_no_party(world: World, carol: Any) -> None:
    """A profile from before consent was asked for is no consent."""
    async with await open_database(world.settings.database) as other:  # the bot itself could not store it
        await Moods(other).finish(carol.id, Profile({"power": 1.0}))
    party = await world.alice.slash(world.channel, "party")
    shown = await carol.click(party.response.message, label="Join")
    assert "a few questions" in words(shown.response)
    asked = await carol.click(shown.response.message, label="Ask me")
    assert ASKED in words(asked.response)
    assert set(await kept(world, carol)) == {"profile"}


async def test_what_waits_is_its_members_and_goes_on_once(
    world: World, carol: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.consent.MOST", 2)
    asked = []
    for _ in range(3):
        shown = await carol.slash(world.channel, "upload", track=("song.wav", plucked()))
        asked += [one.split(":")[2] for one in press_ids(shown.response, "consent_yes")]
    gate, (oldest, middle, latest) = world.bot.gate, asked
    assert gate.take(oldest, carol.id) is None, "too many waited"
    assert gate.take(middle, world.bob.id) is None, "nobody else's"
    assert gate.take(middle, carol.id) is not None and gate.take(middle, carol.id) is None
    assert gate.take(latest, carol.id) is not None


async def test_rights_are_checked_again_after_a_yes(world: World, carol: Any) -> None:
    """What waited runs without discord.py, so it must not run past the permissions that the command demands."""
    for name in ("admin reindex", "reindex"):
        command: Any = world.bot.tree.get_command(name.split()[0])
        command.default_permissions = None  # as where a server's admins show it to everybody
        await world.bot.tree.sync()
        shown = await carol.slash(world.channel, name)
        assert ASKED in words(shown.response)
        told = await carol.click(shown.response.message, label=YES)
        assert "Only members who may manage this server" in words(told.response or told.followups[0])
        await erase_member(world.bot.database, world.settings.data, carol.id)
    assert not await world.bot.queue.jobs()


@pytest.mark.parametrize("arguments", [("mood_start",), ("recommend", "", "5", "match")])
def test_a_button_that_waits_fits_a_button_and_comes_back(arguments: tuple[str, ...]) -> None:
    action, *rest = arguments
    short = short_press(action, tuple(rest))
    assert 0 < len(short) <= LONGEST and from_short(short) == (action, tuple(rest))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("recommend", {"mood": "power"}),
        ("library search", {"query": "été : b", "tempo_from": 90}),
        ("admin limits", {"name": "upload_mb", "value": 1.5}),
    ],
)
def test_a_command_that_waits_fits_a_button_and_comes_back(name: str, options: dict[str, Any]) -> None:
    short = short_command(name, options)
    assert 0 < len(short) <= LONGEST and from_short(short) == (name, options)


def test_what_is_too_long_or_broken_waits_in_memory_only() -> None:
    assert short_command("library search", {"query": "x" * 90}) == ""
    assert short_command("upload", {"track": object()}) == "", "a file"
    for broken in ('c["mood"', "c[1]", 'c["mood", 3]', ""):
        assert from_short(broken) is None
