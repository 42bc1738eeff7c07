"""Every card that there is, with the longest texts that can come up, within Discord's budget in every language.

`every_card.calls` names each function that makes a card and what to call it with; a card that is not in it fails the
test.
"""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.words.i18n import tr, trn
from core.spoken import LANGUAGES, speaking
from research.messages import found as messages
from tests.bot.conftest import MAX_BYTES, MAX_COMPONENTS, MAX_TEXT, walk
from tests.bot.every_card import calls, cards

BOT = Path(__file__).resolve().parents[2] / "bot"

WORST = {
    "emoji": "🎻" * 400,
    "markup": "*_`~|" * 80,
    "words": "Sehnsuchtsvoll " * 30,
    "letters": "W" * 400,
    "Cyrillic": "Щ" * 400,
    "mentions": "@everyone <@1> " * 30,
}
"""The longest titles: of four bytes a character, and of characters that take a backslash each."""

LIST_LIMITS = {"options": 25, "label": 100, "placeholder": 150, "button": 80, "alt": 1024}


def made_by() -> set[str]:
    """module:function of what makes a card, a form or buttons."""
    return {f"{module}:{node.name}" for module, body in modules() for node in body if makes(node)}


def modules() -> Iterator[tuple[str, list[ast.stmt]]]:
    for path in sorted(BOT.rglob("*.py")):
        module = ".".join(("bot", *path.relative_to(BOT).with_suffix("").parts))
        yield module, ast.parse(path.read_text("utf-8")).body


def makes(node: ast.stmt) -> bool:
    shapes = ("Card", "Form", "Buttons")
    return (
        isinstance(node, ast.FunctionDef) and node.returns is not None and ast.unparse(node.returns) in shapes
    )


def test_every_card_is_in_the_table() -> None:
    assert made_by() == set(calls("", "en"))


def test_cards_are_made_by_functions_of_their_own() -> None:
    """So that the table sees them: nowhere else is a container filled."""
    stray = [
        f"{module}:{call.lineno}"
        for module, body in modules()
        for node in body
        if not makes(node)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("Card", "Form", "ui.Container")
    ]
    assert stray == [place for place in stray if place.startswith("bot.widgets:")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", WORST)
def test_the_longest_cards_fit(language: str, kind: str) -> None:
    problems = []
    with speaking(language):
        for name, card in cards(WORST[kind], language):
            problems += [f"{name}: {problem}" for problem in faults(card)]
    assert not sorted(set(problems))


@pytest.mark.parametrize(
    ("language", "ours", "other"),
    [("en", r"\d%", r"\d\s%"), ("de", r"\d\xa0%", r"\d ?%"), ("es", r"\d\xa0%", r"\d ?%")],
)
def test_percentages_are_written_as_people_do_there(language: str, ours: str, other: str) -> None:
    with speaking(language):
        drawn = [
            (name, card.to_dict() if hasattr(card, "title") else card.to_components())
            for name, card in cards("Song", language)
        ]
    said = [(name, json.dumps(parts, ensure_ascii=False)) for name, parts in drawn]
    assert len({name for name, text in said if re.search(ours, text)}) > 5
    assert [
        (name, found[0]) for name, text in said if (found := re.search(f".{{0,40}}(?:{other})", text))
    ] == []


def faults(card: Any) -> Iterator[str]:
    """What Discord would refuse."""
    if hasattr(card, "title"):  # a form
        yield from form_faults(card)
        return
    components = card.to_components()
    parts = list(walk(components))
    texts = [part["content"] for part in parts if part.get("type") == 10]
    for what, number, most in (
        ("components", len(parts), MAX_COMPONENTS),
        ("characters", sum(map(len, texts)), MAX_TEXT),
        ("bytes", sum(len(text.encode()) + 12 for text in texts), MAX_BYTES),
    ):
        if number > most:
            yield f"{number} {what}"
    ids = [part["custom_id"] for part in parts if "custom_id" in part]
    yield from (f"twice: {one}" for one in {one for one in ids if ids.count(one) > 1})
    yield from (f"too long: {one}" for one in ids if len(one) > 100)
    for part in parts:
        if part.get("type") == 1 and not 1 <= len(part["components"]) <= 5:
            yield "a row of more than five"
        if part.get("type") == 2 and len(part.get("label") or "") > LIST_LIMITS["button"]:
            yield f"button {part['label']!r}"
        if part.get("type") == 10 and not part["content"].strip():
            yield "an empty text"
        if part.get("type") == 10 and re.search(r"\bNone$", part["content"], re.MULTILINE):
            yield "a line that says None"
        yield from list_faults(part)
        for item in part.get("items") or ():
            if len(item.get("description") or "") > LIST_LIMITS["alt"]:
                yield "a picture's description"
            if not item.get("description"):
                yield "a picture without a description"


def list_faults(part: dict[str, Any]) -> Iterator[str]:
    options = part.get("options") or []
    if part.get("type") == 3 and not 1 <= len(options) <= LIST_LIMITS["options"]:
        yield f"a list of {len(options)}"
    if len({one["value"] for one in options}) < len(options):
        yield "an option twice"
    for one in options:
        if not 1 <= len(one["label"]) <= LIST_LIMITS["label"] or len(one["value"]) > 100:
            yield f"option {one['label']!r}"
    if len(part.get("placeholder") or "") > LIST_LIMITS["placeholder"]:
        yield f"placeholder {part['placeholder']!r}"


def form_faults(form: Any) -> Iterator[str]:
    if not 1 <= len(form.title) <= 45:
        yield f"title {form.title!r}"
    if len(form.custom_id) > 100 or len(form.children) > 5:
        yield "its id or its fields"
    for part in form.to_dict()["components"]:
        for field in (part, *part.get("components", ()), part.get("component") or {}):
            if len(field.get("label") or "") > 45 or len(field.get("description") or "") > 100:
                yield f"label {field.get('label')!r} {field.get('description')!r}"
            yield from list_faults(field)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_fits_a_card(language: str) -> None:
    """Notes and refusals are one sentence with names in it."""
    from bot.theme import plain
    from bot.widgets import note_card

    with speaking(language):
        for message in messages():
            one, many = message if isinstance(message, tuple) else (message, "")
            fields = [(name, how) for _, name, how, _ in string.Formatter().parse(many or one) if name]
            values = {
                name: 999_999 if how else plain(WORST["emoji"]) for name, how in fields if name != "count"
            }
            said = trn(one, many, 999_999, **values) if many else tr(one, **{"count": 999_999, **values})
            assert not list(faults(note_card(said)))
