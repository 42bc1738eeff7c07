"""Source separation: one mix into six stems, behind one protocol."""

from core.separation.base import Cancelled, Progress, Separator
from core.separation.loader import SEPARATORS, at_hand, known, load_separator

__all__ = [
    "SEPARATORS",
    "Cancelled",
    "Progress",
    "Separator",
    "at_hand",
    "known",
    "load_separator",
]
