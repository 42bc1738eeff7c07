"""The pieces themselves, grouped by character; the order gives the numbers of the files."""

from collections.abc import Callable

from jobs.samples.pieces import quiet
from jobs.samples.score import Piece

PIECES: list[Callable[[], Piece]] = [*quiet.PIECES]
