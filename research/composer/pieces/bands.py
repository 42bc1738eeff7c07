"""Bands and pianos: rock, metal, ragtime, jazz, gospel, bluegrass, tango."""

from research.composer.score import Part, Piece, shift
from research.composer.theory import Change, progression, voice
from research.composer.writing import arch, arpeggio, bass, comp, groove, melody, walking


def power_chords(changes: list[Change], low: int) -> list[tuple[int, ...]]:
    """Root, fifth and octave of each chord, at or above MIDI pitch `low`."""
    roots = [low + (change.chord.root - low) % 12 for change in changes]
    return [(root, root + 7, root + 12) for root in roots]


def rock_anthem() -> Piece:
    """A stadium at night: verse on muted guitar and bass eighths, chorus with open power chords and a lead that climbs."""
    verse = "E5 | C5 | G5 | D5 | E5 | C5 | A5 | B5"
    chorus = "E5 | G5 | D5 | A5 | C5 | G5 | A5 | B5"
    low, high = progression(verse), progression(f"{chorus} | E5 | E5", start=32)
    muted = comp(low, power_chords(low, 40), "XxxXxxXx", velocity=78)
    opened = comp(high, power_chords(high, 40), "X--x--x- | X--x--xx", velocity=96)
    tune = melody(
        """q. E5 e G5 h B5 | q. A5 e G5 q D5 B4 | q. D5 e E5 h F#5 | q E5 C#5 e A4 B4 C#5 E5 | q. G5 e E5 q C5 E5 | q D5 G5 h B5 | e C6 B5 A5 G5 q E5 A5 | h F#5 D#5 | w E5 | ~ |""",
        start=32, velocity=98,
    )  # fmt: skip
    hook = melody(
        "w r | r | r | r | q r B4 e E5 D5 q B4 | q G4 E4 h G4 | q r A4 e E5 C5 q A4 | q. B4 e D#5 h F#5 |",
        velocity=84,
    )
    kit = groove(
        "AAAAAAAF CBBBCBBF D",
        {
            "A": {"kick": "X.....x.x.......", "snare": "....X..o....X..o", "hat": "X.x.X.x.X.x.X.x."},
            "B": {"kick": "X..x..x.X.x...x.", "snare": "....X.......X...", "open": "X...X...X...X..."},
            "C": {
                "kick": "X..x..x.X.x...x.",
                "snare": "....X.......X...",
                "open": "....X...X...X...",
                "crash": "X...............",
            },
            "F": {
                "kick": "X.....x.X.......",
                "snare": "....X...X.xxX.xx",
                "tom1": ".........x......",
                "tom3": "..........x..x..",
            },
            "D": {"kick": "X...............", "crash": "X...............", "snare": "X..............."},
        },
    )
    crowd = comp(high, voice(high, "B3", "E5", 2), "x-----xx", velocity=84)
    return Piece(
        "floodlights", "Floodlights", "Copper Union", "Rock", 132, "E", "minor", ("power", "joyful_activation"),
        [
            Part("overdriven guitar", tune + hook, -1, 0.15, 0.35, lag=6, vibrato=0.15),
            Part("distortion guitar", opened + muted, 0, -0.45, 0.2),
            Part("pick bass", bass(low + high, "R R R R R R R 5", "E1", "D2", velocity=94), -3, 0, 0.05, timing=5),
            Part("power drums", kit, 1, 0, 0.15, timing=4),
            Part("choir aahs", [n for n in crowd if n.start >= 48], -5, -0.1, 0.5, timing=14),
            Part("rock organ", comp(high, voice(high, "E3", "B4", 3), "x-------", velocity=70), -9, 0.4, 0.3),
        ],
        loudness=-13,
    )  # fmt: skip


def metal() -> Piece:
    """Iron works: palm-muted gallop on low E, tritone riff, double kick, a cold harmony lead in the second half."""
    riff = "E5 | E5 | F5 E5 | Bb5 B5"
    changes = progression(" | ".join([riff] * 4 + ["E5 | E5"]))
    gallop = comp(changes, power_chords(changes, 40), "X.xxX.xxX.xxX-x- | X.xxX.xxX---x-x-", velocity=92)
    lead = melody(
        """h E5 q. G5 e F#5 | h E5 q B4 D5 | q. F5 e E5 q C5 E5 | h D5 D#5 | h G5 q. B5 e A5 | q G5 E5 h B5 | q. C6 e B5 q G#5 E5 | q F5 D5 q F#5 D#5 | w E5 | ~ |""",
        start=32, velocity=100,
    )  # fmt: skip
    kit = groove(
        "CAAF AAAF CBBF BBBF CE",
        {
            "A": {"kick": "X.xxX.xxX.xxX.xx", "snare": "....X.......X...", "hat": "X.x.X.x.X.x.X.x."},
            "B": {"kick": "xxxxxxxxxxxxxxxx", "snare": "....X.......X...", "ride": "X...X...X...X..."},
            "C": {
                "kick": "X.xxX.xxX.xxX.xx",
                "snare": "....X.......X...",
                "crash": "X...............",
                "china": "........X.......",
            },
            "F": {
                "kick": "X.xxX.xxX.x.X.x.",
                "snare": "....X..xX..xX.XX",
                "tom1": ".........x......",
                "tom3": "..........xx.x..",
            },
            "E": {"kick": "X...............", "crash": "X...............", "crash2": "X..............."},
        },
    )
    return Piece(
        "foundry-psalm", "Foundry Psalm", "Ashen Tribunal", "Metal", 148, "E", "minor", ("power", "tension"),
        [
            Part("distortion guitar", gallop, 1, -0.55, 0.12, timing=5),
            Part("overdriven guitar", gallop, -1, 0.55, 0.12, timing=9),
            Part("distortion guitar", lead + shift(lead, 0, -12), -1, 0.1, 0.4, vibrato=0.2),
            Part("pick bass", bass(changes, "R . R R R . R R R . R R R - R -", "E1", "E2", velocity=100), -3, 0, 0.03, timing=4),
            Part("power drums", kit, 1, 0, 0.12, timing=3),
        ],
        loudness=-13,
    )  # fmt: skip


def ragtime() -> Piece:
    """A sunny pier piano: stride left hand, syncopated right hand in A flat-free C major, two strains and a cheeky end."""
    changes = progression(
        """C | C | G7 | G7 | G7 | G7 | C | C | C | C7 | F | F | F#dim7 | C/G A7 | D7 G7 | C |
        F | F | C | C | G7 | G7 | C | C7 | F | F#dim7 | C/G | A7 | D7 | G7 | C | C""",
        2,
    )
    stride = comp(changes, voice(changes, "D3", "D4", 3), ".x.x", 2, 66) + bass(
        changes, "R . 5 .", "C2", "C3", 2, 78
    )
    tune = melody(
        """s E5 G5 e C6 s A5 G5 e E5 | s C5 e E5 s G5 q E5 | s D5 F5 e B5 s A5 G5 e F5 | s D5 e F5 s A5 q G5 | s B4 D5 e G5 s F5 e D5 s B4 | s D5 e F5 s E5 e D5 B4 | s C5 e E5 s G5 e. C6 s G5 | q E5 e C5' r |
        s E5 G5 e C6 s A5 G5 e E5 | s E5 e G5 s Bb5 q C6 | s C6 A5 e F5 s A5 e C6 s A5 | s F5 e A5 s C6 q A5 | s C6 e A5 s F#5 e A5 C6 | s G5 e E5 s C5 e C#5 E5 | s D5 e F#5 s A5 e G5 F5 | q E5 e C5' r |
        s A5 e C6 s A5 e F5 A5 | s C6 e A5 s C6 q F5 | s G5 e C6 s G5 e E5 G5 | s C6 e G5 s E5 q C5 | s B5 e D6 s B5 e G5 F5 | s D5 e F5 s G5 q B5 | s C6 e G5 s E5 e G5 C6 | s Bb5 e G5 s E5 q C5 |
        s A5 e C6 s A5 e F5 A5 | s C6 e A5 s F#5 q Eb5 | s G5 e C6 s E6 e D6 C6 | s C#6 e A5 s G5 q E5 | s D5 F#5 e A5 s C6 e A5 s F#5 | s G5 B5 e D6 s F6 e D6 s B5 | s C6+E6 e G5 s E5 e D5 C5 | e C5+E5+C6!' r q C4!' |""",
        2, velocity=84,
    )  # fmt: skip
    return Piece(
        "pier-piano-holiday", "Pier Piano Holiday", "Barnaby Quill", "Ragtime", 92, "C", "major", ("joyful_activation", "nostalgia"),
        [Part("honky-tonk", tune + stride, 0, 0, 0.2, timing=7)],
        bar=2, loudness=-17,
    )  # fmt: skip


def swing() -> Piece:
    """A cellar with good company: swing quartet on rhythm changes in B flat, walking bass, ride cymbal, tenor saxophone."""
    changes = progression(
        """Bb6 G7 | Cm7 F7 | Dm7 G7 | Cm7 F7 | Fm7 Bb7 | Eb6 Ebm6 | Bb6 F7 | Bb6 |
        D7 | D7 | G7 | G7 | C9 | C9 | F7 | F7b9 | Bb6 G7 | Cm7 F7 | Bb6 F7 | Bb6""", 4,
    )  # fmt: skip
    tune = melody(
        """e r F4 Bb4 D5 e F5 D5 B4 G4 | e C5 Eb5 G5 Eb5 q C5 A4' | e F5 D5 q A4 e B4 D5 F5 G5 | q Eb5' C5' e A4 C5 Eb5 F5 | e Ab5 F5 q C5 e D5 F5 Ab5 F5 | q G5 Bb5 e Gb5 Eb5 C5 Bb4 | q D5 Bb4' e C5 Eb5 A4 C5 | q Bb4 r h r |
        q. A5 e F#5 q D5 C5 | e r F#5 A5 C6 q A5 F#5' | q. B5 e G5 q F5 D5 | e r F5 G5 B5 q D6 B5' | q. C6 e A5 q G5 E5 | e Bb5 G5 E5 C5 D5 E5 G5 Bb5 | q. A5 e F5 q Eb5 C5 | e Eb5 F5 Gb5 A5 q C6 r |
        e r F4 Bb4 D5 e F5 D5 B4 G4 | e C5 Eb5 G5 Eb5 q C5 A4' | q D5 Bb4' e C5 Eb5 A4 C5 | q Bb4! r e r Bb5!' q r |""",
        velocity=86,
    )  # fmt: skip
    kit = groove(
        "AAAF AAAF BBBB BBBF AAFE",
        {
            "A": {"ride": "X.xxX.xx", "pedal": "..x...x.", "kick": "o.o.o.o.", "snare": ".....o.."},
            "B": {"ride": "X.xxX.xx", "pedal": "..x...x.", "kick": "o.o.o.o.", "snare": "...o.x.o"},
            "F": {"ride": "X.xxX...", "pedal": "..x...x.", "snare": "...o.xxX", "kick": "o.o.o..x"},
            "E": {"ride": "X.......", "kick": "X....X..", "crash": ".....X.."},
        },
    )
    return Piece(
        "cellar-company", "Cellar Company", "The Quarter Past Four", "Jazz", 144, "Bb", "major", ("joyful_activation", "nostalgia"),
        [
            Part("tenor sax", arch(tune, 16), 0, 0.1, 0.3, swing=0.64, lag=14, vibrato=0.1),
            Part("piano", comp(changes, voice(changes, "Eb3", "D4", 4), "...x...x | x..x.... | .x....x.", velocity=70), -5, -0.35, 0.25, swing=0.64),
            Part("acoustic bass", walking(changes, "E1", "D3", 4), -2, 0, 0.15),
            Part("jazz drums", kit, -4, 0.2, 0.2, timing=5, swing=0.64),
        ],
        loudness=-16,
    )  # fmt: skip


def noir() -> Piece:
    """Wet asphalt at two: muted trumpet over vibraphone and walking bass in C minor, brushes, questions without answers."""
    changes = progression(
        "Cm6 | Ab7 | Cm6 | G7b13 | Fm9 | Dm7b5 G7b9 | Cm6 Ab7 | G7b9 | Cm6 | Ab7 | Dm7b5 G7b9 | CmM7", 4
    )
    tune = melody(
        """q r e G4 B4 q. Eb5 e D5 | h. C5 q r | q r e G4 B4 q. Eb5 e F5 | h F#5 q Eb5 r | q. Ab5 e G5 q Eb5 C5 | q D5 e Ab4 C5 q B4 r | q r e G4 A4 q C5 e Eb5 Gb5 | h. F5 q r |
        q. G5 e D#5 h C5 | q. Gb5 e Eb5 h C5 | q. F5 e D5 q B4 Ab4 | w B4 |""",
        velocity=78,
    )  # fmt: skip
    kit = groove("AAAAAAAFAAAE", {
        "A": {"tap": "o.oXo.oX"[:8], "swirl": "o...o...", "pedal": "..x...x."},
        "F": {"tap": "o.oxo.xX", "swirl": "o...o...", "pedal": "..x...x.", "kick": ".....o.."},
        "E": {"ride": "x.......", "kick": "o......."},
    })  # fmt: skip
    return Piece(
        "two-a-m-and-counting", "Two A.M. and Counting", "The Quarter Past Four", "Jazz", 78, "C", "minor", ("tension", "nostalgia", "sadness"),
        [
            Part("muted trumpet", tune, 0, 0.1, 0.6, swing=0.64, lag=25, vibrato=0.25),
            Part("vibraphone", comp(changes, voice(changes, "Eb3", "D4", 4), "x---..x- | ..x-----", velocity=62), -5, -0.3, 0.5, swing=0.64),
            Part("acoustic bass", walking(changes, "E1", "C3", 9), -2, 0, 0.2),
            Part("brush drums", kit, -7, 0.2, 0.3, swing=0.64),
        ],
        loudness=-19, tempi=[(42, 70)],
    )  # fmt: skip


def gospel() -> Piece:
    """Sunday: organ and choir in A flat, 12/8 lilt, call and response, the bass climbs, everybody lands on the amen."""
    changes = progression(
        "Ab | Ab7/C | Db | Ddim7 | Ab/Eb | F7 | Bbm7 Eb9 | Ab Db/Eb | Ab | Ab7/C | Db | Ddim7 | Ab/Eb F7 | Bbm7 Eb9 | Db/Ab | Ab",
        3,
    )
    bar = 3
    call = melody(
        """h. r | r | q. Ab4 e Bb4 q C5 | q. Db5 e B4 q Ab4 | h. C5 | q. C5 e Bb4 q A4 | q. Bb4 q G4 e F4 | h Ab4 q r |
        q. Eb5 e F5 q Eb5 | q. C5 e Eb5 q Gb5 | q. F5 e Eb5 q Db5 | q. B4 e Db5 q F5 | q. Eb5 q C5 e A4 | q. Db5 q G4 e Bb4 | h. Ab4 | h. Ab4 |""",
        bar, velocity=90,
    )  # fmt: skip
    reply = comp(changes, voice(changes, "Eb4", "F5", 3), "...x-- | x--x-.", bar, 84)
    kit = groove(
        "AAAF AAAF BBBF BFEE"[:18],
        {
            "A": {"hat": "xoxxox", "kick": "x.....", "snare": "...X.."},
            "B": {"ride": "xoxxox", "kick": "x.o..x", "snare": "...X.o", "tamb": "..xx.x"},
            "F": {"hat": "xox...", "kick": "x.....", "snare": "...XxX", "tom1": "....x."},
            "E": {"crash": "X.....", "kick": "X....."},
        },
        bar,
    )
    return Piece(
        "seven-rivers-home", "Seven Rivers Home", "Marigold Street Tabernacle", "Gospel", 84, "Ab", "major",
        ("transcendence", "joyful_activation", "power"),
        [
            Part("rock organ", comp(changes, voice(changes, "C3", "Eb4", 4), "x--x-x | x-xx--", bar, 78), -3, -0.25, 0.3),
            Part("choir aahs", [n for n in reply if n.start >= 12], -1, 0.15, 0.45),
            Part("voice oohs", call, 0, 0, 0.45, vibrato=0.3),
            Part("piano", arpeggio(changes, voice(changes, "Ab3", "Ab4", 3), "0+1+2 . 3 1+2 . 0", 0.5, 78, ring=False), -6, 0.3, 0.2),
            Part("finger bass", bass(changes, "R - . 5 - A", "Eb1", "Eb3", bar, 92), -2, 0, 0.05),
            Part("drums", kit, -3, 0, 0.2),
        ],
        bar=bar, loudness=-15, tempi=[(42, 72), (45, 58)],
    )  # fmt: skip


def bluegrass() -> Piece:
    """The barn is full: three-finger banjo rolls at 150, fiddle tune in G, boom-chick guitar and bass, last lick together."""
    changes = progression(
        "G | G | C | G | G | Em | A7 | D7 | G | G | C | G | G | Em | C D7 | G | C | G | Am D7 | G | G", 4
    )
    rolls = arpeggio(changes, voice(changes, "G3", "G4", 4), "0 2 3 1 2 3 0 3", 0.5, 86, ring=False)
    tune = melody(
        """e B4 D5 G5 B5 A5 G5 E5 D5 | e B4 C5 D5 B4 q G4 D5 | e E5 G5 C6 B5 A5 G5 E5 C5 | q D5 B4 h G4 | e B4 D5 G5 B5 A5 G5 D5 B4 | e E5 F#5 G5 E5 q B4 G4 | e A4 B4 C#5 E5 G5 E5 C#5 A4 | q D5 F#5 A5 r |
        e B4 D5 G5 B5 A5 G5 E5 D5 | e B4 C5 D5 B4 q G4 D5 | e E5 G5 C6 B5 A5 G5 E5 C5 | q D5 B4 h G4 | e G5 A5 B5 G5 D5 B4 G4 B4 | e E5 G5 B5 G5 q E5 B4 | e C5 E5 G5 E5 D5 F#5 A5 F#5 | q G5 B4 h G4 |
        e C6 B5 A5 G5 E5 G5 C5 E5 | e D5 G5 B5 G5 q D5 B4 | e C5 E5 A5 E5 F#5 A5 D5 C5 | e B4 D5 G5 A5 q B5 D6 | q G5! G4!' h r |""",
        velocity=88, legato=0.9,
    )  # fmt: skip
    return Piece(
        "barn-on-fire-not-really", "Barn on Fire (Not Really)", "The Fernway", "Bluegrass", 150, "G", "major", ("joyful_activation", "power"),
        [
            Part("banjo", [n for n in rolls if n.start < 80] + melody("q G4+B4+D5! G3+D4+G4!' h r |", start=80, velocity=96), -1, -0.3, 0.15, timing=5),
            Part("fiddle", tune, 0, 0.25, 0.3, timing=7),
            Part("steel guitar", comp(changes, voice(changes, "D3", "D4", 4), ".X.X", velocity=80, strum=0.03), -5, 0.45, 0.15),
            Part("acoustic bass", bass(changes, "R 5", "E1", "D3", velocity=92), -3, 0, 0.1),
        ],
        loudness=-15,
    )  # fmt: skip


def tango() -> Piece:
    """Two proud people, one small floor: bandoneon and violin in F sharp minor, marcato piano, sudden stops."""
    changes = progression(
        "F#m | F#m | C#7 | C#7 | C#7 | C#7 | F#m | F#7 | Bm | G#m7b5 | F#m | D7 | G#m7b5 | C#7 | F#m C#7 | F#m",
        4,
    )
    tune = melody(
        """e r C#5 D5 C#5 q F#5! C#5' | e r A4 B4 A4 q C#5 F#4' | e r G#4 A4 B4 q D5! B4' | h. G#4 q r | e r F5 F#5 F5 q G#5! F5' | e r B4 C#5 D5 q F5 G#5 | q. A5 e G#5 e F#5 C#5 A4 F#4 | q A#4' C#5' e E5 F#5 q A#5! |
        q. D6 e C#6 q B5 F#5 | q. B5 e G#5 q F#5 D5 | q. C#5 e D5 q C#5 A4 | q. C5 e D5 q F#5 A5 | e B5 G#5 F#5 D5 q B4 D5 | e C#5 F5 G#5 B5 q G#5! r | q A5! F#5' G#5! F5' | q F#5!' r C#5!' F#4!' |""",
        velocity=92,
    )  # fmt: skip
    piano = comp(changes, voice(changes, "C#3", "C#4", 4), "X.x.x.x. | X.x.x.xx", velocity=82)
    tail = 60.0
    return Piece(
        "corrientes-at-midnight", "Corrientes at Midnight", "Orquesta Luna Partida", "Tango", 118, "F#", "minor",
        ("tension", "nostalgia", "power"),
        [
            Part("bandoneon", arch(tune, 16), 0, -0.2, 0.3, timing=9),
            Part("violin", [n for n in shift(tune, 0, 0, 0.9) if 32 <= n.start < tail], -4, 0.35, 0.4, timing=10, vibrato=0.3),
            Part("piano", piano, -3, 0.15, 0.2),
            Part("contrabass", bass(changes, "R - 5 - | R - R A", "E1", "D3", velocity=90), -3, 0, 0.2),
        ],
        loudness=-16, dynamics=[(0, 1), (14, 0.85), (16, 1), (32, 1.1), (46, 0.9), (60, 1.15)], tempi=[(60, 96)],
    )  # fmt: skip
