"""Words in the reader's language: English in the code, German and Spanish in bot/words/locales/*.po.

CONTRIBUTING says how to write a text. The language is that of the running task (core.spoken).
"""

from __future__ import annotations

import gettext
import io
import re
import string
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from core.spoken import spoken

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

_LISTS = {"en": "en_GB"}
"""Where lists are those of a region: American English has a comma before "and"."""


def tr(message: str, **values: Any) -> str:
    """The message in the reader's language, its {placeholders} filled in; numbers are written as people do there."""
    language = spoken()
    if language == "en":
        return message.format(**values) if values else message
    found = catalogue(language).gettext(message)
    return _FORMATTER.vformat(found, (), values) if values else found


def trn(one: str, many: str, count: float, **values: Any) -> str:
    """The same for what is counted; both forms may name {count}."""
    found = catalogue(spoken()).ngettext(one, many, int(count) if count == int(count) else 2)
    return _FORMATTER.vformat(found, (), {"count": count, **values})


def mark(message: str) -> str:
    """For tables of words: the message is translated where it is shown, by `tr(TABLE[name])`."""
    return message


def number(value: float, how: str = "") -> str:
    """A number as people write it: number(1234.5, ',.1f') is '1.234,5' in German.

    `how` is a format specification of sign, comma, decimals and f, g or %. English is what `format` writes.
    """
    language = spoken()
    if language == "en":
        return format(value, how)
    from babel.numbers import format_decimal, format_percent

    write = format_percent if how.endswith("%") else format_decimal
    return write(value, format=_pattern(how, language), locale=language)


@cache
def _pattern(how: str, language: str) -> str:
    """Unicode's number pattern for a format specification: '+0.00;-0.00' for '+.2f'."""
    from babel import Locale

    parts = re.fullmatch(r"(\+?)(,?)(?:\.(\d+))?([fg%]?)", how)
    if parts is None:
        raise ValueError(f"numbers are not written by the specification {how!r}")
    sign, groups, decimals, kind = parts.groups()
    places = f".{'0' * int(decimals)}".rstrip(".") if decimals else "" if groups or kind == "%" else ".######"
    digits = ("#,##0" if groups else "0") + places
    if kind == "%":
        digits = Locale(language).percent_formats[None].pattern.replace("#,##0", digits)
    return f"+{digits};-{digits}" if sign else digits


def percent(share: float) -> str:
    """'42%' for 0.42; German and Spanish put a space between, where no line breaks."""
    return number(share, ".0%")


def inside(label: str) -> str:
    """A label inside a sentence: 'study' for 'Study'; German nouns keep their capital."""
    return label if spoken() == "de" else label.lower()


def lowered(label: str) -> str:
    """A label that begins with an adjective or a verb inside a sentence: 'less vocals', 'weniger Gesang'."""
    return label.lower() if spoken() == "en" else label[:1].lower() + label[1:]


def joined(words: Sequence[str]) -> str:
    """'bass', 'bass and guitar', 'bass, guitar and piano'."""
    from babel.lists import format_list

    return format_list(words, locale=_LISTS.get(spoken(), spoken()))


def ordinal(place: int) -> str:
    """A place in a list: '1st', '2nd', in German '1.', in Spanish '1.º'."""
    if spoken() != "en":
        return f"{place}." if spoken() == "de" else f"{place}.º"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{'th' if place % 100 in (11, 12, 13) else ending}"


@cache
def _read(language: str) -> Catalog:
    from babel.messages.pofile import read_po

    text = files("bot.words").joinpath("locales", f"{language}.po").read_bytes()
    return read_po(io.BytesIO(text), locale=language)


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Read when it is first needed: Babel takes a fifth of a second to import, and English needs neither."""
    if language == "en":
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo

    compiled = io.BytesIO()
    write_mo(compiled, _read(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class _Formatter(string.Formatter):
    """str.format with numbers as the reader writes them."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, int | float):
            return number(value, format_spec)
        return format(value, format_spec)


_FORMATTER = _Formatter()
