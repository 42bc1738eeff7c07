"""The pieces themselves, grouped by character; the order here gives the numbers of the files."""

from collections.abc import Callable

from research.composer.pieces import bands, dance, quiet, solemn
from research.composer.score import Piece

PIECES: list[Callable[[], Piece]] = [
    quiet.lullaby,
    quiet.cello_adagio,
    quiet.waltz,
    quiet.ambient,
    quiet.folk,
    dance.bossa,
    quiet.chorale,
    quiet.farewell_ballad,
    bands.rock_anthem,
    dance.drum_and_bass,
    dance.funk,
    bands.ragtime,
    dance.reggae,
    bands.metal,
    dance.house,
    dance.synthwave,
    dance.lofi,
    dance.samba,
    bands.swing,
    solemn.choir,
    solemn.ostinato,
    solemn.fanfare,
    bands.noir,
    bands.gospel,
    solemn.marimbas,
    solemn.baroque,
    bands.tango,
    bands.bluegrass,
    solemn.first_snow,
    solemn.organ_prelude,
]
