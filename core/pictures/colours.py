"""Every colour that stands for something: of moods, of stems, and the grounds that pictures are drawn on."""

from __future__ import annotations

MOOD_COLOURS = {
    "wonder": "#b58cf5", "transcendence": "#8e9be8", "tenderness": "#f29bb2", "nostalgia": "#d9a866",
    "peacefulness": "#6fc3b2", "power": "#e8643c", "joyful_activation": "#f5c542", "tension": "#d0608a",
    "sadness": "#5b94d8",
}  # fmt: skip
"""One colour for each mood, on cards and in pictures: light enough for lines on dark grey."""

MOOD_COLOURS_ON_WHITE = {
    "wonder": "#8250d8", "transcendence": "#4a5cc7", "tenderness": "#c9446a", "nostalgia": "#8f5f14",
    "peacefulness": "#1f7d6c", "power": "#c2410c", "joyful_activation": "#8a6a00", "tension": "#9d174d",
    "sadness": "#1d4ed8",
}  # fmt: skip
"""The same, darker, so that they are read on white as well."""

STEM_COLOURS = {
    "drums": "#ff6b6b", "bass": "#ffa94d", "vocals": "#ffe066", "guitar": "#69db7c", "piano": "#4dabf7",
    "other": "#b197fc",
}  # fmt: skip
"""One colour for each stem wherever stems are drawn; distinct on dark grey, also for most colour-blind readers."""

DARK = {"ground": "#1e1f22", "panel": "#2b2d31", "text": "#f2f3f5", "faint": "#a3a6ad", "grid": "#3f4248"}
LIGHT = {"ground": "#ffffff", "panel": "#f2f3f5", "text": "#1e1f22", "faint": "#5c5f66", "grid": "#d4d7dc"}
"""Discord's dark theme, and paper."""
