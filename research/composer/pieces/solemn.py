"""Choirs, orchestras and patterns: wonder, transcendence and tension."""

from research.composer.score import Note, Part, Piece, shift
from research.composer.theory import at, progression, voice
from research.composer.writing import arpeggio, bass, comp, groove, melody


def choir() -> Piece:
    """Light through stained glass: a slow a cappella choir in E flat, suspensions that resolve, one bright turn to C flat."""
    changes = progression(
        "Ebsus2 Eb | Bb/D | Cm Cm7/Bb | Ab | Fm7 | Bbsus4 Bb | B Gb/Bb | Ab/Bb Bb | Eb Ab/Eb | Eb", 4
    )
    voiced = voice(changes, "C3", "Ab4", 4, 19)
    inner = comp(changes, voiced, "x-------", velocity=62)
    inner = [
        Note(c.start, c.length, tone, 62) for c, tones in zip(changes, voiced, strict=True) for tone in tones
    ]
    tune = melody(
        "h F4 G4 | h. Bb4 q Ab4 | h G4 q F4 Eb4 | w C5 | q. C5 e Bb4 q Ab4 C5 | h Eb5 D5 | h D#5 q C#5 Bb4 | h C5 D5 | h Eb5 C5 | w Bb4 |",
        velocity=80, legato=1.02,
    )  # fmt: skip
    swell = [(0, 0.5), (10, 0.75), (16, 0.65), (24, 1.0), (30, 0.9), (40, 0.35)]
    return Piece(
        "window-of-ash-and-gold", "Window of Ash and Gold", "Vesper Chorus of Aldmoor", "Choral", 63, "Eb", "major",
        ("transcendence", "peacefulness"),
        [
            Part("choir aahs", inner, -2, 0, 0.8, timing=22, expression=swell),
            Part("voice oohs", tune, -2, 0.1, 0.8, timing=18, expression=swell),
            Part("choir aahs", bass(changes, "R - - -", "Bb1", "C3", velocity=60), -6, -0.1, 0.8, timing=20, expression=swell),
        ],
        loudness=-19, tempi=[(32, 56), (36, 50)],
    )  # fmt: skip


def ostinato() -> Piece:
    """Someone follows: a string ostinato in 7/8 that never rests, timpani nearing, low brass half steps, cut off unresolved."""
    bar = 3.5
    bars = 26
    cell = melody("e C3! C3? Eb3 C3? Db3! C3? F#3 |", bar, velocity=82, legato=0.5)
    strings = [n for i in range(bars) for n in shift(cell, i * bar, 12 if i >= 20 else 0, 0.72 + 0.013 * i)]
    reply = melody("e G4? F#4? G4 Ab4? G4? F#4 G4? |", bar, velocity=74, legato=0.5)
    plucked = [n for i in range(8, bars) for n in shift(reply, i * bar, 0 if i < 18 else 12)]
    low = melody(
        """q. C2 h C2 | q. ~ h ~ | q. Db2 h C2 | q. ~ h ~ | q. C2 h Eb2 | q. ~ h ~ | q. F#2 h F2 | q. ~ h C2 | q. C2 h Db2 | q. ~ h ~ |
        q. C2 h F#2 | q. ~ h F2 | q. Eb2 h Db2 | q. ~ h Db2 |""",
        bar, start=bar * 12, velocity=88,
    )  # fmt: skip
    high = melody(
        """q. G3 h Ab3 | q. ~ h G3 | q. G3 h Bb3 | q. A3 h Ab3 | q. G3 h C4 | q. ~ h Db4 | q. F#4 h G4 | q. ~ h Ab4 | q. G4 h C5 | q. ~ h Db5 |""",
        bar, start=bar * 16, velocity=84,
    )  # fmt: skip
    hits = [
        Note(i * bar + d, 0.4, 36, 70 + i) for i in range(4, bars) for d in ((0, 2.5, 3) if i % 2 else (0,))
    ]
    kit = groove(
        "......AAAAAAABAAABABABBBBB",
        {
            "A": {"bass drum": "X......", "snare": "...o..o"},
            "B": {"bass drum": "X..x.x.", "snare": "..oox.x"},
        },
        bar,
    )
    last = melody("e C2+C3+G3!'", bar, bar * bars, 110)
    return Piece(
        "seven-steps-behind", "Seven Steps Behind", "Night Cartography", "Soundtrack", 158, "C", "minor", ("tension", "power"),
        [
            Part("strings", strings + last, 0, -0.25, 0.3, timing=5),
            Part("pizzicato", plucked, -4, 0.35, 0.35, timing=5),
            Part("trombone", low, -3, 0.15, 0.4, timing=10, expression=[(40, 0.6), (88, 1)]),
            Part("tremolo strings", high, -5, -0.4, 0.5, expression=[(56, 0.4), (84, 1), (91, 1)]),
            Part("timpani", hits + last[:1], -4, 0, 0.4),
            Part("orchestra drums", kit, -5, 0, 0.4),
        ],
        bar=bar, loudness=-16,
    )  # fmt: skip


def fanfare() -> Piece:
    """Banners on the hill: trumpets call in rising fourths, horns answer, full orchestra carries the theme home in B flat."""
    changes = progression(
        "Bb | Bb | Eb/Bb | F | Bb | Eb | Cm7 F | Bb | Gm | Eb | Bb/F | F | Gb | Ab | Bb | Bb", 4
    )
    call = melody(
        "q r F4 e. Bb4 s Bb4 q C5 | h. F5 e Eb5 D5 | q. Eb5 e D5 q C5 G4 | h. C5 q F4 | q F4 e. Bb4 s C5 q D5 F5 | q. G5 e F5 q Eb5 G5 | q F5 Eb5 e D5 C5 q A4 | h. Bb4 q r |",
        velocity=98,
    )  # fmt: skip
    answer = melody(
        "q. D4 e D4 q G4 Bb4 | h Bb4 q G4 Eb4 | q. D4 e F4 q Bb4 D5 | h. C5 q F4 | q. Db5 e Bb4 q Gb4 Db5 | q. Eb5 e C5 q Ab4 Eb5 | h. F5 e D5 Eb5 | w F5 |",
        start=32, velocity=96,
    )  # fmt: skip
    kit = groove(
        "RAAB AAAB CAAB CCDE",
        {
            "A": {"snare": "x..xx.x.x..ooooo", "bass drum": "X.......x......."},
            "B": {"snare": "x..xx.x.xoxoxxXX", "bass drum": "X.......x...x..."},
            "C": {"snare": "x..xx.x.x..ooooo", "bass drum": "X.......x.......", "crash": "X..............."},
            "D": {"snare": "xoxoxoxoxxxxXXXX", "bass drum": "X...x...x...x..."},
            "E": {"crash": "X...............", "bass drum": "X.......X......."},
            "R": {"snare": "............xxXX"},
        },
    )
    runs = arpeggio(changes, voice(changes, "Bb4", "C6", 3), "0 1 2 3 2 1 0 1", 0.5, 70, ring=False)
    return Piece(
        "banners-on-the-hill", "Banners on the Hill", "Aldmoor Symphonic Band", "Soundtrack", 112, "Bb", "major",
        ("power", "wonder", "joyful_activation"),
        [
            Part("trumpet", call + shift(answer, 0, 0, 0.95), 0, 0.15, 0.4),
            Part("french horn", [n for n in shift(call, 0, -12, 0.9) if n.start >= 15] + shift(answer, 0, -12), -3, -0.25, 0.5),
            Part("trombone", comp(changes, voice(changes, "F2", "D4", 3), "x--xx-x- | x---x---", velocity=86), -4, 0.3, 0.4),
            Part("strings", [n for n in runs if n.start >= 16], -6, -0.3, 0.45),
            Part("tuba", bass(changes, "R - 5 - | R - R 5", "Bb1", "C3", velocity=90), -5, 0.05, 0.3),
            Part("timpani", bass(changes, "R . . R | R . R R", "F2", "F3", velocity=84), -6, 0, 0.4),
            Part("orchestra drums", kit, -5, 0, 0.4),
        ],
        loudness=-15, dynamics=[(0, 0.85), (16, 0.95), (31, 0.9), (48, 1.0), (56, 1.15), (64, 1.15)], tempi=[(56, 104), (60, 84)],
    )  # fmt: skip


def marimbas() -> Piece:
    """A machine of wood and patience: marimba cells that shift against each other, a vibraphone picks notes out; no climax."""
    changes = progression(
        "F#m7 | F#m7 | F#m7 | F#m7 | Dmaj7 | Dmaj7 | A | A | Bm7 | Bm7 | Dmaj7 | Dmaj7 | E6 | E6 | A | A | F#m7 | F#m7 | Dmaj7 | A | A",
        4,
    )
    one = arpeggio(
        changes, voice(changes, "A3", "G#4", 4), "0 2 1 3 2 0 3 1 . 2 0 3 1 2 . 3", 0.25, 72, ring=False
    )
    two = arpeggio(changes, voice(changes, "C#5", "B5", 4), "3 1 . 2 0 1 3 . 2 0 1 3", 0.25, 64, ring=False)
    low = arpeggio(
        changes, voice(changes, "A2", "A3", 3), "0 . . 1 . . 2 . . 1 . 0 . 1 . .", 0.25, 70, ring=False
    )
    points = [
        Note(i * 3.0, 3, p, 70)
        for i, p in enumerate(
            (
                69,
                73,
                76,
                69,
                73,
                76,
                69,
                73,
                69,
                74,
                73,
                76,
                71,
                74,
                69,
                74,
                71,
                76,
                73,
                76,
                73,
                69,
                76,
                69,
                73,
                74,
                69,
                76,
            )
        )
        if i * 3 < 84
    ]
    keep = [n for n in points if n.pitch % 12 in at(changes, n.start).chord.classes]
    return Piece(
        "patience-machine", "Patience Machine", "Ensemble Lattice", "Minimal", 138, "A", "major", ("wonder", "joyful_activation", "peacefulness"),
        [
            Part("marimba", one, 0, -0.4, 0.3, timing=4),
            Part("marimba", [n for n in two if n.start >= 16], -2, 0.4, 0.3, timing=4),
            Part("marimba", [n for n in low if n.start >= 8], -3, 0, 0.25, timing=4),
            Part("vibraphone", [n for n in keep if n.start >= 24], -6, 0.15, 0.6, timing=8),
            Part("pizzicato", bass(changes, "R . . . . . 5 .", "A2", "G#3", velocity=74), -6, 0.1, 0.3),
        ],
        loudness=-18, dynamics=[(0, 0.75), (16, 0.9), (48, 1.1), (68, 0.95), (84, 0.7)],
    )  # fmt: skip


def baroque() -> Piece:
    """Two violins chase each other over harpsichord and cello: a D minor trio sonata in sequences of falling fifths."""
    changes = progression(
        "Dm | Gm C | F Bb | Em7b5 A | Dm | Gm C | F Bb | A | Dm Gm | C F | Bb Em7b5 | A7 Dm | Gm A7 | Dm | Gm/D A/D | D",
        4,
    )
    first = melody(
        """e D5 E5 F5 D5 A5 F5 D5 A4 | e Bb4 D5 G5 Bb5 q E5 G5 | e A4 C5 F5 A5 q D5 F5 | e G5 E5 Bb5 G5 q C#5 E5 | e F5 D5 A4 D5 F5 A5 q D6 | e Bb5 A5 G5 Bb5 e C6 Bb5 A5 G5 | e A5 G5 F5 A5 e Bb5 A5 G5 F5 | h E5 q C#5 A4 |
        e F5 A5 q D5 e G5 Bb5 q D5 | e E5 G5 q C5 e F5 A5 q C5 | e D5 F5 q Bb4 e E5 G5 q Bb4 | e C#5 E5 A5 G5 F5 E5 q D5 | e Bb5 A5 G5 Bb5 e A5 G5 E5 C#5 | e D5 F5 A5 D6 q A5 F5 | q G5 D5 E5 C#5 | w D5 |""",
        velocity=84, legato=0.85,
    )  # fmt: skip
    second = melody(
        """w r | r | e r C5 F5 A5 r D5 F5 Bb5 | q E5 G4 e E5 C#5 A4 G4 | q F4 A4 D5 e F5 A4 | q D5 Bb4 q E5 C5 | q C5 A4 q D5 Bb4 | q C#5 E5 e A4 B4 C#5 E5 |
        q D5 F5 q D5 G5 | q C5 E5 q C5 F5 | q Bb4 D5 q Bb4 E5 | q A4 C#5 q D5 A4 | q D5 Bb4 q C#5 A4 | q A4 D5 e F5 A5 q D5 | q D5 Bb4 C#5 A4 | w F#4 |""",
        velocity=78, legato=0.85,
    )  # fmt: skip
    return Piece(
        "clockmakers-sonata", "The Clockmaker's Sonata", "Ensemble Lattice", "Baroque", 104, "D", "minor", ("wonder", "tension"),
        [
            Part("violin", first, 0, -0.35, 0.4, timing=7),
            Part("violin", second, -2, 0.35, 0.4, timing=8),
            Part("harpsichord", comp(changes, voice(changes, "A3", "A4", 3), "x.xx x.x.".replace(" ", ""), velocity=76), -5, 0.1, 0.3, timing=7),
            Part("cello", bass(changes, "R . 8 5 R . 5 A", "C2", "D3", velocity=82), -3, 0, 0.35, timing=8),
        ],
        loudness=-17, tempi=[(56, 92), (58, 72)],
    )  # fmt: skip


def first_snow() -> Piece:
    """A child sees snow for the first time: harp runs, glockenspiel, celesta and wide strings; Lydian F that opens upward."""
    changes = progression(
        "Fadd9 | G/F | Fadd9 | G/F | Dm7 | Am7 | Fadd9 | Gsus4 G | Ab | Bb | C | Am | Db | Eb | F | F", 4
    )
    harp = arpeggio(changes, voice(changes, "F3", "F4", 4), "0 1 2 3 4 5 6 7 6 5 4 3 2 1 0 1", 0.25, 62)
    bells = melody(
        "q. C6 e B5 h E6 | q. D6 e B5 h G5 | q. C6 e B5 q E6 G6 | w D6 | q. F6 e E6 q D6 A5 | q. G6 e E6 h C6 | q. A5 e C6 q F6 G6 | h C6 D6 | q. Eb6 e C6 h Ab5 | q. F6 e D6 h Bb5 | q. G6 e E6 q C6 E6 | w C6 | q. F6 e Db6 h Ab5 | q. G6 e Eb6 h Bb5 | w A5 | w C6 |",
        velocity=66, legato=1.4,
    )  # fmt: skip
    line = melody(
        "w A4 | B4 | C5 | D5 | h F5 D5 | C5 A4 | A4 C5 | C5 D5 | w Eb5 | F5 | h. G5 q E5 | h C5 E5 | w F5 | G5 | A5 | A5 |",
        velocity=74,
        legato=1.02,
    )
    rise = [(0, 0.45), (16, 0.6), (32, 0.8), (48, 1.0), (56, 1.0), (64, 0.4)]
    return Piece(
        "first-snow-at-four", "First Snow at Four", "Aldmoor Symphonic Band", "Soundtrack", 99, "F", "major", ("wonder", "tenderness", "transcendence"),
        [
            Part("harp", harp, -2, -0.3, 0.5, timing=8),
            Part("glockenspiel", bells, -5, 0.3, 0.6, timing=10),
            Part("strings", line + comp(changes, voice(changes, "C3", "C4", 3), "x---", velocity=60), 0, 0, 0.5, timing=15, expression=rise),
            Part("choir aahs", [n for n in comp(changes, voice(changes, "G3", "G4", 3), "x---", velocity=60) if n.start >= 32], -5, 0.1, 0.7, timing=18, expression=rise),
            Part("contrabass", [n for n in bass(changes, "R - - -", "D1", "G2", velocity=70) if n.start >= 16], -7, 0, 0.4, expression=rise),
        ],
        loudness=-17, tempi=[(56, 88), (60, 74)],
    )  # fmt: skip


def organ_prelude() -> Piece:
    """A church at night, one organist: chords that refuse to settle over a pedal C, then the sky opens to C major."""
    changes = progression("Cm | Dm7b5/C | G7/C | Cm | Ab/C | Fm/C | D7 | Gsus4 G | C | F/C | G/B C", 4)
    voiced = voice(changes, "E3", "D5", 4, 19)
    hold = [
        Note(c.start, c.length * 0.99, tone, 70)
        for c, tones in zip(changes, voiced, strict=True)
        for tone in tones
    ]
    run = arpeggio(changes, voice(changes, "C5", "C6", 3), "0 1 2 1 3 2 1 2", 0.25, 66, ring=False)
    return Piece(
        "nave-at-midnight", "Nave at Midnight", "Ilse Marchetti", "Classical", 72, "C", "minor", ("transcendence", "wonder", "tension"),
        [
            Part("church organ", hold + [n for n in run if n.start >= 12] + melody("w C5+E5+G5 |", start=44, velocity=70), 0, 0, 0.8, timing=8),
            Part("church organ", [Note(n.start, n.length, n.pitch, 80) for n in bass(changes, "R - - -", "G1", "F#2")] + [Note(44, 4, 36, 80)], -4, 0, 0.7, timing=6),
        ],
        loudness=-17, tempi=[(40, 62)],
    )  # fmt: skip
