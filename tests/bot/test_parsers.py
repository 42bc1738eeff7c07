"""Every parser that runs in the bot's own process on what strangers send: each text is read, or refused in a sentence,
within a tenth of a second of processor time. Files are read elsewhere (tests/core/library/test_playlist_files.py)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot import autocomplete
from bot.consent import from_short, short_command, short_press
from bot.features.similar.cards import SimilarQuestion
from bot.router import route, whole
from bot.service.listening import file_name
from bot.theme import plain
from bot.words.names import short
from bot.words.say import say
from core.errors import UserError, fact
from core.library import matching, query, tags
from core.library.playlist_files import Item
from core.moods import questionnaire
from core.recommend import steer, tuning
from tests.bot.conftest import World
from tests.bot.test_ids import answered

MOST_SECONDS = 0.1
LONGEST = 6000
"""Characters that Discord lets an option have; custom ids have 100, file names no limit that it tells."""

PIECES = [
    *("1", "9.", "٣", "²", " ", "\t\n", "\u0300\u0316", "\u202e\u200b", "\0", "\ud800", "\ufdfa", "ß", "İ", "ﬃ", "👨‍👩‍👧", "字"),
    *("(", "[(", ")", "'", "’a", " - ", "&", " and ", "feat.", ",", "-", "_", "a_", "#", "b ", "A-", "d minor ", "120 bpm ", "120-"),
    *('"', '" "', "\\", "%", "*", "~~", "||", "<@1>", "@everyone", "://", "https://a.b/", "[a](", "{", "{0}", "{count}", "%s"),
    *(":", "m", "ms:play:", "mf:", "track:", "list:", "entry:", "c[", "b", "without ", "calm ", "the ", "A", "É"),
]  # fmt: skip
REPEATED = st.tuples(st.sampled_from(PIECES), st.integers(1, LONGEST)).map(lambda one: one[0] * one[1])
TEXTS = st.text(max_size=300) | st.lists(REPEATED | st.sampled_from(PIECES), min_size=1, max_size=4).map(
    lambda parts: "".join(parts)[:LONGEST]
)


def _row(title: str) -> dict[str, Any]:
    return {"id": 1, "title": title, "artist": title, "duration_s": 1.0}


def _matched(text: str) -> None:
    item = Item(text[: tags.LONGEST], text[: tags.LONGEST], duration_s=1.0)
    for title, artist in matching.readings(item):
        rows: Any = [_row(title), _row(text[: tags.LONGEST][::-1])]
        matching.best(rows, item, title, artist)


PARSERS: dict[str, Callable[[str], object]] = {
    "custom ids": lambda text: route({"custom_id": text[:100], "values": [text[:100]]}),
    "what a form says": lambda text: route({"custom_id": "mf:x:1", "components": [{"value": text[:4000]}]}),
    "numbers": whole,
    "what waits for a yes": lambda text: from_short(text[:100]),
    "a command in a few characters": lambda text: from_short(short_command(text, {text: text})),
    "a button in a few characters": lambda text: from_short(short_press(text, (text,))),
    "searches": query.parse,
    "keys": query.parse_key,
    "words": query.split,
    "words as they are compared": lambda text: [query.fold(text) for _ in range(20)],
    "names of files": tags.from_file_name,
    "tags": tags.clean,
    "names of lists": tags.one_line,
    "names of attachments": file_name,
    "texts on cards": plain,
    "titles on buttons": short,
    "choices": lambda text: autocomplete.choice(autocomplete.named(text, text, 1.0), text),
    "entries of a list": lambda text: autocomplete.chosen_entry([], text),
    "entries of an imported list": _matched,
    "weights": tuning.weight_from,
    "rules": tuning.the_rule,
    "steers": lambda text: steer.pressed(("more.piano",), text),
    "steers taken back": lambda text: steer.taken_back((), text),
    "what is compared": lambda text: SimilarQuestion.of(1, text, text, text, text),
    "answers": lambda text: questionnaire.next_question([{"question": text, "answer": whole(text)}]),
    "facts": lambda text: say(UserError(text)) + say(fact("skipped", title=text)),
}


@pytest.mark.parametrize("kind", PARSERS)
@settings(max_examples=120, deadline=None)
@given(TEXTS)
@example("\ufdfa" * LONGEST)
@example("a" + "\u0300\u0316" * (LONGEST // 2))
@example("(" * LONGEST)
@example(" - " * (LONGEST // 3))
@example("1" * LONGEST)
@example("120-" * (LONGEST // 4))
@example("A " * (LONGEST // 2))
def test_every_text_is_read_or_refused_at_once(kind: str, text: str) -> None:
    taken = _seconds(PARSERS[kind], text)
    if taken >= MOST_SECONDS:  # tables are read when they are first asked for
        taken = _seconds(PARSERS[kind], text)
    assert taken < MOST_SECONDS


def _seconds(parser: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    try:
        parser(text)
    except UserError as refusal:
        assert say(refusal)
    return time.thread_time() - began


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS)
@example("\ufdfa" * LONGEST)
@example("\0")
@example('"' * 100)
async def test_every_option_that_takes_a_text_answers(
    world: World, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    caplog.clear()
    text = text.encode("utf-8", "ignore").decode()  # Discord's is UTF-8, which has no halves of characters
    name = text[:60] or "x"
    for command, options in (
        ("library search", {"query": text[:200] or "x", "genre": text, "key": text}),
        ("library search", {"query": text[:200] or "x", "genre": text}),
        ("library browse", {"genre": text}),
        ("library track", {"track": text or "x"}),
        ("similar", {"track": text or "x", "by": "sound"}),
        ("playlist create", {"name": name, "track": text or "x"}),
        ("playlist create", {"name": name}),
        ("playlist show", {"playlist": text or "x"}),
        ("playlist add", {"playlist": text or "x", "track": "track:1"}),
        ("playlist rename", {"playlist": text or "x", "name": name}),
        ("playlist import", {"file": (f"{name}.m3u", text.encode("utf-8", "replace")), "name": name}),
    ):
        assert answered(await world.alice.slash(world.channel, command, **options)), command
    for command, option in (
        ("library search", "query"),
        ("library search", "genre"),
        ("library browse", "key"),
        ("similar", "track"),
        ("playlist add", "playlist"),
        ("playlist remove", "track"),
    ):
        await world.alice.autocomplete(world.channel, command, option, text)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
