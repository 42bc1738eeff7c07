"""/mood: the questions, one card at a time. Every answer is stored before the next card shows."""

from __future__ import annotations

from discord import app_commands

from bot.app import Feature, Interaction
from bot.autocomplete import offered
from bot.consent import asks_for
from bot.errors import slash
from bot.features.mood.cards import earlier_answer, forgotten_card, mood_form, profile_card, question_card
from bot.router import Press, on_press, whole
from bot.widgets import Card, Style, note_card
from bot.words.i18n import tr, trn
from core.errors import Refusal
from core.library.profiles import Sitting
from core.moods.questionnaire import next_question, profile, progress, questions_at_once


class Mood(Feature):
    """Asks how you feel, step by step, and keeps your mood profile."""

    @slash(
        description="Answer a few questions about how you feel; I pick music to match.",
        extras=asks_for(lambda given: given.form not in ("show", "forget")),
    )
    @app_commands.describe(
        form="Short: about seven questions. Long: all forty. At once: five on one form. Or show or forget them."
    )
    @app_commands.choices(form=offered("forms"))
    async def mood(self, interaction: Interaction, form: str | None = None) -> None:
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

    async def show_profile(self, interaction: Interaction) -> None:
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
    async def open_form(self, interaction: Interaction) -> None:
        """Five questions on one form, beside what was answered already."""
        sitting = await self.bot.moods.sitting(interaction.user.id) or Sitting()
        await interaction.response.send_modal(mood_form(questions_at_once(sitting.answers)))

    @on_press("mood_formed")
    async def take_form(self, interaction: Interaction, *given: str) -> None:
        """What was chosen on the form, each as 'question=answer', or nothing."""
        sitting = await self.bot.moods.sitting(interaction.user.id) or Sitting()
        for one in filter(None, given):
            question_id, _, answer = one.rpartition("=")
            if (number := whole(answer)) is None:
                raise Refusal("form-of-other-version")
            sitting.answers.append({"question": question_id, "answer": number})
        card = await self.finish(interaction.user.id, sitting)
        message = interaction.message
        if message is not None and message.flags.ephemeral:
            await interaction.response.edit_message(view=card)
        else:
            await interaction.response.send_message(view=card, ephemeral=True)

    @on_press("mood_start")
    async def start(self, interaction: Interaction) -> None:
        """Begin, or go on, from a button on another card."""
        sitting = await self.bot.moods.sitting(interaction.user.id) or Sitting()
        await self.bot.moods.save_sitting(interaction.user.id, sitting)
        await self.show(interaction, sitting)

    @on_press("mood_answer")
    async def answer(self, interaction: Interaction, question_id: str, value: int) -> None:
        await self.record(interaction, question_id, value)

    @on_press("mood_skip")
    async def skip(self, interaction: Interaction, question_id: str) -> None:
        await self.record(interaction, question_id, None)

    async def record(self, interaction: Interaction, question_id: str, value: int | None) -> None:
        """One answer, or None for a skipped question; a button of an older card changes nothing."""
        sitting = await self.open_sitting(interaction)
        asked = next_question(sitting.answers, form=sitting.form)
        if asked is None or asked.id != question_id:
            await self.show(interaction, sitting, tr("That card was an old one; this is where you are."))
            return
        sitting.answers.append({"question": question_id, "answer": value})
        next_question(sitting.answers, form=sitting.form)  # raises for an answer that no button offers
        await self.bot.moods.save_sitting(interaction.user.id, sitting)
        await self.show(interaction, sitting)

    @on_press("mood_back")
    async def back(self, interaction: Interaction) -> None:
        sitting = await self.open_sitting(interaction)
        note = None
        if sitting.answers:
            last = sitting.answers.pop()
            note = earlier_answer(last)
            await self.bot.moods.save_sitting(interaction.user.id, sitting)
        await self.show(interaction, sitting, note)

    @on_press("mood_stop")
    async def stop(self, interaction: Interaction) -> None:
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
    async def finish_early(self, interaction: Interaction) -> None:
        sitting = await self.open_sitting(interaction)
        if not any(answer["answer"] is not None for answer in sitting.answers):
            raise Refusal("nothing-answered")
        await interaction.response.edit_message(view=await self.finish(interaction.user.id, sitting))

    @on_press("mood_restart")
    async def restart(self, interaction: Interaction) -> None:
        before = await self.bot.moods.sitting(interaction.user.id)
        sitting = Sitting(before.form if before else "short")
        await self.bot.moods.save_sitting(interaction.user.id, sitting)
        await self.show(interaction, sitting)

    @on_press("mood_aim")
    async def aim(self, interaction: Interaction, aim: str) -> None:
        """Match, lift or settle: the occasion buttons then ask for that."""
        found = await self.bot.moods.profile(interaction.user.id)
        if found is None:
            raise Refusal("mood-gone")
        await interaction.response.edit_message(view=profile_card(found, aim))

    @on_press("mood_forget", consent=False)
    async def forget(self, interaction: Interaction) -> None:
        await self.bot.moods.forget(interaction.user.id)
        await interaction.response.edit_message(view=forgotten_card())

    async def open_sitting(self, interaction: Interaction) -> Sitting:
        """Raises UserError when the member has none."""
        sitting = await self.bot.moods.sitting(interaction.user.id)
        if sitting is None:
            raise Refusal("questionnaire-finished")
        return sitting

    async def show(self, interaction: Interaction, sitting: Sitting, note: str | None = None) -> None:
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
