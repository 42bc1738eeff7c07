"""The languages that members are spoken to in.

Which one belongs to the running task (a ContextVar), so that nobody passes it around: the bot sets it once for each
interaction, `asyncio.to_thread` takes it along, everything else speaks English.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español"}
"""{code: its own name}."""

_language: ContextVar[str] = ContextVar("language", default="en")


def spoken() -> str:
    """The language of the running task: 'en', 'de' or 'es'."""
    return _language.get()


def speak(language: str) -> None:
    """From here to the end of this task."""
    _language.set(nearest_language(language) or "en")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Within the block; the language from before comes back, whatever happens."""
    before = _language.set(nearest_language(language) or "en")
    try:
        yield
    finally:
        _language.reset(before)


def nearest_language(locale: str | None) -> str | None:
    """'de' for 'de' and 'de-AT'; None for a language that is not spoken here."""
    code = (locale or "").partition("-")[0].lower()
    return code if code in LANGUAGES else None
