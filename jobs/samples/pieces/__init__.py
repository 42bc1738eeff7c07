"""The pieces themselves, grouped by character; the order gives the numbers of the files."""

from collections.abc import Callable

from jobs.samples.pieces import driving, quiet, solemn
from jobs.samples.score import Piece

PIECES: list[Callable[[], Piece]] = [*quiet.PIECES, *driving.PIECES, *solemn.PIECES]
