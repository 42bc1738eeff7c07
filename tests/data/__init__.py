"""Real recordings and true stems for the tests; LICENSE.md says whose they are."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
SONGS = sorted((FOLDER / "songs").glob("*.ogg"))
"""Six recordings at 22.05 kHz in one channel, 5 to 20 s: music of several kinds and a voice."""
FUNK = FOLDER / "funk"
"""Five stems of one song at 44.1 kHz in two channels, 12 s: bassguitar, clav, drums, horns, leadguitar (.mp3)."""
SAMPLES = sorted((FOLDER.parents[1] / "core" / "library" / "samples").glob("*.ogg"))
"""The thirty pieces that the product brings, at 44.1 kHz in two channels, about a minute each."""
