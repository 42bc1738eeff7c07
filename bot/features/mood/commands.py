"""/mood: the questions, one card at a time. Every answer is stored before the next card shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.consent import asks_for
from bot.i18n import mark, spoken, tr, trn
from bot.router import Choose, Form, Press, on_press
from bot.theme import bar
from bot.widgets import Card, Style, line, mood_colour, note_card, row, step, text
from core.errors import UserError
from core.library.profiles import Sitting
from core.moods.aim import AIMS, aim_emoji, aim_label, aim_sentence
from core.moods.profile import Profile, mood_label
from core.moods.questionnaire import (
    Question,
    next_question,
    profile,
    progress,
    questions,
    questions_at_once,
)
from core.recommend.table import occasion_emoji, occasion_label, occasions

QUICK_OCCASIONS = (
    ("", mark("No occasion"), "🎧"),
    ("relaxation", mark("Relax"), "🛋️"),
    ("study", mark("Study"), "📚"),
    ("workout", mark("Workout"), "🏃"),
    ("celebration", mark("Celebrate"), "🎉"),
)

WISHES = {
    "vocals": (mark("less singing"), mark("more singing")),
    "harmony": (mark("less harmony"), mark("more harmony")),
    "rhythm": (mark("less rhythm"), mark("more rhythm")),
    "brightness": (mark("a darker sound"), mark("a brighter sound")),
}
"""Preferences in words: (less, more) of it."""


class Mood(commands.Cog):
    """Asks how you feel, step by step, and keeps your mood profile."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    @app_commands.command(
        description="Answer a few questions about how you feel; I pick music to match.",
        extras=asks_for(lambda given: given.form not in ("show", "forget")),
    )
    @app_commands.describe(
        form="Short: about seven questions. Long: all forty. At once: five on one form. Or show or forget them."
    )
    @app_commands.choices(
        form=[
            app_commands.Choice(name="short", value="short"),
            app_commands.Choice(name="long", value="long"),
            app_commands.Choice(name="all at once", value="form"),
            app_commands.Choice(name="show my mood", value="show"),
            app_commands.Choice(name="forget my mood", value="forget"),
        ]
    )
    async def mood(self, interaction: discord.Interaction[Moodstem], form: str | None = None) -> None:
        match form:
            case "form":
                return await self.open_form(interaction)
            case "show":
                return await self.show_profile(interaction)
            case "forget":
                await self.bot.moods.forget(interaction.user.id)
                await interaction.response.send_message(view=forgotten_card(), ephemeral=True)
                return None
        sitting = await self.bot.moods.sitting(interaction.user.id)
        resumed = sitting is not None and bool(sitting.answers)
        if sitting is None:
            sitting = Sitting(form or "short")
        elif form is not None:
            sitting.form = form
        await self.bot.moods.save_sitting(interaction.user.id, sitting)
        note = tr("Welcome back: here is where you left off.") if resumed else None
        card = await self.current_card(interaction.user.id, sitting, note)
        await interaction.response.send_message(view=card, ephemeral=True)
        return None

    async def show_profile(self, interaction: discord.Interaction[Moodstem]) -> None:
        found = await self.bot.moods.profile(interaction.user.id)
        if found is None:
            card = note_card(
                tr("I don't know your mood yet."),
                Press("mood_start", label=tr("Ask me"), style=Style.primary),
                Press("mood_form", label=tr("Five questions at once"), emoji="📝"),
            )
        else:
            card = profile_card(found)
        await interaction.response.send_message(view=card, ephemeral=True)

    @on_press("mood_form")
    async def open_form(self, interaction: discord.Interaction[Moodstem]) -> None:
        """Five questions on one form, beside what was answered already."""
        sitting = await self.bot.moods.sitting(interaction.user.id) or Sitting()
        await interaction.response.send_modal(mood_form(questions_at_once(sitting.answers)))

    @on_press("mood_formed")
    async def take_form(self, interaction: discord.Interaction[Moodstem], *given: str) -> None:
        """What was chosen on the form, each as 'question=answer', or nothing."""
        sitting = await self.bot.moods.sitting(interaction.user.id) or Sitting()
        for one in filter(None, given):
            question_id, _, answer = one.rpartition("=")
            if not answer.isdecimal():
                raise UserError(tr("This form is from another version of me; use `/mood` to answer again."))
            sitting.answers.append({"question": question_id, "answer": int(answer)})
        card = await self.finish(interaction.user.id, sitting)
        message = interaction.message
        if message is not None and message.flags.ephemeral:
            await interaction.response.edit_message(view=card)
        else:
            await interaction.response.send_message(view=card, ephemeral=True)

    @on_press("mood_start")
    async def start(self, interaction: discord.Interaction[Moodstem]) -> None:
        """Begin, or go on, from a button on another card."""
        sitting = await self.bot.moods.sitting(interaction.user.id) or Sitting()
        await self.bot.moods.save_sitting(interaction.user.id, sitting)
        await self.show(interaction, sitting)

    @on_press("mood_answer")
    async def answer(self, interaction: discord.Interaction[Moodstem], question_id: str, value: str) -> None:
        await self.record(interaction, question_id, int(value))

    @on_press("mood_skip")
    async def skip(self, interaction: discord.Interaction[Moodstem], question_id: str) -> None:
        await self.record(interaction, question_id, None)

    async def record(
        self, interaction: discord.Interaction[Moodstem], question_id: str, value: int | None
    ) -> None:
        """One answer, or None for a skipped question; a button of an older card changes nothing."""
        sitting = await self.open_sitting(interaction)
        asked = next_question(sitting.answers, form=sitting.form)
        if asked is None or asked.id != question_id:
            await self.show(interaction, sitting, tr("That card was an old one; this is where you are."))
            return
        sitting.answers.append({"question": question_id, "answer": value})
        await self.bot.moods.save_sitting(interaction.user.id, sitting)
        await self.show(interaction, sitting)

    @on_press("mood_back")
    async def back(self, interaction: discord.Interaction[Moodstem]) -> None:
        sitting = await self.open_sitting(interaction)
        note = None
        if sitting.answers:
            last = sitting.answers.pop()
            note = _earlier_answer(last)
            await self.bot.moods.save_sitting(interaction.user.id, sitting)
        await self.show(interaction, sitting, note)

    @on_press("mood_stop")
    async def stop(self, interaction: discord.Interaction[Moodstem]) -> None:
        sitting = await self.open_sitting(interaction)
        given = sum(answer["answer"] is not None for answer in sitting.answers)
        card = note_card(
            trn(
                "Paused. Your {count} answer is kept; go on here or with `/mood`, today or any other day.",
                "Paused. Your {count} answers are kept; go on here or with `/mood`, today or any other day.",
                given,
            ),
            Press("mood_start", label=tr("Go on"), style=Style.primary),
            Press("mood_finish", label=tr("Finish with these"), disabled=given == 0),
            Press("mood_restart", label=tr("Start over")),
        )
        await interaction.response.edit_message(view=card)

    @on_press("mood_finish")
    async def finish_early(self, interaction: discord.Interaction[Moodstem]) -> None:
        sitting = await self.open_sitting(interaction)
        if not any(answer["answer"] is not None for answer in sitting.answers):
            raise UserError(tr("Answer at least one question first, then I can work with it."))
        await interaction.response.edit_message(view=await self.finish(interaction.user.id, sitting))

    @on_press("mood_restart")
    async def restart(self, interaction: discord.Interaction[Moodstem]) -> None:
        before = await self.bot.moods.sitting(interaction.user.id)
        sitting = Sitting(before.form if before else "short")
        await self.bot.moods.save_sitting(interaction.user.id, sitting)
        await self.show(interaction, sitting)

    @on_press("mood_aim")
    async def aim(self, interaction: discord.Interaction[Moodstem], aim: str) -> None:
        """Match, lift or settle: the occasion buttons then ask for that."""
        found = await self.bot.moods.profile(interaction.user.id)
        if found is None:
            raise UserError(tr("I don't keep your mood any more; use `/mood` to answer again."))
        await interaction.response.edit_message(view=profile_card(found, aim))

    @on_press("mood_forget", consent=False)
    async def forget(self, interaction: discord.Interaction[Moodstem]) -> None:
        await self.bot.moods.forget(interaction.user.id)
        await interaction.response.edit_message(view=forgotten_card())

    async def open_sitting(self, interaction: discord.Interaction[Moodstem]) -> Sitting:
        """Raises UserError when the member has none."""
        sitting = await self.bot.moods.sitting(interaction.user.id)
        if sitting is None:
            raise UserError(tr("This questionnaire is finished; use `/mood` to answer again."))
        return sitting

    async def show(
        self, interaction: discord.Interaction[Moodstem], sitting: Sitting, note: str | None = None
    ) -> None:
        await interaction.response.edit_message(
            view=await self.current_card(interaction.user.id, sitting, note)
        )

    async def current_card(self, user_id: int, sitting: Sitting, note: str | None = None) -> Card:
        """The next question, or the finished profile."""
        asked = next_question(sitting.answers, form=sitting.form)
        if asked is None:
            return await self.finish(user_id, sitting)
        return question_card(asked, *progress(sitting.answers, form=sitting.form), note=note)

    async def finish(self, user_id: int, sitting: Sitting) -> Card:
        """The profile of the answers given, kept; a questionnaire that was only skipped leaves none."""
        if not any(answer["answer"] is not None for answer in sitting.answers):
            return note_card(
                tr("You skipped every question, so I know nothing yet."),
                Press("mood_restart", label=tr("Start over")),
            )
        found = profile(sitting.answers)
        await self.bot.moods.finish(user_id, found)
        return profile_card(found)


def mood_form(asked: Sequence[Question]) -> Form:
    """Questions as lists to choose from. What is chosen says which question it answers, so that the form can be sent to
    another process than the one that opened it."""
    return Form(
        "mood_formed",
        title=tr("How do you feel?"),
        fields=[
            discord.ui.Label(
                text=tr("{place} of {count}", place=place, count=len(asked)),
                description=one.text,
                component=discord.ui.Select(
                    custom_id=one.id,
                    placeholder=tr("Tap to answer"),
                    required=False,
                    min_values=0,
                    options=[
                        discord.SelectOption(label=label, value=f"{one.id}={value}")
                        for value, label in enumerate(one.answers)
                    ],
                ),
            )
            for place, one in enumerate(asked, 1)
        ],
    )


def forgotten_card() -> Card:
    return note_card(
        tr("Forgotten: your answers, your profile and what I recommended to you."),
        Press("mood_start", label=tr("Start afresh")),
    )


def question_card(asked: Question, answered: int, expected: int, note: str | None = None) -> Card:
    """A question, the `answered + 1`st of about `expected`; `note` stands above it."""
    answers = [
        Press("mood_answer", asked.id, value, label=label, style=Style.primary)
        for value, label in enumerate(asked.answers)
    ]
    return Card(
        *([text(f"-# {note}")] if note else []),
        text(step(answered, expected), f"### {asked.text}"),
        row(*answers),
        row(
            Press("mood_back", label=tr("Back"), emoji="◀️", disabled=answered == 0),
            Press("mood_skip", asked.id, label=tr("Skip")),
            Press("mood_stop", label=tr("Stop")),
            *([Press("mood_form", label=tr("Five at once"), emoji="📝")] if answered == 0 else []),
        ),
    )


def profile_card(found: Profile, aim: str = "match") -> Card:
    """The finished profile; the music can match it or move it, and be for an occasion."""
    strongest = found.strongest(9)
    bars = [f"`{bar(weight, 8)}` {mood_label(mood)}" for mood, weight in strongest]
    wishes = [_wish(name, value) for name, value in found.preferences.items() if abs(value) >= 0.25]
    quick = [occasion for occasion, _, _ in QUICK_OCCASIONS]
    return Card(
        text(tr("## Your mood right now"), tr("You sound {summary}.", summary=found.summary())),
        *([text(*bars)] if bars else []),
        *([text(tr("-# You asked for {wishes}.", wishes=", ".join(wishes)))] if wishes else []),
        line(),
        text(tr("**What should the music do?**"), f"-# {aim_sentence(found, aim)}"),
        row(
            *(
                Press(
                    "mood_aim",
                    one,
                    label=aim_label(one),
                    emoji=aim_emoji(one),
                    style=Style.success if one == aim else Style.secondary,
                )
                for one in AIMS
            )
        ),
        text(tr("**What is it for?**")),
        row(
            *(
                Press("recommend", occasion, 5, aim, label=tr(label), emoji=emoji, style=Style.primary)
                for occasion, label, emoji in QUICK_OCCASIONS
            )
        ),
        row(
            Choose(
                "recommend_for",
                5,
                aim,
                placeholder=tr("Something else"),
                options=[
                    discord.SelectOption(label=occasion_label(name), value=name, emoji=occasion_emoji(name))
                    for name in occasions()
                    if name not in quick
                ],
            )
        ),
        row(
            Press("mood_restart", label=tr("Ask me again")),
            Press("mood_forget", label=tr("Forget all this"), style=Style.danger),
        ),
        colour=mood_colour(strongest[0][0] if strongest else None),
    )


def _wish(name: str, value: float) -> str:
    return tr(WISHES[name][value > 0])


def _earlier_answer(entry: dict[str, Any]) -> str:
    earlier = next(question for question in questions(spoken()) if question.id == entry["question"])
    if entry["answer"] is None:
        return tr("Before, you skipped this.")
    return tr("Before, you said “{answer}”.", answer=earlier.answers[entry["answer"]])


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Mood(bot))
