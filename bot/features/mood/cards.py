"""The cards and the form of the questionnaire, and the finished profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord

from bot.router import Choose, Form, Press
from bot.theme import bar
from bot.widgets import Card, Style, line, mood_colour, note_card, row, step, text
from bot.words.i18n import tr
from bot.words.moods import aim_label, aim_sentence, mood_label, occasion_label, profile_text, translated
from bot.words.named import word, words
from core.moods.aim import AIMS, aim_emoji
from core.moods.profile import Profile
from core.moods.questionnaire import Question, question
from core.recommend.table import occasion_emoji, occasions


def mood_form(asked: Sequence[Question]) -> Form:
    """Questions as lists to choose from. What is chosen says which question it answers, so that the form can be sent to
    another process than the one that opened it."""
    return Form(
        "mood_formed",
        title=tr("How do you feel?"),
        fields=[
            discord.ui.Label(
                text=tr("{place} of {count}", place=place, count=len(asked)),
                description=translated(one.text),
                component=discord.ui.Select(
                    custom_id=one.id,
                    placeholder=tr("Tap to answer"),
                    required=False,
                    min_values=0,
                    options=[
                        discord.SelectOption(label=label, value=f"{one.id}={value}")
                        for value, label in enumerate(translated(one.answers))
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
        for value, label in enumerate(translated(asked.answers))
    ]
    return Card(
        text(f"-# {note}") if note else None,
        text(step(answered, expected), f"### {translated(asked.text)}"),
        row(*answers),
        row(
            Press("mood_back", label=tr("Back"), emoji="◀️", disabled=answered == 0),
            Press("mood_skip", asked.id, label=tr("Skip")),
            Press("mood_stop", label=tr("Stop")),
            Press("mood_form", label=tr("Five at once"), emoji="📝") if answered == 0 else None,
        ),
    )


def profile_card(found: Profile, aim: str = "match") -> Card:
    """The finished profile; the music can match it or move it, and be for an occasion."""
    strongest = found.strongest(9)
    bars = [f"`{bar(weight, 8)}` {mood_label(mood)}" for mood, weight in strongest]
    wishes = [
        word("more" if value > 0 else "less", name)
        for name, value in found.preferences.items()
        if abs(value) >= 0.25
    ]
    styles = {one: Style.success if one == aim else Style.secondary for one in AIMS}
    aims = [
        Press("mood_aim", one, label=aim_label(one), emoji=aim_emoji(one), style=style)
        for one, style in styles.items()
    ]
    quick = {occasion: occasion_emoji(occasion) if occasion else "🎧" for occasion in words("quick")}
    occasion_buttons = [
        Press("recommend", name, 5, aim, label=word("quick", name), emoji=emoji, style=Style.primary)
        for name, emoji in quick.items()
    ]
    others = [
        discord.SelectOption(label=occasion_label(name), value=name, emoji=occasion_emoji(name))
        for name in occasions()
        if name not in quick
    ]
    return Card(
        text(tr("## Your mood right now"), tr("You sound {summary}.", summary=profile_text(found))),
        text(*bars) if bars else None,
        text(tr("-# You asked for {wishes}.", wishes=", ".join(wishes))) if wishes else None,
        line(),
        text(tr("**What should the music do?**"), f"-# {aim_sentence(found, aim)}"),
        row(*aims),
        text(tr("**What is it for?**")),
        row(*occasion_buttons),
        row(Choose("recommend_for", 5, aim, placeholder=tr("Something else"), options=others)),
        row(
            Press("mood_restart", label=tr("Ask me again")),
            Press("mood_forget", label=tr("Forget all this"), style=Style.danger),
        ),
        colour=mood_colour(strongest[0][0] if strongest else None),
    )


def earlier_answer(entry: dict[str, Any]) -> str:
    earlier = question(entry["question"])
    if entry["answer"] is None:
        return tr("Before, you skipped this.")
    return tr("Before, you said “{answer}”.", answer=translated(earlier.answers)[entry["answer"]])
