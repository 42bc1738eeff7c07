"""What cards, reports and pictures call the descriptors, in the reader's language."""

from __future__ import annotations

from bot.words.i18n import tr
from bot.words.named import word, words
from core.audio.vocabulary import Descriptor, descriptors


def label(feature: str) -> str:
    """'brightness' for 'mix.spectral_centroid' and for 'spectral_centroid'; 'variation of brightness' for its .std."""
    descriptor, statistic = _parse(feature)
    name = tr(descriptor.label or descriptor.name.replace("_", " "))
    return word("statistics", statistic, what=name) if statistic else name


def end(feature: str, side: str) -> str:
    """What one end of a descriptor ('low' or 'high') is called where that is not the word with its label, else ''."""
    descriptor, statistic = _parse(feature)
    if descriptor.ends is None or statistic or side not in ("low", "high"):
        return ""
    return tr(descriptor.ends[side == "high"])


def meaning(feature: str) -> str:
    """What the descriptor measures, or ''."""
    found = _parse(feature)[0].meaning
    return tr(found) if found else ""


def _parse(feature: str) -> tuple[Descriptor, str]:
    """The descriptor of 'mix.spectral_centroid.std' and the statistic, '' for the mean or the single value."""
    parts = feature.split(".")
    statistic = parts.pop() if parts[-1] in words("statistics") and len(parts) > 1 else ""
    return descriptors().get(parts[-1]) or Descriptor(parts[-1]), statistic
