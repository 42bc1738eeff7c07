"""Every colour that stands for something: of moods and of stems."""

from __future__ import annotations

MOOD_COLOURS = {
    "wonder": "#b58cf5", "transcendence": "#8e9be8", "tenderness": "#f29bb2", "nostalgia": "#d9a866",
    "peacefulness": "#6fc3b2", "power": "#e8643c", "joyful_activation": "#f5c542", "tension": "#d0608a",
    "sadness": "#5b94d8",
}  # fmt: skip
"""One colour for each mood, on cards and in pictures: light enough for lines on dark grey."""

STEM_COLOURS = {
    "drums": "#ff6b6b", "bass": "#ffa94d", "vocals": "#ffe066", "guitar": "#69db7c", "piano": "#4dabf7",
    "other": "#b197fc",
}  # fmt: skip
"""One colour for each stem wherever stems are drawn; distinct on dark grey, also for most colour-blind readers."""
