"""/mood as a member uses it: every button, restarts, old cards."""

from __future__ import annotations

import asyncio
import gc
import re
from pathlib import Path
from typing import Any

import discord
import pytest

import bot
from bot.app import features
from bot.features.mood.cards import mood_form
from core.errors import UserError
from core.moods.questionnaire import SHORT_FORM, profile, questions, questions_at_once
from core.spoken import LANGUAGES, speaking
from tests.bot.conftest import World, labels, press_ids, within_budget, words


async def begin(world: World, **options: Any) -> Any:
    shown = await world.alice.slash(world.channel, "mood", **options)
    assert shown.response is not None and shown.response.ephemeral
    within_budget(shown.response)
    return shown.response


async def answer(world: World, card: Any, label: str | None = None) -> Any:
    """Press one of the five answers; the card changes in place."""
    choices = press_ids(card, "mood_answer")
    assert len(choices) == 5
    ids = [choices[3]] if label is None else None
    if ids:
        await world.alice.click(card.message, custom_id=ids[0])
    else:
        await world.alice.click(card.message, label=label)
    within_budget(card)
    return card


async def finish(world: World, card: Any) -> Any:
    for _ in range(SHORT_FORM):
        if not press_ids(card, "mood_answer"):
            return card
        card = await answer(world, card)
    return card


async def test_the_short_form_ends_with_a_profile(world: World) -> None:
    card = await begin(world)
    assert "Question 1 of" in words(card)
    card = await finish(world, card)
    assert "Your mood right now" in words(card)
    assert {"Relax", "Study", "Workout"} <= set(labels(card))
    profile = await world.bot.moods.profile(world.alice.id)
    assert profile is not None and max(profile.moods.values()) > 0.3
    assert await world.bot.moods.sitting(world.alice.id) is None


async def test_progress_moves_and_back_returns(world: World) -> None:
    card = await begin(world)
    first = words(card)
    assert "Back" not in labels(card)
    said = labels(card)[1]
    card = await answer(world, card, said)
    assert "Question 2 of" in words(card)
    await world.alice.click(card.message, label="Back")
    assert f"you said “{said}”" in words(card)
    assert first.split("###")[1] in words(card)


async def test_skipping_everything_gives_no_profile(world: World) -> None:
    card = await begin(world)
    for _ in range(SHORT_FORM):
        await world.alice.click(card.message, label="Skip")
    assert "skipped every question" in words(card)
    assert await world.bot.moods.profile(world.alice.id) is None
    await world.alice.click(card.message, label="Start over")
    assert "Question 1 of" in words(card)


async def test_stop_keeps_the_answers_and_goes_on(world: World) -> None:
    card = await begin(world)
    card = await answer(world, card)
    await world.alice.click(card.message, label="Stop")
    assert "Your 1 answer is kept" in words(card)
    await world.alice.click(card.message, label="Go on")
    assert "Question 2 of" in words(card)


async def test_finish_early_with_what_was_said(world: World) -> None:
    card = await begin(world)
    await world.alice.click(card.message, label="Stop")
    assert "Finish with these" not in labels(card)
    await world.alice.click(card.message, label="Go on")
    card = await answer(world, card)
    await world.alice.click(card.message, label="Stop")
    await world.alice.click(card.message, label="Finish with these")
    assert "Your mood right now" in words(card)


async def test_restart_in_the_middle_loses_nothing(world: World) -> None:
    card = await begin(world)
    card = await answer(world, await answer(world, card))
    before = words(card)
    await world.restart()
    again = await begin(world)
    assert "where you left off" in words(again) and "Question 3 of" in words(again)
    assert before.split("###")[1] == words(again).split("###")[1]
    # The old card still works after the restart, too.
    await world.alice.click(card.message, custom_id=press_ids(card, "mood_answer")[0])
    assert "Question 4 of" in words(card)
    await finish(world, card)
    assert "Your mood right now" in words(card)


async def test_an_old_card_answers_nothing_twice(world: World) -> None:
    old = await begin(world)
    stale = press_ids(old, "mood_answer")[4]
    other = await begin(world)
    await answer(world, other)
    await world.alice.click(old.message, custom_id=stale)
    assert "That card was an old one" in words(old) and "Question 2 of" in words(old)
    sitting = await world.bot.moods.sitting(world.alice.id)
    assert sitting is not None and len(sitting.answers) == 1


async def test_long_form_asks_all_forty(world: World) -> None:
    card = await begin(world, form="long")
    assert "of 40" in words(card)
    for asked in range(40):
        assert press_ids(card, "mood_answer"), f"the long form ended after {asked}"
        card = await answer(world, card)
    assert "Your mood right now" in words(card)


async def test_forget_erases_answers_and_profile(world: World) -> None:
    card = await finish(world, await begin(world))
    await world.alice.click(card.message, label="Forget all this")
    moods = world.bot.moods
    assert await moods.profile(world.alice.id) is None and await moods.sitting(world.alice.id) is None
    assert "Forgotten" in words(card)


async def test_buttons_of_a_finished_questionnaire_say_so(world: World) -> None:
    first, second = await begin(world), await begin(world)
    await finish(world, first)
    shown = await world.alice.click(second.message, custom_id=press_ids(second, "mood_answer")[0])
    assert shown.response is not None and "use `/mood` to answer again" in words(shown.response)


async def test_every_feature_is_there_and_every_button_has_a_handler(world: World) -> None:
    assert {type(cog) for cog in world.bot.cogs.values()} == set(features())
    source = "".join(
        path.read_text("utf-8") for path in Path(bot.__path__[0]).rglob("*.py") if path.name != "consent.py"
    )
    pressed = set(re.findall(r'(?:Press|Choose|Form|turning)\(\s*"(\w+)"', source))
    assert pressed and pressed <= set(world.bot.handlers)
    elsewhere = re.sub(r'on_press\("\w+"\)', "", source)
    unused = [action for action in world.bot.handlers if f'"{action}"' not in elsewhere]
    assert not unused, "handlers of buttons that no card has"


async def fill_in(world: World, shown: Any, answers: int = 5) -> Any:
    """Choose the fourth answer to that many questions and send the form."""
    asked = questions_at_once()
    assert shown.modal is not None and len(shown.modal["components"]) == 5
    return await world.alice.submit_modal(shown, {one.id: [f"{one.id}=3"] for one in asked[:answers]})


async def test_five_questions_on_one_form(world: World) -> None:
    done = await fill_in(world, await world.alice.slash(world.channel, "mood", form="form"))
    assert done.ephemeral and "Your mood right now" in words(done.response)
    within_budget(done.response)
    moods = world.bot.moods
    expected = profile([{"question": one.id, "answer": 3} for one in questions_at_once()])
    assert await moods.profile(world.alice.id) == expected, "the same posterior as one by one"
    assert await moods.sitting(world.alice.id) is None


async def test_a_form_from_before_a_restart_counts(world: World) -> None:
    shown = await world.alice.slash(world.channel, "mood", form="form")
    await world.restart()
    done = await fill_in(world, shown, answers=2)
    assert "Your mood right now" in words(done.response)
    expected = profile([{"question": one.id, "answer": 3} for one in questions_at_once()[:2]])
    assert await world.bot.moods.profile(world.alice.id) == expected


def views_alive() -> list[Any]:
    gc.collect()
    kinds = (discord.ui.LayoutView, discord.ui.View, discord.ui.Modal)
    return [one for one in gc.get_objects() if issubclass(type(one), kinds)]


async def test_discord_py_keeps_neither_cards_nor_forms(world: World) -> None:
    """It would keep each private one for a quarter of an hour, with a task that waits for its end."""
    before = views_alive()
    await fill_in(world, await world.alice.slash(world.channel, "mood", form="form"))
    await begin(world)
    assert len(views_alive()) <= len(before)
    assert not [task for task in asyncio.all_tasks() if "timeout_task" in repr(task.get_coro())]


async def test_the_form_from_a_card_takes_its_place(world: World) -> None:
    card = await begin(world)
    shown = await world.alice.click(card.message, label="Five at once")
    await fill_in(world, shown, answers=0)
    assert "skipped every question" in words(card)
    again = await begin(world)
    await fill_in(world, await world.alice.click(again.message, label="Five at once"))
    assert "Your mood right now" in words(again)


async def test_the_form_knows_what_was_answered(world: World) -> None:
    card = await begin(world)
    first = press_ids(card, "mood_answer")[3]
    await world.alice.click(card.message, custom_id=first)
    assert "Five at once" not in labels(card)
    sitting = await world.bot.moods.sitting(world.alice.id)
    assert sitting is not None
    asked = questions_at_once(sitting.answers)
    assert len(asked) == 5 and sitting.answers[0]["question"] not in {one.id for one in asked}


async def test_a_form_that_was_tampered_with_is_refused(world: World) -> None:
    mood = world.bot.handlers["mood_formed"].__self__
    for given in ("nothing=3", "peacefulness_bore=9", "peacefulness_bore=x"):
        with pytest.raises(UserError):
            await mood.take_form(await interaction_of(world), given)
    assert await world.bot.moods.profile(world.alice.id) is None


async def interaction_of(world: World) -> Any:
    class Nobody:
        user = type("User", (), {"id": world.alice.id})
        message = None

    return Nobody()


async def test_show_and_forget_by_command(world: World) -> None:
    shown = await world.alice.slash(world.channel, "mood", form="show")
    assert "don't know your mood" in words(shown.response)
    done = await fill_in(
        world, await world.alice.click(shown.response.message, label="Five questions at once")
    )
    assert done.acknowledged and "Your mood right now" in words(shown.response)
    shown = await world.alice.slash(world.channel, "mood", form="show")
    assert shown.ephemeral and "Your mood right now" in words(shown.response)
    shown = await world.alice.slash(world.channel, "mood", form="forget")
    assert "Forgotten" in words(shown.response)
    assert await world.bot.moods.profile(world.alice.id) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_fits_a_form(language: str) -> None:
    with speaking(language):
        for first in range(0, 40, 5):
            form = mood_form(questions()[first : first + 5]).to_dict()
            assert len(form["title"]) <= 45 and len(form["custom_id"]) <= 100 and len(form["components"]) <= 5
            for label in form["components"]:
                assert len(label["label"]) <= 45 and len(label["description"]) <= 100
                options = label["component"]["options"]
                assert all(len(one["label"]) <= 100 and len(one["value"]) <= 100 for one in options)
