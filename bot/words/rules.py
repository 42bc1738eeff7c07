"""Rules in a few words: what they measure and what they speak for."""

from __future__ import annotations

from bot.words.glossary import end, label
from bot.words.i18n import tr
from bot.words.moods import mood_label, occasion_label
from bot.words.named import word
from bot.words.wording import of
from core.moods.profile import MOODS
from core.recommend.rule import Rule
from core.recommend.table import load_rules


def topic_label(topic: str) -> str:
    """What a rule speaks for: a mood, an occasion, or 'wish: singing'."""
    if topic.startswith("preference."):
        return tr("wish: {preference}", preference=word("preferences", topic.partition(".")[2]))
    return mood_label(topic) if topic in MOODS else occasion_label(topic)


def rule_about(rule: Rule) -> str:
    """'low tempo of the drums', 'tempo from 60 to 80'."""
    what = label(rule.feature) + of(rule.source)
    if rule.range is not None:
        return tr("{what} from {low:g} to {high:g}", what=what, low=rule.range[0], high=rule.range[1])
    if own := end(rule.feature, rule.direction):
        return own + of(rule.source)
    return tr("low {what}", what=what) if rule.direction == "low" else tr("high {what}", what=what)


def rule_named(rule: Rule) -> str:
    """'low tempo of the drums for Tenderness'."""
    return tr("{rule} for {topic}", rule=rule_about(rule), topic=topic_label(rule.topic))


def rule_of_id(rule_id: str) -> str:
    """The same of a rule's id; the id itself where the rule is no more."""
    found = next((rule for rule in load_rules() if rule.id == rule_id), None)
    return rule_named(found) if found else rule_id
