"""Cards of /admin rules: which rules there are, one of them, what another weight would change, and who changed what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import ui

from bot.features.admin.cards import newer_older
from bot.router import Choose, Form, Press
from bot.theme import STEM_EMOJI, plain
from bot.widgets import Card, Style, mood_colour, note_card, row, text, turning
from bot.words.glossary import meaning
from bot.words.i18n import inside, tr, trn
from bot.words.moods import mood_label, occasion_label
from bot.words.named import word
from bot.words.rules import rule_about, rule_named, topic_label
from bot.words.wording import the_source
from core.audio.types import STEMS
from core.library.rule_weights import RuleChange
from core.moods.profile import MOODS, PREFERENCES
from core.recommend.rule import Rule
from core.recommend.table import occasion_emoji, occasions
from core.recommend.tuning import MOST, share, token
from core.recommend.weight_preview import TOP, Outcome, Sample

PAGE = 8
"""Rules or changes on one card."""

SOURCES = ("all", "mix", *STEMS)


def topics() -> tuple[str, ...]:
    """All that rules speak about; a list of Discord has room for 25."""
    return (*MOODS, *occasions(), *(f"preference.{name}" for name in PREFERENCES))


def rules_card(
    rules: Sequence[Rule], weights: Mapping[str, float], topic: str, source: str, page: int
) -> Card:
    """One page of a topic's rules, of one source or of all."""
    pages = max(-(-len(rules) // PAGE), 1)
    shown = rules[page * PAGE : (page + 1) * PAGE]
    lines = [
        f"**{place}. {rule_about(rule)}**: {_why(rule)}\n-# {_counts(rule, weights)}"
        for place, rule in enumerate(shown, page * PAGE + 1)
    ]
    about = trn("{count} rule", "{count} rules", len(rules))
    if source != "all":
        about += f" · {_source(source)}"
    mine = sum(rule.id in weights for rule in rules)
    if mine:
        about += f" · {tr('{count} with a weight of this server', count=mine)}"
    items: list[ui.Item[Any]] = [
        text(tr("## Rules: {topic}", topic=topic_label(topic)), f"-# {about}"),
        text(*(lines or [tr("No rule of this kind: choose another source.")])),
        row(_list("rules_topic", (source,), tr("Mood, occasion or wish"), [(t, topic_label(t), _emoji(t)) for t in topics()], topic)),
        row(_list("rules_source", (topic,), tr("Source"), [(s, _source(s), STEM_EMOJI.get(s)) for s in SOURCES], source)),
    ]  # fmt: skip
    if shown:
        options = [
            (rule.id, f"{place}. {rule_about(rule)}"[:100], None)
            for place, rule in enumerate(shown, page * PAGE + 1)
        ]
        items.append(row(_list("rules_open", (), tr("Change one of these"), options)))
    changes = Press("rules_changes", 0, label=tr("Changes"), emoji="📜")
    return Card(
        *items,
        row(*turning("rules_page", topic, source, page=page, pages=pages), changes),
        colour=mood_colour(topic),
    )


def rule_card(
    rule: Rule, weights: Mapping[str, float], note: str = "", undoable: RuleChange | None = None
) -> Card:
    """One rule, and the ways to change how much it counts. `undoable` is the server's newest change, if it is of this rule."""
    now, usual = weights.get(rule.id, rule.weight), rule.weight
    tries = [
        Press("rules_try", rule.id, weight_text(weight), emoji=emoji, label=name, disabled=disabled)
        for name, emoji, weight, disabled in (
            (tr("Off"), "🚫", 0.0, now == 0),
            (tr("Less"), "➖", (now or usual) / 2, now == 0),
            (tr("More"), "➕", min(2 * now, MOST) if now else usual, now >= MOST),
        )
    ]
    back = Press(
        "rules_try", rule.id, "usual", label=tr("As shipped"), emoji="🔄", disabled=rule.id not in weights
    )
    about = meaning(rule.feature)
    return Card(
        text(note) if note else None,
        text(
            f"## {_heading(rule_about(rule))}",
            tr("Speaks for **{topic}**: {why}.", topic=topic_label(rule.topic), why=_why(rule)),
            tr("-# {about}. The direction is the literature's and stays.", about='; '.join(part for part in (about, rule.citation) if part)),
        ),
        text(_heading(_counts(rule, weights)) + "."),
        row(*tries, back, Press("rules_number", rule.id, label=tr("Number …"), emoji="🔢")),
        row(
            Press("rules_undo", undoable.id, label=tr("Undo"), emoji="↩️") if undoable else None,
            Press("rules_page", rule.topic, "all", 0, label=tr("All of these rules")),
            Press("rules_changes", 0, label=tr("Changes"), emoji="📜"),
        ),
        colour=mood_colour(rule.mood),
    )  # fmt: skip


def preview_card(
    rule: Rule,
    weights: Mapping[str, float],
    after: Mapping[str, float],
    wanted: str,
    outcomes: Sequence[Outcome],
    chosen: int,
) -> Card:
    """What `after` would change, before it is saved; `wanted` is how buttons name the weight (see `weight_text`)."""
    one = outcomes[chosen]
    listed = [
        f"**{place.place}.** {plain(place.track.title, 60)}{_by(place.track.artist)} {_moved(place.place, place.before)}"
        for place in one.places
    ]
    gone = ", ".join(plain(track.title, 40) for track in one.gone)
    summary = [f"{sample_label(outcome.sample)}: {_difference(outcome)}" for outcome in outcomes]
    options = [(str(i), sample_label(outcome.sample), None) for i, outcome in enumerate(outcomes)]
    return Card(
        text(
            tr("## {rule}: what would change", rule=_heading(rule_about(rule))),
            tr("Now {now}.\nThen {then}.", now=_counts(rule, weights), then=_counts(rule, after)),
        ),
        text(tr("**The top {top} of sample listeners**", top=TOP), *(f"-# {one}" for one in summary)),
        text(
            f"**{_heading(sample_label(one.sample))}**",
            *(listed or [tr("The library is empty: nothing to recommend yet.")]),
            tr("-# No longer among them: {gone}", gone=gone) if gone else None,
        ),
        row(_list("rules_sample", (rule.id, wanted), tr("Show another listener"), options, str(chosen))),
        row(
            Press("rules_apply", rule.id, wanted, token(weights), label=tr("Apply"), emoji="✅", style=Style.success),
            Press("rules_rule", rule.id, label=tr("Don't change")),
        ),
        colour=mood_colour(rule.mood),
    )  # fmt: skip


def changes_card(found: Sequence[RuleChange], rules: Mapping[str, Rule], page: int, *, more: bool, undoable: RuleChange | None) -> Card:  # fmt: skip
    """Who changed which weight, newest first; `undoable` is the newest that still stands, on whichever page."""
    if not found:
        return note_card(
            tr("Nothing yet: changes of weights will be listed here, and the newest can be undone."),
            Press("rules_page", MOODS[0], "all", 0, label=tr("Rules")),
        )
    lines = [
        f"<t:{change.at}:d> <@{change.user_id}> {'↩️ ' if change.undoes else ''}"
        f"{_named(rules.get(change.rule), change.rule)}: {_was(change.before)} → {_was(change.after)}"
        + (f" ({tr('undone')})" if change.undone else "")
        for change in found
    ]
    undo = []
    if undoable:
        name = tr("Undo: {rule}", rule=_named(rules.get(undoable.rule), undoable.rule))
        undo = [row(Press("rules_undo", undoable.id, label=name[:80], emoji="↩️"))]
    return Card(
        text(tr("## Changes of rules on this server")),
        text(*lines),
        *undo,
        row(
            *newer_older("rules_changes", page, more),
            Press("rules_page", MOODS[0], "all", 0, label=tr("Rules")),
        ),
    )


def number_form(rule: Rule, now: float) -> Form:
    """Asks for a weight as a number; it begins with the one that counts now."""
    return Form(
        "rules_typed",
        rule.id,
        title=_heading(rule_about(rule)),
        fields=[
            discord.ui.TextInput(
                label=tr("Weight, 0 (off) to {most:g}", most=MOST),
                default=f"{now:g}",
                min_length=1,
                max_length=8,
                custom_id="weight",
            )
        ],
    )


def weight_text(weight: float | None) -> str:
    """A weight as buttons name it; None is the shipped one."""
    return "usual" if weight is None else f"{weight:.3g}"


def sample_label(sample: Sample) -> str:
    """'tenderness', 'tenderness, study', 'power, wishes for more vocals'."""
    parts = [inside(mood_label(sample.mood))]
    if sample.occasion:
        parts.append(inside(occasion_label(sample.occasion)))
    if sample.preference:
        parts.append(tr("wishes for more {preference}", preference=word("preferences", sample.preference)))
    return ", ".join(parts)


def _heading(words: str) -> str:
    return words[:1].upper() + words[1:]


def _why(rule: Rule) -> str:
    return plain(tr(rule.text).replace("{more}", tr("more")), 200)


def _counts(rule: Rule, weights: Mapping[str, float]) -> str:
    """'weight 0.8, 6.0% of what speaks for Tenderness (as shipped)'."""
    now = weights.get(rule.id, rule.weight)
    origin = (
        tr("set here, shipped with {weight:g}", weight=rule.weight)
        if rule.id in weights
        else tr("as shipped")
    )
    if not now:
        return tr("switched off ({origin})", origin=origin)
    return tr(
        "weight {now:g}, {share:.1%} of what speaks for {topic} ({origin})",
        now=now,
        share=share(rule, weights),
        topic=topic_label(rule.topic),
        origin=origin,
    )


def _named(rule: Rule | None, rule_id: str) -> str:
    return plain(rule_named(rule) if rule else rule_id, 100)


def _was(weight: float | None) -> str:
    return tr("as shipped") if weight is None else tr("off") if not weight else f"{weight:g}"


def _difference(outcome: Outcome) -> str:
    if not outcome.new and not outcome.moved:
        return tr("the same")
    parts = [tr("{count} new", count=outcome.new)] if outcome.new else []
    return ", ".join(
        [*parts, *([tr("{count} in another place", count=outcome.moved)] if outcome.moved else [])]
    )


def _moved(place: int, before: int | None) -> str:
    if before is None:
        return "🆕"
    return (
        ""
        if place == before
        else tr("⬆️ from {place}", place=before)
        if place < before
        else tr("⬇️ from {place}", place=before)
    )


def _by(artist: str | None) -> str:
    return f" · {plain(artist, 40)}" if artist else ""


def _source(source: str) -> str:
    return tr("all sources") if source == "all" else tr("the whole music") if source == "mix" else the_source(source)  # fmt: skip


def _emoji(topic: str) -> str | None:
    return occasion_emoji(topic) if topic in occasions() else None


def _list(
    action: str,
    arguments: Sequence[object],
    placeholder: str,
    options: Sequence[tuple[str, str, str | None]],
    chosen: str = "",
) -> Choose:
    found = [
        discord.SelectOption(label=name[:100], value=value, emoji=emoji, default=value == chosen)
        for value, name, emoji in options
    ]
    return Choose(action, *arguments, placeholder=placeholder, options=found)
