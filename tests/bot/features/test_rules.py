"""/admin rules as those who manage a server use it: look, try, apply, undo; and who may not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from bot.features.rules.cards import (
    PAGE,
    changes_card,
    number_form,
    preview_card,
    rule_card,
    rules_card,
    topics,
)
from bot.service.catalogs import Catalogs
from bot.words.rules import rule_named
from core.library.consent import agree
from core.library.rule_weights import RuleChange
from core.library.schema import open_database
from core.library.tracks import Library
from core.moods.profile import Profile
from core.recommend.table import load_rules
from core.recommend.weight_preview import Outcome, Place, samples
from core.spoken import LANGUAGES, speaking
from tests.bot.conftest import World, labels, press_ids, raw, walk, within_budget, words

LOUDNESS = "peacefulness.mix.loudness"


def list_id(message: Any, action: str) -> str:
    return next(
        part["custom_id"]
        for part in walk(raw(message))
        if part.get("type") == 3 and part["custom_id"].startswith(f"mc:{action}:")
    )


async def opened(world: World, rule: str = LOUDNESS) -> Any:
    """The card of a rule, by the way an admin goes."""
    card = (await world.admin.slash(world.channel, "admin rules")).response
    within_budget(card)
    await choose(world, card, "rules_topic", rule.split(".")[0])
    await choose(world, card, "rules_open", rule)
    return card


async def choose(world: World, card: Any, action: str, value: str) -> None:
    chosen = await world.admin.select(card.message, [value], custom_id=list_id(card, action))
    assert chosen.acknowledged
    within_budget(card)


async def press(world: World, card: Any, label: str) -> Any:
    pressed = await world.admin.click(card.message, label=label)
    assert pressed.acknowledged
    within_budget(card)
    return pressed


async def scores(world: World, channel: Any = None, who: Any = None) -> list[tuple[int, float]]:
    """What a calm member gets: track ids with their scores."""
    who = who or world.alice
    await world.bot.moods.finish(who.id, Profile({"peacefulness": 1.0}))
    await who.slash(channel or world.channel, "recommend", count=10)
    row = await world.bot.database.fetch_one("SELECT tracks FROM recommendation ORDER BY id DESC LIMIT 1")
    await world.bot.database.write("DELETE FROM recommendation")  # what was shown would step back
    return [(pick["track_id"], pick["score"]) for pick in json.loads(row["tracks"])]


async def test_rules_can_be_browsed_by_mood_and_source(world: World) -> None:
    card = (await world.admin.slash(world.channel, "admin rules")).response
    assert "## Rules: Wonder" in words(card)
    await choose(world, card, "rules_topic", "peacefulness")
    assert "23 rules" in words(card) and "1 / 3" in labels(card)
    for page in ("2 / 3", "3 / 3", "1 / 3"):
        await world.admin.click(card.message, custom_id=press_ids(card, "rules_page")[1])
        assert page in labels(card)
        within_budget(card)
    await choose(world, card, "rules_source", "drums")
    assert "· the drums" in words(card) and "of the drums" in words(card)
    await choose(world, card, "rules_topic", "preference.vocals")
    await choose(world, card, "rules_source", "guitar")
    assert "No rule of this kind" in words(card)


async def test_a_change_is_shown_before_it_is_made_and_counts_at_once(world: World) -> None:
    before = await scores(world)
    card = await opened(world)
    assert "The direction is the literature's" in words(card) and "as shipped" in words(card)
    await press(world, card, "More")
    text = words(card)
    assert ("what would change" in text and "No longer" in text) or "another place" in text
    assert await scores(world) == before, "nothing is saved yet"
    to_come = [
        line.split(" · ")[0].split("** ")[1]
        for line in text.splitlines()
        if line.startswith("**") and ".** " in line
    ]
    await press(world, card, "Apply")
    assert "Saved" in words(card) and "set here" in words(card) and "Undo" in labels(card)
    after = await scores(world)
    assert after != before
    titles = [(await world.bot.library.get(track)).title for track, _ in after]
    assert to_come == titles, "the preview was true"
    await press(world, card, "Undo")
    assert "Undone" in words(card) and "set here" not in words(card)
    assert await scores(world) == before
    log = words((await world.admin.slash(world.channel, "admin log")).response)
    [rule] = [rule for rule in load_rules() if rule.id == "peacefulness.mix.loudness"]
    doubled = f"{2 * rule.weight:.2f}"
    assert f"**rule** low loudness for Peacefulness: as shipped → {doubled}" in log.replace("\\", "")
    assert "rule undone" in log


async def test_every_sample_can_be_looked_at(world: World) -> None:
    card = await opened(world)
    await press(world, card, "Off")
    assert "switched off" in words(card)
    for number in range(9):
        await choose(world, card, "rules_sample", str(number))
    assert "**Peacefulness, " in words(card)
    await press(world, card, "Don't change")
    assert "as shipped" in words(card)
    assert not await world.bot.database.fetch("SELECT 1 FROM rule_change")


async def test_a_number_can_be_typed(world: World) -> None:
    card = await opened(world)
    asked = await world.admin.click(card.message, label="Number …")
    assert asked.modal is not None
    [field] = [part["custom_id"] for part in walk(asked.modal["components"]) if part.get("type") == 4]
    sent = await world.admin.submit_modal(asked, {field: "0,25"})
    assert sent.acknowledged and "weight 0.25" in words(card)
    await press(world, card, "Apply")
    [row] = await world.bot.database.fetch("SELECT * FROM rule_weight")
    assert (row["guild_id"], row["rule"], row["weight"]) == (world.channel.guild.id, LOUDNESS, 0.25)
    asked = await world.admin.click(card.message, label="Number …")
    refused = await world.admin.submit_modal(asked, {field: "loud"})
    assert refused.ephemeral and "from 0 (off) to 10" in words(refused.response)


async def test_a_form_that_was_open_during_a_restart_still_counts(world: World) -> None:
    card = await opened(world)
    asked = await world.admin.click(card.message, label="Number …")
    [field] = [part["custom_id"] for part in walk(asked.modal["components"]) if part.get("type") == 4]
    await world.restart()
    sent = await world.admin.submit_modal(asked, {field: "4"})
    assert sent.acknowledged and "weight 4" in words(card)
    await world.restart()
    await press(world, card, "Apply")
    await world.restart()
    await press(world, card, "Undo")
    assert "Undone" in words(card)


async def test_changes_are_listed_with_who_and_when_and_survive(world: World) -> None:
    card = await opened(world)
    await press(world, card, "Changes")
    assert "Nothing yet" in words(card)
    for number in range(5):
        card = await opened(world)
        for label in ("More" if number % 2 else "Less", "Apply"):
            await press(world, card, label)
    for _ in range(5):
        await press(world, card, "Undo")
    assert "Undo" not in labels(card)
    await press(world, card, "Changes")
    text = words(card)
    assert text.count(f"<@{world.admin.id}>") == 8 and "<t:" in text
    await press(world, card, "Older")
    assert words(card).count("(undone)") == 2 and "Older" not in labels(card)


async def test_weights_are_one_servers_only(world: World) -> None:
    mallory = world.env.create_user("mallory")
    other = world.env.create_guild("Other", owner=mallory)
    there, boss = other.create_text_channel("general"), other.add_member(mallory)
    await agree(world.bot.database, mallory.id)
    before = await scores(world)
    card = await opened(world)
    await press(world, card, "Off")
    await press(world, card, "Apply")
    assert await scores(world) != before
    assert await scores(world, there, boss) == before, "the other server's answers are what they were"
    theirs = (await boss.slash(there, "admin rules")).response
    await boss.select(theirs.message, ["peacefulness"], custom_id=list_id(theirs, "rules_topic"))
    assert "of this server's own" not in words(theirs)


async def test_another_process_knows_of_it_with_the_next_answer(world: World) -> None:
    """Two services of catalogs on one database, as two bots have them, without restart or signal between them."""
    catalog = await world.bot.catalogs.of(world.channel.guild.id)
    guild = world.channel.guild.id
    async with await open_database(world.settings.database) as database:
        other = Catalogs(database, Library(database), uploads=True)
        assert (await other.of(guild)).weights == {} == catalog.weights
        card = await opened(world)
        await press(world, card, "Off")
        await press(world, card, "Apply")
        assert (await other.of(guild)).weights == {LOUDNESS: 0.0}
        assert (await other.of(guild + 1)).weights == {}
        assert (await other.of(None)).weights == {}


async def test_steers_and_reasons_follow_the_changed_rules(world: World) -> None:
    card = await opened(world)
    await press(world, card, "Off")
    await press(world, card, "Apply")
    await world.bot.moods.finish(world.alice.id, Profile({"peacefulness": 1.0}))
    shown = (await world.alice.slash(world.channel, "recommend")).response
    await world.alice.click(shown.message, label="Calmer")
    rows = await world.bot.database.fetch("SELECT tracks FROM recommendation")
    assert len(rows) == 2
    for row in rows:
        for pick in json.loads(row["tracks"]):
            assert LOUDNESS not in {reason["rule"] for reason in (*pick["reasons"], *pick["against"])}
    why = await world.alice.click(shown.message, custom_id=press_ids(shown, "rec_why")[1])
    assert "What would rank higher" in words(why.response), "asked again, the same list comes out"


async def test_a_stale_preview_is_not_applied(world: World) -> None:
    card = await opened(world)
    await press(world, card, "More")
    second = await opened(world, "peacefulness.mix.tempo")
    await press(world, second, "Off")
    await press(world, second, "Apply")
    refused = await world.admin.click(card.message, label="Apply")
    assert refused.ephemeral and "changed since" in words(refused.response)
    assert len(await world.bot.database.fetch("SELECT 1 FROM rule_weight")) == 1


async def test_only_those_who_manage_the_server(world: World) -> None:
    assert "admin rules" not in world.alice.available_commands(world.channel)
    card = await opened(world)
    await press(world, card, "Off")
    view = await world.bot.get_cog("Rules").rule_view(world.channel.guild.id, _rule())
    await world.bot.get_channel(world.channel.id).send(view=view)
    message = world.channel.last_message
    for action in ("rules_try", "rules_number", "rules_page", "rules_changes"):
        refused = await world.bob.click(message, custom_id=press_ids(message, action)[0])
        assert refused.ephemeral and "Only members who may manage" in words(refused.response), action


def _rule() -> Any:
    from core.recommend.tuning import the_rule

    return the_rule(LOUDNESS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_card_of_every_rule_fits_in_every_language(language: str) -> None:
    """With the longest titles that a library may have."""
    titles = [FakeTrack(number, "W" * 300, "M" * 300) for number in range(20)]
    everything = {rule.id: 9.99 for rule in load_rules()}
    with speaking(language):
        for topic in topics():
            rules = [rule for rule in load_rules() if rule.topic == topic]
            for page in range(-(-len(rules) // PAGE)):
                fits(rules_card(rules, everything, topic, "all", page))
        for rule in load_rules():
            fits(
                rule_card(
                    rule, everything, "✅", RuleChange(10**9, 10**18, rule.id, 1.0, 2.0, 10**9, None, False)
                )
            )
            asked = number_form(rule, 9.99)
            assert len(asked.title) <= 45 and len(asked.custom_id) <= 100
        longest = max(load_rules(), key=lambda rule: len(rule.id))
        outcomes = [
            Outcome(
                sample, [Place(track, place, None) for place, track in enumerate(titles[:10], 1)], titles[10:]
            )
            for sample in samples(longest)
        ]
        fits(preview_card(longest, everything, {**everything, longest.id: 0.0}, "9.99", outcomes, 0))
        changes = [
            RuleChange(10**9 + number, 10**18, longest.id, 1.23, 9.99, 10**9, 5, True)
            for number in range(PAGE)
        ]
        known = {rule.id: rule for rule in load_rules()}
        fits(changes_card(changes, known, 3, more=True, undoable=changes[0]))


@dataclass(frozen=True)
class FakeTrack:
    id: int
    title: str
    artist: str
    genre: str = "Folk"
    content_hash: str = "0"


def fits(card: Any) -> None:
    within_budget(SimpleNamespace(components=card.to_components()))


def test_no_rule_is_high_in_what_cannot_be_high() -> None:
    named = {rule_named(rule) for rule in load_rules()}
    assert {"major keys for Wonder", "minor keys for Sadness", "few notes a second for Sleep"} <= named
    assert "many notes a second of the drums for Joyful activation" in named
    assert not {one for one in named if "major or minor" in one or "notes per second" in one}
