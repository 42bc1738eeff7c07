"""Words in the reader's language: placeholders, numbers, sentences that come from elsewhere, tasks."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import UserError
from core.i18n import LANGUAGES, nearest, number, retold, speaking, spoken, tr, trn
from core.moods.profile import Profile, mood_label
from core.moods.questionnaire import next_question

CHOOSE = "I don't speak {language!r}; choose one of {known}."


def test_english_is_what_the_code_says() -> None:
    assert spoken() == "en"
    assert tr("Nobody translated {this:.1f}.", this=1.25) == "Nobody translated 1.2."
    assert trn("{count} thing", "{count} things", 1) == "1 thing"
    assert trn("{count} thing", "{count} things", 2) == "2 things"


def test_a_text_without_a_translation_stays_english() -> None:
    with speaking("de"):
        assert tr("Nobody translated {this:.1f}.", this=1.25) == "Nobody translated 1,2."


def test_errors_are_english_in_logs_and_translated_on_cards() -> None:
    error = UserError(CHOOSE, language="fr", known="en, de")
    assert str(error) == "I don't speak 'fr'; choose one of en, de."
    with speaking("de"):
        assert error.said() == "Ich spreche kein 'fr'; wähle aus: en, de."
    assert error.said() == str(error)


def test_a_finished_sentence_is_recognised_by_its_template() -> None:
    sentence = str(UserError(CHOOSE, language="fr", known="en, de"))
    with speaking("de"):
        assert retold(sentence) == "Ich spreche kein 'fr'; wähle aus: en, de."
        assert retold("Nobody has ever said this.") == "Nobody has ever said this."
    assert retold(sentence) == sentence


@pytest.mark.parametrize(
    ("language", "written"),
    [("en", "1,234.5 and 83%"), ("de", "1.234,5 and 83\u00a0%"), ("es", "1.234,5 and 83\u00a0%")],
)
def test_numbers(language: str, written: str) -> None:
    with speaking(language):
        assert f"{number(1234.5, ',.1f')} and {number(0.83, '.0%')}" == written
        assert tr("{a:,.1f} and {b:.0%}", a=1234.5, b=0.83) == written


def test_the_nearest_language() -> None:
    assert [nearest(code) for code in ("de", "de-AT", "es-419", "en-GB", "fr", "", None)] == [
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
    with speaking("de"):
        german = mood_label("sadness"), next_question([]), Profile({"sadness": 1.0}).summary()
    with speaking("en"):
        english = mood_label("sadness"), next_question([]), Profile({"sadness": 1.0}).summary()
    assert german[0] == mood_label("sadness", "de") != english[0]
    assert german[1] is not None and english[1] is not None and german[1].text != english[1].text
    assert german[2] == Profile({"sadness": 1.0}).summary("de") != english[2]
