"""Tender, peaceful and sad pieces: few instruments, slow tempi, long lines."""

from research.composer.score import Part, Piece, shift
from research.composer.theory import progression, voice
from research.composer.writing import arch, arpeggio, bass, comp, groove, melody


def lullaby() -> Piece:
    """A solo piano rocks a child to sleep: 6/8, D flat major, AA' in two eight-bar periods, never loud."""
    bar = 3
    changes = progression(
        "Db | Gb/Db | Db | Ab7 | Bbm7 | Gb | Db/Ab Ab7 | Db | Db | Gb/Db | Db | F7 | Bbm | Gb Gbm | Db/Ab Ab7 | Db | Db",
        bar,
    )
    left = arpeggio(changes, voice(changes, "C3", "C4", 3), "0 1 2 1 2 1", 0.5, 46)
    low = bass(changes, "R - - - - -", "Ab1", "Ab2", bar, 50)
    tune = melody(
        """q F5 e Ab4 q F5 e Eb5 | q Db5 e Bb4 q. Gb4 | q F4 e Ab4 q Db5 e F5 | h. Eb5 |
        q Db5 e F5 q Ab5 e F5 | q Gb5 e F5 q Eb5 e Bb4 | q. F5 q Eb5 e C5 | h. Db5 |
        q F5 e Ab4 q F5 e Gb5 | q. Gb5 q Bb4 e Db5 | q F5 e Ab5 q Bb5 e Ab5 | q. A5 q G5 e Eb5 |
        q. Db6 q Bb5 e Ab5 | q. Gb5 q Bb4 e A4 | q. Ab4 q Ab4 e C5 | h. Db5 | h. F5?+Db5? |""",
        bar, velocity=68,
    )  # fmt: skip
    return Piece(
        "pillow-of-snow", "Pillow of Snow", "Orla Venn", "Classical", 76, "Db", "major", ("tenderness", "peacefulness"),
        [Part("piano", arch(tune, 12) + left + low, reverb=0.45, timing=14)],
        bar=bar, loudness=-21, tempi=[(45, 66), (48, 54)],
    )  # fmt: skip


def cello_adagio() -> Piece:
    """Grief that does not shout: a cello sings over slow string chords in G minor, falling by sighs, one outcry, rest."""
    changes = progression("Gm | Cm/G | D7/F# | Gm | Eb | Cm | Gm/D D7 | Gm | Gm", 4)
    pads = comp(changes, voice(changes, "C3", "F4", 4), "x---", velocity=52)
    low = bass(changes, "R - - -", "C2", "G2", velocity=54)
    tune = melody(
        """h. D4 e Bb3 C4 | q. Eb4 e D4 h C4 | q. C4 e Bb3 q A3 D4 | h. Bb3 q r |
        q G4 Bb4 q. G4 e F4 | q. Eb4 e D4 q C4 Eb4 | q. D4 e C4 q Bb3 A3 | h. G3 q r | w G3 |""",
        velocity=86, legato=1.02,
    )  # fmt: skip
    swell = [(0, 0.55), (8, 0.8), (12, 0.6), (17, 1.0), (22, 0.8), (28, 0.55), (36, 0.3)]
    return Piece(
        "the-empty-chair", "The Empty Chair", "Halmstad Strings", "Classical", 56, "G", "minor", ("sadness", "tenderness"),
        [
            Part("cello", tune, 0, -0.1, 0.5, timing=16, vibrato=0.3, expression=swell),
            Part("slow strings", pads, -8, 0.1, 0.55, timing=18, expression=swell),
            Part("contrabass", low, -10, 0.2, 0.45, timing=18, expression=swell),
        ],
        loudness=-20, tempi=[(31, 50), (33, 46)],
    )  # fmt: skip


def waltz() -> Piece:
    """A ballroom remembered: accordion and clarinet trade an A minor waltz tune, plucked guitar, the second half in C."""
    bar = 3
    changes = progression(
        """Am | Am | E7 | E7 | Dm | Dm | Am/E E7 E7 | Am | C | C | G7 | G7 | Dm | Am | Bm7b5 E7 E7 | Am |
        Am | Dm | G7 | C | F | Bm7b5 | Am/E E7 E7 | Am | Am""",
        bar,
    )
    tune = melody(
        """q. E5 e D5 q C5 | h B4 q A4 | q. G#4 e A4 q B4 | h. E4 | q. F4 e G#4 q A4 | h D5 q C5 | q B4 A4 G#4 | h A4 q r |
        q. G5 e F5 q E5 | h D5 q C5 | q. B4 e C5 q D5 | h. F5 | q. F5 e E5 q D5 | q. E5 e D5 q C5 | q. B4 e A4 q G#4 | h. A4 |
        q. E5 e F5 q E5 | q A5 G5 F5 | q. F5 e E5 q D5 | h G5 q E5 | q. E5 e D5 q C5 | h D5 q F5 | q. E5 e D5 q B4 | h. A4 | h. A4 |""",
        bar, velocity=80,
    )  # fmt: skip
    first = [n for n in tune if n.start < 24 or n.start >= 48]
    second = [n for n in tune if 24 <= n.start < 73]
    chords = voice(changes, "E3", "A4", 3)
    return Piece(
        "letters-from-trieste", "Letters from Trieste", "Café Miramar", "Waltz", 132, "A", "minor", ("nostalgia", "tenderness"),
        [
            Part("accordion", arch(first, 12), 0, -0.25, 0.3, timing=12),
            Part("clarinet", arch(second, 12), -2, 0.3, 0.4, timing=12),
            Part("nylon guitar", comp(changes, chords, ".xx", bar, 62, 0.04), -6, 0.15, 0.3),
            Part("acoustic bass", bass(changes, "R - . | 5 - .", "E1", "C3", bar, 76), -4, 0, 0.2),
        ],
        bar=bar, loudness=-18, tempi=[(66, 118), (69, 96), (72, 80)],
    )  # fmt: skip


def ambient() -> Piece:
    """Still water at dawn: warm pads breathe over open fifths, a bell note now and then; no beat, no bass drum, no hurry."""
    changes = progression("Dadd9 | Gadd9 | Bm7 | Asus4 | Dadd9 | Gadd9 | Em7 | Dadd9 | Dadd9", 4)
    pads = comp(changes, voice(changes, "A2", "F#4", 4, 19), "x---", velocity=60)
    bells = melody(
        """r q F#5 A5 r | h r q D6 r | r q C#6 h A5 | w r | q r F#5 e A5 D6 q r | h r q B5 A5 | r q G5 h F#5 | w A5 | w D6 |""",
        velocity=50, legato=1.6,
    )  # fmt: skip
    breath = [(i * 4 + d, v) for i in range(9) for d, v in ((0, 0.55), (2, 0.95))] + [(36, 0.4)]
    return Piece(
        "lake-before-light", "Lake Before Light", "Slow Meridian", "Ambient", 56, "D", "major", ("peacefulness", "transcendence"),
        [
            Part("warm pad", pads, 0, -0.2, 0.7, timing=20, expression=breath),
            Part("new age pad", shift(pads, 0.5, 12, 0.8), -7, 0.3, 0.8, timing=20, expression=breath),
            Part("vibraphone", bells, -7, 0.15, 0.8, timing=25),
        ],
        loudness=-21,
    )  # fmt: skip


def folk() -> Piece:
    """Morning in a mountain hut: fingerpicked steel guitar in G (alternating thumb), a flute hums the second time."""
    changes = progression(
        "G | G | C | G | Em | C | Am7 D7 | G | G | Bm | C | G/B | Em | C | Am7 D7 | G | G", 4
    )
    voiced = voice(changes, "D3", "G4", 4)
    picks = arpeggio(changes, voiced, ". 3 1 2 . 3 1 2", 0.5, 62)
    thumb = bass(changes, "R 5 R 5", "E2", "D3", velocity=72)
    tune = melody(
        """q. B4 e D5 h G5 | q F#5 E5 h D5 | q. E5 e D5 q C5 E5 | h. D5 q r | q. G5 e F#5 q E5 B4 | q. C5 e D5 h E5 | q C5 A4 e B4 A4 q F#4 | h. G4 q r |
        w G4 |""",
        start=32, velocity=74,
    )  # fmt: skip
    hint = melody("q. B4 e D5 h G5 | q F#5 E5 h D5 | w r | w r | q. G5 e F#5 q E5 B4 | w C5 |", velocity=70)
    return Piece(
        "woodsmoke-and-honey", "Woodsmoke and Honey", "The Fernway", "Folk", 112, "G", "major", ("peacefulness", "tenderness", "nostalgia"),
        [
            Part("steel guitar", picks + thumb + shift(hint, 0, 0), 0, -0.1, 0.3, timing=9),
            Part("flute", arch(tune, 16), -2, 0.2, 0.45, timing=12),
        ],
        loudness=-19, tempi=[(62, 100), (64, 88)],
    )  # fmt: skip


def chorale() -> Piece:
    """A funeral procession: low brass chorale in C minor over a muffled drum, bell strokes between the phrases."""
    changes = progression("Cm | Fm/C | G/B | Cm | Ab | Fm | Cm/G G7 | Cm | Cm", 4)
    voiced = voice(changes, "G2", "C4", 4, 17)
    brass = comp(changes, voiced, "x--o x--- | x--- x--.", velocity=66)
    tune = melody(
        "q. C4 e C4 h C4 | q. Ab4 e G4 h F4 | q. F4 e D4 q G4 D4 | h. Eb4 q r | q. Eb4 e Eb4 h Ab4 | q. C5 e Bb4 q Ab4 F4 | q Eb4 C4 D4 B3 | w C4 | w C4 |",
        velocity=78,
    )
    drum = groove(
        "AAAAAAAB.",
        {
            "A": {"tap": "x.....oox...oooo", "bass drum": "X.......o......."},
            "B": {"bass drum": "X..............."},
        },
    )
    mourners = comp(changes, voice(changes, "C4", "Eb5", 3), "x-------", velocity=64)
    return Piece(
        "procession-in-rain", "Procession in Rain", "Halmstad Strings", "Classical", 58, "C", "minor", ("sadness", "transcendence", "tension"),
        [
            Part("french horn", tune, 0, -0.15, 0.55, timing=16, expression=[(0, 0.6), (18, 1), (36, 0.45)]),
            Part("trombone", brass, -4, 0.2, 0.5, timing=16, expression=[(0, 0.6), (18, 0.95), (36, 0.4)]),
            Part("choir aahs", [n for n in mourners if n.start >= 16], -3, 0, 0.65, timing=20),
            Part("contrabass", bass(changes, "R - - -", "B1", "A2", velocity=60), -8, 0, 0.4),
            Part("orchestra drums", drum, -8, 0.1, 0.55),
            Part("tubular bells", melody("w r | r | r | h r C4 | w r | r | r | h r C4 | w r |", velocity=60), -9, -0.3, 0.7),
        ],
        loudness=-19, tempi=[(31, 50)],
    )  # fmt: skip


def farewell_ballad() -> Piece:
    """Parting at a station: piano chords in E minor, a wordless voice leads and climbs in the second half, cello beneath."""
    changes = progression(
        "Em | C | G | D/F# | Em | C | Am7 | B7sus4 B7 | Em/G | C | G | D | C | D/C | Am7 B7 | Em | Em", 4
    )
    tune = melody(
        """q r B4 e E5 F#5 q G5 | q. E5 e D5 h C5 | q r B4 e D5 E5 q B4 | h. A4 q r | q r B4 e E5 F#5 q B5 | q. G5 e E5 h G5 | q. E5 e D5 q C5 A4 | h B4 q D#5 r |
        q r B5 e B5 A5 q G5 | q. G5 e F#5 h E5 | q r D5 e G5 A5 q B5 | h. A5 q F#5 | q. G5 e E5 h C5 | q. F#5 e G5 h A5 | q G5 E5 q F#5 D#5 | w E5 | w B4 |""",
        velocity=82,
    )  # fmt: skip
    lower = melody(
        """w E3 | E3 | D3 | D3 | h E3 G3 | w E3 | C3 | h F#3 D#3 | w G3 | h E3 G3 | h D3 B2 | h A2 D3 | h C3 E3 | h D3 F#3 | h E3 F#3 | w E3 | E3 |""",
        velocity=60,
    )
    keys = arpeggio(changes, voice(changes, "B2", "B4", 4, 17), "0 1 2 3 2 1 2 1", 0.5, 58)
    return Piece(
        "platform-nine", "Platform Nine", "Mira Solane", "Pop Ballad", 101, "E", "minor", ("sadness", "nostalgia", "tenderness"),
        [
            Part("voice oohs", tune, 0, 0, 0.5, timing=14, lag=12, vibrato=0.2),
            Part("piano", keys + bass(changes, "R - - -", "E1", "D#2", velocity=62), -3, -0.1, 0.35, timing=9),
            Part("cello", lower, -8, 0.25, 0.5, timing=15, expression=[(0, 0.5), (32, 0.7), (52, 1), (68, 0.4)]),
        ],
        loudness=-18, dynamics=[(0, 0.85), (32, 1.0), (50, 1.12), (58, 1.0), (68, 0.75)], tempi=[(60, 92), (63, 78)],
    )  # fmt: skip
