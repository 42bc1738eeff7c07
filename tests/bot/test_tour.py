"""Every command and every button there is, in German and Spanish: each card within Discord's budget, no English left.

The tour runs every command, then presses whatever the cards offer, the actions that were pressed least first, and
what takes something away last. A new command or button is in it by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from core.library.consent import agree
from core.moods.profile import Profile
from core.spoken import speaking
from jobs.runner import Runner
from tests.bot.conftest import World, discord_set_to, previews_ready, raw, tick, walk, within_budget
from tests.make import plucked

pytestmark = pytest.mark.slow

OPTIONS: dict[str, Any] = {
    "track": "Letters from Trieste", "playlist": "tour", "query": "calm piano", "language": "auto", "name": "tour",
    "place": 1,
}  # fmt: skip
"""Values of options that a command must have."""

CALLS: dict[str, list[dict[str, Any]]] = {
    "recommend": [{}, {"mood": "sadness", "occasion": "study", "aim": "lift", "count": 12}],
    "library search": [{"query": "calm piano"}, {"query": "xqzt", "key": "D minor", "tempo_from": 60}],
    "similar": [{"track": "Letters from Trieste"}, {"practise": "guitar"}],
    "admin limits": [{}, *[{"name": "upload_mb", "value": 1.5}, {"name": "upload_mb"}] * 6],
    "playlist rename": [{"playlist": "tour", "name": "tour"}],
    "playlist import": [{"file": ("list.m3u", b"#EXTM3U\n#EXTINF:180,Nobody - Nothing\nnothing.mp3\n")}],
    "history": [{}, {"only": "played"}],
    "mood": [{}, {"form": "long"}],
}
LAST = ("playlist remove", "playlist delete")
"""Commands after which there is less to look at."""

TAKES_AWAY = {
    "privacy_erase",
    "mood_forget",
    "pl_gone",
    "upload_remove",
    "consent_no",
    "admin_cancel",
    "job_cancel",
}

OTHERWISE = {"consent_yes", "consent_no"}
"""Actions that the tour's member has behind them; they have tests of their own."""

ENGLISH = re.compile(
    r"\b(the|and|your|you|with|this|that|from|are|have|is|of|by|it|its|for|to|not|was your|which|what|there|here|more|"
    r"less|tracks?|song|upload it|please|choose|none|done|waiting)\b"
)


@pytest.fixture
def separator() -> str:
    return "unet"


class Tour:
    """Presses, and looks at everything that comes back."""

    def __init__(self, world: World, runner: Runner, names: set[str]) -> None:
        self.world, self.runner = world, runner
        self.working = True
        self.cards: dict[int, Any] = {}
        self.in_channel: dict[int, Any] = {}
        self.pressed: Counter[str] = Counter()
        self.round: Counter[str] = Counter()
        self.tried: set[tuple[int, str, str]] = set()
        self.english: set[str] = set()
        self.names = re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)))

    def look(self, message: Any) -> None:
        if message is None:
            return
        self.cards[message.id] = message
        if message.components:
            within_budget(message)
        for text in said(message):
            bare = self.names.sub("", re.sub(r"`[^`]*`|\]\([^)]*\)|/[a-z]+( [a-z]+)?|<[^>]*>", "", text))
            if bare and ENGLISH.search(bare):
                self.english.add(text)

    async def answer(self, result: Any) -> None:
        if result.modal is not None:
            self.read_form(result.modal)
            self.pressed[result.modal["custom_id"].split(":")[1]] += 1
            result = await self.world.admin.submit_modal(result, filled(result.modal))
        if result.response is not None:
            self.look(result.response)
        before = self.in_channel
        self.in_channel = {message.id: message for message in self.world.channel.history()}
        for message in self.in_channel.values():
            self.look(message)
        for gone in before.keys() - self.in_channel.keys():  # taken down with who was erased
            del self.cards[gone]
        while self.working and await self.runner.run_one():
            await tick(self.world)
            for message in self.world.channel.history():
                self.look(message)

    def read_form(self, modal: dict[str, Any]) -> None:
        texts = [modal["title"], *texts_of(modal["components"])]
        assert len(modal["title"]) <= 45
        self.english |= {text for text in texts if ENGLISH.search(self.names.sub("", text))}

    def next(self, last: bool) -> tuple[Any, dict[str, Any]] | None:
        """The button or list whose action was pressed least, once in each round, on any card."""
        found = []
        for message in self.cards.values():
            for part in walk(raw(message)):
                custom_id = part.get("custom_id")
                if not custom_id or part.get("disabled") or (message.id, custom_id, "") in self.tried:
                    continue
                action = custom_id.split(":")[1]
                if self.round[action] < 1 and (action in TAKES_AWAY) == last:
                    found.append((self.pressed[action], message.id, message, part))
        return min(found, key=lambda one: one[:2])[2:] if found else None

    async def press_all(self, *, taking_away: bool) -> None:
        self.round.clear()
        while (chosen := self.next(taking_away)) is not None:
            await self.press(*chosen)

    async def press_one(self, message: Any, action: str) -> None:
        """The first button of this action, if the card has one."""
        parts = (
            part for part in walk(raw(message)) if re.match(rf"m[sc]:{action}:", part.get("custom_id", ""))
        )
        if (part := next(parts, None)) is not None:
            await self.press(message, part)

    async def press(self, message: Any, part: dict[str, Any]) -> None:
        custom_id = part["custom_id"]
        self.pressed[custom_id.split(":")[1]] += 1
        self.round[custom_id.split(":")[1]] += 1
        self.tried.add((message.id, custom_id, ""))
        if part["type"] == 3:
            value = part["options"][self.pressed[custom_id.split(":")[1]] % len(part["options"])]["value"]
            result = await self.world.admin.select(message, [value], custom_id=custom_id)
        else:
            result = await self.world.admin.click(message, custom_id=custom_id)
        await self.answer(result)


def said(message: Any) -> list[str]:
    return [message.content or "", *texts_of(raw(message))]


def texts_of(components: list[dict[str, Any]]) -> list[str]:
    """Whatever a member reads on a card or a form, descriptions of pictures included."""
    texts = []
    for part in walk(components):
        texts += [part.get("content"), part.get("label"), part.get("placeholder"), part.get("description")]
        for option in part.get("options") or []:
            texts += [option.get("label"), option.get("description")]
        texts += [item.get("description") for item in part.get("items") or []]
        if isinstance(part.get("component"), dict):
            texts += texts_of([part["component"]])
    return [text for text in texts if isinstance(text, str)]


def filled(modal: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for part in walk(modal["components"]):
        field = part.get("component") or part
        if field.get("type") == 4:
            values[field["custom_id"]] = "0.25"
        elif field.get("options"):
            values[field["custom_id"]] = [field["options"][0]["value"]]
    return values


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", ["de", "es"])
async def test_everything_in_another_language(
    world: World, runner: Runner, drawn_here: None, language: str
) -> None:
    with discord_set_to(language), speaking("en"):
        await previews_ready(world)
        await world.bot.moods.finish(world.admin.id, Profile({"nostalgia": 1.0, "power": 0.4}))
        tracks = await world.bot.library.tracks()
        names = {
            part for track in tracks for part in (track.title, track.artist, track.album, track.genre) if part
        }
        tour = Tour(world, runner, names | {"tour", "xyzzy.wav", "list", "moodstem", "Nobody - Nothing"})
        commands = {
            command.qualified_name: command
            for command in world.bot.tree.walk_commands()
            if hasattr(command, "parameters")
        }
        await tour.answer(await world.admin.slash(world.channel, "upload", track=("xyzzy.wav", plucked(5))))
        await tour.answer(
            await world.admin.slash(world.channel, "playlist create", name="tour", track=OPTIONS["track"])
        )
        for name in sorted(commands, key=lambda name: (name in LAST, name)):
            if name in ("upload", "playlist create", *LAST):
                continue
            needed = {
                one.name: OPTIONS[one.name]
                for one in commands[name].parameters
                if one.required and one.name in OPTIONS
            }
            for options in CALLS.get(name, [needed]):
                await tour.answer(await world.admin.slash(world.channel, name, **options))
        await tour.press_all(taking_away=False)
        tour.working = False  # a card of what waits
        await tour.answer(await world.admin.slash(world.channel, "upload", track=("xyzzy2.wav", plucked(4))))
        for name in ("history", "admin jobs", "jobs", "admin log"):
            await tour.answer(await world.admin.slash(world.channel, name))
        for track in tracks[:4]:
            await tour.answer(
                await world.admin.slash(world.channel, "playlist add", playlist="tour", track=track.title)
            )
        for name in ("playlist show", "playlist play"):
            await tour.answer(await world.admin.slash(world.channel, name, playlist="tour"))
        for number in range(9):
            await world.admin.slash(world.channel, "playlist create", name=f"tour{number}")
        await tour.answer(await world.admin.slash(world.channel, "playlist show"))
        for name, action in (("party", "party_make"), ("mood", "mood_start"), ("recommend", "play")):
            shown = (await world.admin.slash(world.channel, name)).response
            await tour.press_one(shown, action)
        asked = (await world.admin.slash(world.channel, "mood")).response
        for action in ("mood_answer", "mood_stop", "mood_finish"):
            await tour.press_one(asked, action)
        await tour.press_all(taking_away=False)
        await tour.press_all(taking_away=True)
        await agree(world.bot.database, world.admin.id)
        await world.bot.moods.forget(world.admin.id)
        for name, action in (("recommend", "recommend_mood"), ("journey", "jr_from")):  # of somebody unknown
            await world.bot.moods.forget(world.admin.id)
            await tour.press_one((await world.admin.slash(world.channel, name)).response, action)
        for name in LAST:
            needed = {one.name: OPTIONS[one.name] for one in commands[name].parameters if one.required}
            await tour.answer(await world.admin.slash(world.channel, name, **needed))
        await tour.press_all(taking_away=False)
        never = set(world.bot.handlers) - set(tour.pressed) - OTHERWISE
        assert not never, never
        assert not tour.english


def test_the_tour_knows_english_when_it_sees_it() -> None:
    assert ENGLISH.search("Nothing yet: give me a track") and ENGLISH.search("about 3 minutes to go")
    assert not ENGLISH.search("Das war alles, was ich gerade habe") and not ENGLISH.search(
        "Es lo que elegí para ti"
    )
