"""Words in the reader's language: placeholders, numbers, sentences that come from elsewhere, tasks."""

from __future__ import annotations

import asyncio
import io
import re
import string
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po

from bot.words.i18n import joined, number, percent, tr, trn
from bot.words.moods import mood_label, profile_text, translated
from core.moods.profile import Profile
from core.moods.questionnaire import next_question
from core.spoken import LANGUAGES, nearest_language, speaking, spoken
from research import messages
from research.messages import CATALOGUES, faults, found


def test_english_is_what_the_code_says() -> None:
    assert spoken() == "en"
    assert tr("Nobody translated {this:.1f}.", this=1.25) == "Nobody translated 1.2."
    assert trn("{count} thing", "{count} things", 1) == "1 thing"
    assert trn("{count} thing", "{count} things", 2) == "2 things"


def test_a_text_without_a_translation_stays_english() -> None:
    with speaking("de"):
        assert tr("Nobody translated {this:.1f}.", this=1.25) == "Nobody translated 1,2."


@pytest.mark.parametrize(
    ("language", "written"),
    [("en", "1,234.5 and 83%"), ("de", "1.234,5 and 83\u00a0%"), ("es", "1.234,5 and 83\u00a0%")],
)
def test_numbers(language: str, written: str) -> None:
    with speaking(language):
        assert f"{number(1234.5, ',.1f')} and {number(0.83, '.0%')}" == written
        assert tr("{a:,.1f} and {b:.0%}", a=1234.5, b=0.83) == written
        assert written.endswith(f" {percent(0.83)}")


@pytest.mark.parametrize(
    ("how", "value", "written"),
    [
        ("+.2f", -0.125, "-0,12"), ("+,.0f", 12345.6, "+12.346"), (",", 1234567, "1.234.567"), (".3f", 2, "2,000"),
        ("g", 0.5, "0,5"), ("g", 30, "30"), ("", 1234, "1234"), ("", 1234.5, "1234,5"), (".1%", -0.0625, "-6,2\u00a0%"),
    ],
)  # fmt: skip
def test_numbers_by_specification(how: str, value: float, written: str) -> None:
    with speaking("de"):
        assert number(value, how) == written
    with speaking("es"), pytest.raises(ValueError, match="x"):
        number(value, "x")


def test_lists() -> None:
    lists = {}
    for language in LANGUAGES:
        with speaking(language):
            lists[language] = [joined(["a", "b", "c"][:many]) for many in range(4)]
    assert lists == {
        "en": ["", "a", "a and b", "a, b and c"],
        "de": ["", "a", "a und b", "a, b und c"],
        "es": ["", "a", "a y b", "a, b y c"],
    }


def test_the_nearest_language() -> None:
    assert [nearest_language(code) for code in ("de", "de-AT", "es-419", "en-GB", "fr", "", None)] == [
        "de", "de", "es", "en", None, None, None,
    ]  # fmt: skip


async def test_each_task_speaks_its_own_language() -> None:
    async def one(language: str) -> tuple[str, str]:
        with speaking(language):
            await asyncio.sleep(0)
            return language, await asyncio.to_thread(spoken)

    assert await asyncio.gather(*(one(code) for code in LANGUAGES)) == [(code, code) for code in LANGUAGES]
    assert spoken() == "en"


def test_moods_and_questions_follow_the_reader() -> None:
    asked, sad = next_question([]), Profile({"sadness": 1.0})
    assert asked is not None
    with speaking("de"):
        german = mood_label("sadness"), translated(asked.text), profile_text(sad)
    with speaking("en"):
        english = mood_label("sadness"), translated(asked.text), profile_text(sad)
    assert all(one != other for one, other in zip(german, english, strict=True))


def test_no_text_writes_its_percent_sign_by_hand_in_another_way() -> None:
    """English has none before the sign, German and Spanish a space where no line breaks."""
    english = [form for message in found() for form in ([message] if isinstance(message, str) else message)]
    assert [text for text in english if re.search(r"[\d}]\s%", text)] == []
    others = [text for language in ("de", "es") for entry in read(language) if entry.id
              for text in ([entry.string] if isinstance(entry.string, str) else entry.string)]  # fmt: skip
    assert any("85\u00a0%" in text for text in others)
    others = [re.sub(r"\{\w+:\.\d%\}", "{written by bot.words.i18n}", text) for text in others]
    assert [text for text in others if re.search(r"[\d}](%| %)", text)] == []


@pytest.mark.parametrize("language", ["de", "es"])
def test_every_text_is_translated_with_the_same_placeholders(language: str) -> None:
    """`make messages` adds what is missing here; its empty msgstr is to be filled in."""
    known = {
        (entry.id if isinstance(entry.id, str) else entry.id[0]): entry
        for entry in read(language)
        if entry.id
    }
    missing, differing = [], []
    for message in found():
        one, forms = (message, (message,)) if isinstance(message, str) else (message[0], message)
        entry = known.get(one)
        said = () if entry is None else (entry.string,) if isinstance(entry.string, str) else entry.string
        if len(said) != len(forms) or not all(said) or (entry is not None and entry.fuzzy):
            missing.append(one)
            continue
        wanted = {field for form in forms for field in fields(form)}
        differing += [text for text in said if fields(text) != wanted]
    assert not missing and not differing


@pytest.mark.parametrize("language", ["de", "es"])
def test_catalogues_hold_nothing_else_and_nothing_twice(language: str) -> None:
    text = (CATALOGUES / f"{language}.po").read_text("utf-8")
    ids = re.findall(r'^msgid "(.*)"$', text, re.MULTILINE)
    ids = [one for one in ids if one]  # texts of several lines begin with an empty one
    assert len(ids) == len(set(ids)), "make messages"
    wanted = {message if isinstance(message, str) else message[0] for message in found()}
    written = {entry.id if isinstance(entry.id, str) else entry.id[0] for entry in read(language) if entry.id}
    assert written == wanted, "make messages"


def test_every_text_on_a_card_is_marked() -> None:
    assert [str(fault) for fault in faults()] == []


def test_what_is_not_marked_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    (tmp_path / "bot" / "features").mkdir(parents=True)
    (tmp_path / "bot" / "features" / "card.py").write_text(
        '"""A card with these words."""\n'
        "WORDS = tr('too early')\n"
        "def card(name):\n"
        "    text('Unmarked'); text(tr('marked words')); text(f'hello there {name}')\n"
        "    Press('act', label='Go'); log.info('words in a log'); raise UserError(f'no {name} here')\n"
    )
    found_faults = [str(fault) for fault in faults()]
    assert len(found_faults) == 5
    assert all(
        any(word in fault for fault in found_faults) for word in ("Unmarked", "hello", "Go", "mark()", "f'")
    )


def read(language: str) -> Any:
    return read_po(io.BytesIO((CATALOGUES / f"{language}.po").read_bytes()), locale=language)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
