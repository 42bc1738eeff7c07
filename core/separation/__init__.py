"""Source separation: one mix into six stems, behind one protocol."""

from core.separation.base import SOURCES, STEMS, Cancelled, Progress, Samples, Separator
from core.separation.loader import SEPARATORS, at_hand, known, load_separator

__all__ = [
    "SEPARATORS",
    "SOURCES",
    "STEMS",
    "Cancelled",
    "Progress",
    "Samples",
    "Separator",
    "at_hand",
    "known",
    "load_separator",
]
