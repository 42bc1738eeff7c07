"""/admin rules: how much each rule counts on a server, with what a change would do before it is saved, and undo."""

from __future__ import annotations

import asyncio

from bot.app import Feature, Interaction, Moodstem
from bot.features.rules.cards import (
    PAGE,
    SOURCES,
    changes_card,
    number_form,
    preview_card,
    rule_card,
    rules_card,
    topics,
    weight_text,
)
from bot.permissions import must_manage
from bot.router import on_press
from bot.widgets import Card
from bot.words.i18n import mark, tr
from core.errors import Refusal, fact
from core.library.audit import record
from core.library.rule_weights import RuleChange, changes, newest_standing, weights_of
from core.moods.profile import MOODS
from core.recommend.rule import Rule
from core.recommend.table import load_rules
from core.recommend.tuning import changed, set_weight, the_rule, undo, weight_from
from core.recommend.weight_preview import outcomes_of


async def rules_view(
    bot: Moodstem, guild_id: int, topic: str = MOODS[0], source: str = "all", page: int = 0
) -> Card:
    """One page of the rules as this server has them; a page that is not there is the first."""
    if topic not in topics() or source not in SOURCES:
        raise Refusal("rules-card-of-other-version")
    rules = [rule for rule in load_rules() if rule.topic == topic and source in ("all", rule.source)]
    page = page if page * PAGE < len(rules) else 0
    return rules_card(rules, await weights_of(bot.database.fetch, guild_id), topic, source, page)


class Rules(Feature):
    """The buttons, lists and the form under /admin rules; all of them for those who manage the server."""

    async def rule_view(self, guild_id: int, rule: Rule, note: str = "") -> Card:
        """One rule's card; undo is offered when the newest change was of this rule."""
        newest = await newest_standing(self.bot.database, guild_id)
        undoable = newest if newest is not None and newest.rule == rule.id else None
        return rule_card(rule, await weights_of(self.bot.database.fetch, guild_id), note, undoable)

    @on_press("rules_topic", consent=False)
    async def topic(self, interaction: Interaction, source: str, topic: str) -> None:
        view = await rules_view(self.bot, must_manage(interaction), topic, source)
        await interaction.response.edit_message(view=view)

    @on_press("rules_source", consent=False)
    async def source(self, interaction: Interaction, topic: str, source: str) -> None:
        view = await rules_view(self.bot, must_manage(interaction), topic, source)
        await interaction.response.edit_message(view=view)

    @on_press("rules_page", consent=False)
    async def page(self, interaction: Interaction, topic: str, source: str, page: int) -> None:
        view = await rules_view(self.bot, must_manage(interaction), topic, source, page)
        await interaction.response.edit_message(view=view)

    @on_press("rules_open", consent=False)
    async def open(self, interaction: Interaction, rule_id: str) -> None:
        view = await self.rule_view(must_manage(interaction), the_rule(rule_id))
        await interaction.response.edit_message(view=view)

    @on_press("rules_rule", consent=False)
    async def back(self, interaction: Interaction, rule_id: str) -> None:
        await self.open(interaction, rule_id)

    @on_press("rules_number", consent=False)
    async def number(self, interaction: Interaction, rule_id: str) -> None:
        guild_id, rule = must_manage(interaction), the_rule(rule_id)
        weights = await weights_of(self.bot.database.fetch, guild_id)
        await interaction.response.send_modal(number_form(rule, weights.get(rule_id, rule.weight)))

    @on_press("rules_typed", consent=False)
    async def typed(self, interaction: Interaction, rule_id: str, number: str) -> None:
        await self.show_preview(interaction, rule_id, weight_text(weight_from(number)), 0)

    @on_press("rules_try", consent=False)
    async def try_(self, interaction: Interaction, rule_id: str, wanted: str) -> None:
        await self.show_preview(interaction, rule_id, wanted, 0)

    @on_press("rules_sample", consent=False)
    async def sample(self, interaction: Interaction, rule_id: str, wanted: str, sample: int) -> None:
        await self.show_preview(interaction, rule_id, wanted, sample)

    async def show_preview(self, interaction: Interaction, rule_id: str, wanted: str, sample: int) -> None:
        """What the weight would change, in place of the card that was pressed."""
        guild_id, rule = must_manage(interaction), the_rule(rule_id)
        weights = await weights_of(self.bot.database.fetch, guild_id)
        after = changed(weights, rule_id, _weight(wanted))
        await interaction.response.defer()
        outcomes = await asyncio.to_thread(outcomes_of, await self.bot.catalogs.of(guild_id), rule, after)
        sample = min(sample, len(outcomes) - 1)
        view = preview_card(rule, weights, after, wanted, outcomes, sample)
        await interaction.edit_original_response(view=view)

    @on_press("rules_apply")
    async def apply(self, interaction: Interaction, rule_id: str, wanted: str, seen: str) -> None:
        guild_id, rule = must_manage(interaction), the_rule(rule_id)
        change = await set_weight(
            self.bot.database, guild_id, interaction.user.id, rule_id, _weight(wanted), seen
        )
        await self.log(guild_id, interaction.user.id, mark("rule"), change)
        view = await self.rule_view(guild_id, rule, tr("✅ Saved: it counts from the next answer on."))
        await interaction.response.edit_message(view=view)

    @on_press("rules_undo")
    async def undo(self, interaction: Interaction, change_id: int) -> None:
        guild_id = must_manage(interaction)
        change = await undo(self.bot.database, guild_id, interaction.user.id, change_id)
        await self.log(guild_id, interaction.user.id, mark("rule undone"), change)
        view = await self.rule_view(
            guild_id, the_rule(change.rule), tr("↩️ Undone: the weight is what it was before.")
        )
        await interaction.response.edit_message(view=view)

    @on_press("rules_changes", consent=False)
    async def changes(self, interaction: Interaction, page: int) -> None:
        guild_id = must_manage(interaction)
        found = await changes(self.bot.database, guild_id, PAGE + 1, page * PAGE)
        view = changes_card(
            found[:PAGE],
            {rule.id: rule for rule in load_rules()},
            page,
            more=len(found) > PAGE,
            undoable=await newest_standing(self.bot.database, guild_id),
        )
        await interaction.response.edit_message(view=view)

    async def log(self, guild_id: int, user_id: int, action: str, change: RuleChange) -> None:
        """Into the server's log: who changed which rule, from what to what."""
        before, after = (
            fact("as-shipped") if weight is None else weight for weight in (change.before, change.after)
        )
        detail = fact("rule-weight", rule=change.rule, before=before, after=after)
        await record(self.bot.database, guild_id, user_id, action, detail)


def _weight(wanted: str) -> float | None:
    return None if wanted == "usual" else weight_from(wanted)
