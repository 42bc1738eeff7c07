"""Grooves: funk, Latin and electronic."""

from research.composer.score import Part, Piece
from research.composer.theory import progression, voice
from research.composer.writing import arch, arpeggio, bass, comp, groove, melody


def drum_and_bass() -> Piece:
    """Running through a tunnel: broken beats at 172, a growling synth bass against held notes, nothing above but a stab."""
    changes = progression("Am | Am | F | F | Dm | Dm | E7#9 | E7#9", 4)
    changes += progression(
        "Am | Am | F | F | Dm | Dm | E7#9 | E7#9 | Am | Am | F | F | Dm | E7#9 | Am | Am", 4, 32
    )
    line = bass(
        changes, "R - - R . R - 8 . R - - 5 - 7 - | R - - - - . R . 8 . 5 - R - A -", "A0", "A2", velocity=100
    )
    kit = groove(
        "AAAAAAAF ABABABAF ABABABFE",
        {
            "A": {
                "kick": "X.........x.....",
                "snare": "....X..o.o..X..o",
                "hat": "x.xxx.x.xxx.x.xx",
                "ride": "x...x...x...x...",
            },
            "B": {
                "kick": "X.x.......x.....",
                "snare": "....X..o.o.ox..X",
                "hat": "x.x.x.xxx.x.x.x.",
                "ride": "x...x...x...x...",
            },
            "F": {"kick": "X.........x.x...", "snare": "....X.xox.xoXXXX", "hat": "x.x.x.x.x......."},
            "E": {"kick": "X...............", "crash": "X...............", "snare": "X..............."},
        },
    )
    stab = comp(changes, voice(changes, "E4", "E5", 3), "........ | ..x..x..", velocity=80)
    return Piece(
        "underpass", "Underpass", "Neon Ferret", "Drum and Bass", 172, "A", "minor", ("power", "tension"),
        [
            Part("electronic drums", kit, 2, 0, 0.1, timing=2),
            Part("synth bass 2", line, 0, 0, 0.05, timing=2),
            Part("polysynth", [n for n in stab if n.start >= 32], -5, -0.2, 0.6, timing=3),
        ],
        loudness=-13.5,
    )  # fmt: skip


def funk() -> Piece:
    """Saturday, the band is tight: slap bass and clavinet lock on sixteenths in E, brass answers, ghost notes everywhere."""
    changes = progression(
        "E9 | E9 | E9 | E9 | A9 | A9 | E9 | C9 B7#9 | E9 | E9 | E9 | E9 | A9 | A9 | C9 B7#9 | E9", 4
    )
    line = bass(
        changes, "R . . r 8 . r 7 . R . 5 . 7 8 . | R . r R . 8 . . 7 . 5 . R r 6 A", "E1", "E3", velocity=98
    )
    clav = comp(changes, voice(changes, "D4", "D5", 3), "..xo.ox..ox.x.o. | .ox..xo.x.ox..x.", velocity=84)
    horns = melody(
        """w r | r | e r G4+B4+D5' s r G4+B4+D5!' e r h r | w r | w r | q r e E4+G4+C#5 F#4+A4+C#5 h G4+C#5+E5! |
        w r | q C5+E5+Bb5! r e r B4+D#5+A5' s B4+D#5+A5 r e B4+D5+G5! | w r | r | e r G4+B4+D5' s r G4+B4+D5!' e r h r | r r |
        w r | q r e E4+G4+C#5 F#4+A4+C#5 h G4+C#5+E5! | q C5+E5+Bb5! r q B4+D#5+A5' B4+D5+G5' | q G#4+D5+E5!' r h r |""",
        velocity=96,
    )  # fmt: skip
    kit = groove(
        "AAAF AAAF BBBF BBBE",
        {
            "A": {
                "kick": "X..x..x...x..x..",
                "snare": "..o.X..o.o.oX..o",
                "hat": "X.xoX.xxX.xoX.x.",
                "open": ".......x........",
            },
            "B": {
                "kick": "X..x..x...x..x..",
                "snare": "..o.X..o.o.oX..o",
                "hat": "X.xoX.xxX.xoX.x.",
                "cowbell": "x...x...x...x...",
            },
            "F": {
                "kick": "X..x..x...x.....",
                "snare": "..o.X..o.xX.xoXX",
                "hat": "X.xoX.xx........",
                "tom2": ".........x......",
            },
            "E": {"kick": "X...............", "snare": "X...............", "crash": "X..............."},
        },
    )
    return Piece(
        "rubber-pavement", "Rubber Pavement", "The Velvet Wrench", "Funk", 104, "E", "major", ("joyful_activation", "power"),
        [
            Part("slap bass", line, 1, 0, 0.05, timing=5),
            Part("clavinet", clav, -3, -0.35, 0.1, timing=5),
            Part("brass", horns, -1, 0.3, 0.25, timing=6),
            Part("muted guitar", comp(changes, voice(changes, "E4", "C#5", 2), "x.oxo.x.oxo.xo.x", velocity=72), -8, 0.45, 0.1),
            Part("drums", kit, 0, 0, 0.12, timing=4),
        ],
        loudness=-14,
    )  # fmt: skip


def reggae() -> Piece:
    """Warm street, no hurry: one drop drums, skanking guitar and organ bubble in G, bass plays the tune as much as the melodica."""
    changes = progression("G | C | G | D | G | C | Am D | G | Em | C | G | D | C D | G", 4)
    line = bass(changes, "R - R - 3 5 . . | R - . 5 - 3 R . ", "E1", "D3", velocity=96)
    kit = groove(
        "FAAA AAAF AAAA AE",
        {
            "A": {"kick": "........X.......", "rim": "........X.....o.", "hat": "x.xox.x.x.xox.xx"},
            "F": {"snare": "........X.xox.Xx", "tom2": "............x...", "hat": "x.x.x.x........."},
            "E": {"kick": "X...............", "crash": "X..............."},
        },
    )
    tune = melody(
        """q r B4 e D5 E5 q D5 | q. E5 e D5 q C5 G4 | q r B4 e D5 E5 q G5 | h F#5 e E5 D5 q A4 | q r B4 e D5 E5 q G5 | q. E5 e G5 q E5 C5 | q. A4 e C5 q D5 F#4 | h. G4 q r |
        q G5 G5 e F#5 E5 q B4 | q. E5 e D5 q C5 E5 | q D5 D5 e B4 A4 q G4 | h A4 q F#4 r | q G5 E5 e F#5 A5 q D5 | h. G5 q r |""",
        velocity=82,
    )  # fmt: skip
    skank = voice(changes, "D4", "D5", 3)
    backing = comp(changes, voice(changes, "G4", "G5", 2), "........ | ...x-x-.", velocity=78)
    return Piece(
        "mango-street", "Mango Street", "Ruby Lagoon", "Reggae", 92, "G", "major", ("joyful_activation", "peacefulness"),
        [
            Part("harmonica", arch(tune, 16), -2, 0.2, 0.35, timing=12, lag=14),
            Part("clean guitar", comp(changes, skank, "..x...x...x...x.", velocity=86), -3, -0.4, 0.2),
            Part("voice oohs", backing, -5, -0.1, 0.4, timing=12),
            Part("drawbar organ", comp(changes, voice(changes, "E3", "D4", 3), ".x.oox.o.x.oox.o", velocity=64), -8, 0.4, 0.2),
            Part("finger bass", line, 0, 0, 0.05, lag=8),
            Part("drums", kit, -2, 0, 0.2, timing=5),
        ],
        loudness=-16,
    )  # fmt: skip


def house() -> Piece:
    """Doors open: four to the floor at 124, pumping pads, piano stabs off the beat, a wordless hook; builds and lets go."""
    changes = progression(
        "Fm9 | Db | Ab | Eb/G | Fm9 | Db | Ab | Eb | Fm9 | Db | Ab | Eb/G | Fm9 | Db | Ab | Eb | Fm | Fm", 4
    )
    stabs = comp(changes, voice(changes, "C4", "Eb5", 4), "x..x..x..x..x.x. | ..x..x..x..x..x.", velocity=88)
    kit = groove(
        "AAAF BBBF BBBF BBBF BE",
        {
            "A": {"kick": "X...X...X...X...", "hat": "..x...x...x...x.", "shaker": "xoxoxoxoxoxoxoxo"},
            "B": {
                "kick": "X...X...X...X...",
                "clap": "....X.......X...",
                "open": "..x...x...x...x.",
                "hat": "x.oox.oox.oox.oo",
            },
            "F": {"kick": "X...X...X...X...", "clap": "....X..x..x.X.xx", "open": "..x...x...x...x."},
            "E": {"kick": "X...............", "crash": "X..............."},
        },
    )
    hook = melody(
        "q r C5 e Eb5 F5 q Ab5 | h F5 q Eb5 Db5 | q. C5 e Eb5 h ~ | q r Bb4 h Bb4 | q r C5 e Eb5 F5 q Ab5 | h Bb5 q Ab5 F5 | q. Eb5 e C5 h Eb5 | h Bb4 q G4 r | w F4 |",
        start=32, velocity=84,
    )  # fmt: skip
    return Piece(
        "glass-rooftop", "Glass Rooftop", "Neon Ferret", "House", 124, "F", "minor", ("joyful_activation", "power"),
        [
            Part("bright piano", [n for n in stabs if n.start >= 8], -2, -0.15, 0.25, timing=3),
            Part("warm pad", comp(changes, voice(changes, "F3", "C5", 4), "x---", velocity=70), -4, 0.2, 0.4, effect="pump"),
            Part("synth bass", bass(changes, ". . R . . . R . . . R . . 8 R .", "C1", "Eb2", velocity=98), -1, 0, 0.03, timing=2),
            Part("voice oohs", hook, -2, 0, 0.5),
            Part("electronic drums", kit, 1, 0, 0.08, timing=2),
        ],
        loudness=-13.5,
    )  # fmt: skip


def synthwave() -> Piece:
    """Chrome and dusk at 100: pulsing octave bass, gated snare, a saw lead that quotes itself an octave up, wide pads."""
    changes = progression("Bm | Bm | G | G | D | D | A | F#m | Bm | Bm | G | G | Em | F#m | Bm", 4)
    tune = melody(
        """w r | r | r | r | q. F#5 e E5 q D5 A4 | h. F#5 q r | q. E5 e C#5 h A4 | q C#5 A4 h F#4 |
        q. B4 e C#5 q D5 F#5 | h. B5 q A5 | q. G5 e F#5 q D5 B4 | h D5 q. G5 e A5 | q. B5 e G5 h E5 | q. A5 e F#5 h C#5 | w B4 |""",
        velocity=92,
    )  # fmt: skip
    kit = groove(
        "AAAF BBBF BBBF BFE",
        {
            "A": {"kick": "X...X...X...X...", "hat": "x.x.x.x.x.x.x.x."},
            "B": {
                "kick": "X.......X.x.....",
                "snare": "....X.......X...",
                "hat": "x.x.x.x.x.x.x.x.",
                "open": "..............x.",
            },
            "F": {
                "kick": "X.......X.......",
                "snare": "....X.......X.XX",
                "tom1": "........x.......",
                "tom2": "..........x.x...",
                "hat": "x.x.x.x.........",
            },
            "E": {"kick": "X...............", "crash": "X..............."},
        },
    )
    arp = arpeggio(changes, voice(changes, "B3", "B4", 3), "0 1 2 3 2 1 0 2", 0.25, 62, ring=False)
    return Piece(
        "chrome-horizon", "Chrome Horizon", "Night Cartography", "Synthwave", 100, "B", "minor", ("nostalgia", "power", "wonder"),
        [
            Part("saw lead", tune, -1, 0.1, 0.5, vibrato=0.2),
            Part("synth bass", bass(changes, "R 8 R 8 R 8 R 8", "E1", "E3", velocity=92), -2, 0, 0.05, timing=2),
            Part("sweep pad", comp(changes, voice(changes, "D3", "B4", 4), "x---", velocity=70), -6, -0.2, 0.6),
            Part("polysynth", arp, -8, 0.35, 0.4, timing=2),
            Part("power drums", kit, 0, 0, 0.4, timing=2),
        ],
        loudness=-14.5,
    )  # fmt: skip


def lofi() -> Piece:
    """Rain on the window, homework half done: tape-dull electric piano, lazy swung drums behind the beat, fretless bass."""
    changes = progression(
        "Ebmaj9 | Dm9 G7b13 | Cm9 | Bbm9 Eb13 | Abmaj9 | G7b13 | Cm9 | F9 | Ebmaj9 | Dm9 G7b13 | Cm9 | Cm9", 4
    )
    keys = comp(
        changes,
        voice(changes, "Bb3", "D5", 4),
        "x----..x-----o.. | x-----x...o--x..",
        velocity=66,
        strum=0.04,
    )
    kit = groove(
        "AABA AABF AABE",
        {
            "A": {"kick": "X......x..x.....", "snare": "....x..o....x...", "hat": "x.x.x.x.x.xox.x."},
            "B": {"kick": "X.x....x..x.....", "snare": "....x.......x.o.", "hat": "x.xox.x.x.x.x.x."},
            "F": {"kick": "X......x..x.....", "snare": "....x..o.oo.x.ox", "hat": "x.x.x.x........."},
            "E": {"kick": "X..............."},
        },
    )
    tune = melody(
        """w r | r | q r e G5 Bb5 q. G5 e F5 | q. Db5 e F5 h Eb5 | w r | q r e B4 D5 h Eb5 | q. D5 e C5 q G4 Bb4 | h. A4 q r | q r e Bb5 G5 q. F5 e D5 | q C5 A4 q B4 Eb5 | w D5 | C5 |""",
        velocity=64,
    )  # fmt: skip
    return Piece(
        "half-done-homework", "Half-Done Homework", "Slow Meridian", "Lo-Fi Hip Hop", 76, "C", "minor", ("peacefulness", "nostalgia"),
        [
            Part("electric piano", keys, 0, -0.15, 0.3, timing=14, effect="tape"),
            Part("vibraphone", tune, -4, 0.3, 0.45, timing=16, lag=20, effect="tape"),
            Part("fretless bass", bass(changes, "R - - - . R - 5 - - . . R - A -", "Eb1", "Eb3", velocity=80), -2, 0, 0.1, lag=15),
            Part("room drums", kit, -3, 0, 0.15, timing=7, lag=22, swing=0.58, swing_unit=0.25, effect="warm"),
        ],
        loudness=-18,
    )  # fmt: skip


def samba() -> Piece:
    """The parade turns the corner: surdos, agogô, shakers, trumpets in thirds, whistle breaks; D major, all smiles."""
    changes = progression(
        "D | D | Em7 | A7 | Em7 | A7 | D | D7 | G | Gm6 | F#m7 | B7 | Em7 | A7 | D | A7 | D | B7 | Em7 | A7 | D",
        4,
    )
    tune = melody(
        """e F#5 A5 r F#5 e r D5 E5 F#5 | q A5 e F#5 A5 ~ r q r | e G5 B5 r G5 e r E5 F#5 G5 | q A5 e G5 E5 ~ r q r | e B5 B5 r G5 e r E5 F#5 G5 | e A5 A5 r G5 e r E5 C#5 E5 | q. F#5 e D5 ~ A4 D5 F#5 | h. A5 e r C6 |
        q. B5 e D6 ~ B5 A5 G5 | q. Bb5 e G5 ~ E5 G5 Bb5 | q. A5 e F#5 ~ E5 C#5 E5 | h D#5 e r F#5 A5 B5 | e G5 B5 r G5 e r E5 F#5 G5 | e A5 C#6 r A5 e r G5 F#5 E5 | q. D5 e F#5 ~ A5 F#5 D5 | q E5 e G5 C#5 ~ r q r |
        e F#5 A5 r F#5 e r A5 F#5 A5 | q. B5 e A5 ~ F#5 D#5 F#5 | e G5 B5 r G5 e r E5 G5 B5 | e A5 C#6 r A5 e A5 G5 F#5 E5 | q D5! r D5!' r |""",
        velocity=92,
    )  # fmt: skip
    kit = groove(
        "WAAF AAAF AAAF AAAF AAAFE",
        {
            "A": {
                "surdo": "....X.......X..x",
                "surdo mute": "x.......x.......",
                "agogo": "x.x..x..",
                "agogo lo": "...x..x.",
                "shaker": "XoxxXoxxXoxxXoxx",
                "snare": "o.ooX.ooo.oXo.oX",
                "tamb": "x..xx..xx..xx..x",
            },
            "F": {
                "surdo": "....X.......X.X.",
                "agogo": "x.x..x..",
                "shaker": "XoxxXoxxXoxxXoxx",
                "snare": "x.xx.xx.x.xxX.XX",
                "timbale": "..........x.x.x.",
                "whistle": "........x.x.x...",
            },
            "W": {
                "whistle": "x.x.x...x.x.x...",
                "snare": "X.oox.ooX.xxX.xX",
                "surdo": "............X.X.",
                "shaker": "XoxxXoxxXoxxXoxx",
            },
            "E": {"surdo": "X.......X.......", "crash": "........X.......", "snare": "X.......X......."},
        },
    )
    chords = voice(changes, "F#4", "E5", 3)
    return Piece(
        "corner-parade", "Corner Parade", "Bloco Sete Sóis", "Samba", 138, "D", "major", ("joyful_activation", "power"),
        [
            Part("trumpet", tune, 0, 0.2, 0.25, timing=7),
            Part("brass", comp(changes, chords, "..x...x. | .x..X-..", velocity=84), -6, -0.3, 0.25),
            Part("nylon guitar", comp(changes, voice(changes, "D3", "D4", 3), "x.xx.x.xx.xx.x.x", velocity=78, strum=0.02), -6, 0.4, 0.1),
            Part("acoustic bass", bass(changes, "R - - 5 5 - - R", "E1", "D3", velocity=88), -4, 0, 0.1),
            Part("drums", kit, 0, 0, 0.15, timing=5),
        ],
        loudness=-14,
    )  # fmt: skip


def bossa() -> Piece:
    """Late afternoon by the sea: nylon guitar in bossa rhythm, soft flute tune in F over ii-V chains, brushes and clave."""
    changes = progression(
        "Fmaj7 | Fmaj7 | G13 | G13 | Gm9 | C7b9 | Fmaj7 D7b9 | Gm7 C7b9 | Fmaj7 | Cm7 F7 | Bbmaj7 | Bbm6 | Am7 D7b9 | G13 | Gm9 C7b9 | F69 | F69",
        4,
    )
    guitar = comp(
        changes, voice(changes, "D3", "E4", 4), "x..x..x...x..x.. | ..x..x..x..x..>-", velocity=66, strum=0.02
    )
    tune = melody(
        """q. C5 e A4 ~ E4 q r | q. C5 e A4 ~ E4 q r | q. B4 e A4 ~ E4 q D5 | h ~ q r e D5 E5 | q. F5 e D5 ~ Bb4 q r | q. E5 e Db5 ~ Bb4 q r | q A4 e C5 Eb5 q D5 C5 | h Bb4 q r e G4 A4 |
        q. C5 e A4 ~ C5 e D5 E5 | q G5 e Eb5 C5 q A4 r | q. D5 e F5 ~ A5 q r | q. G5 e F5 ~ Db5 q r | q. E5 e C5 q F#5 Eb5 | h. E5 q r | q. D5 e Bb4 q Db5 E5 | q. D5 e A4 h C5 | w A4 |""",
        velocity=72,
    )  # fmt: skip
    kit = groove(
        "AAAAAAAF AAAAAAAF.",
        {
            "A": {"rim": "x..x..x...x..x..", "shaker": "xoxoxoxoxoxoxoxo", "kick": "o..oo..oo..oo..o"},
            "F": {"rim": "x..x..x...x.x.x.", "shaker": "xoxoxoxoxoxoxoxo", "kick": "o..oo..oo..oo..."},
        },
    )
    return Piece(
        "harbour-siesta", "Harbour Siesta", "Café Miramar", "Bossa Nova", 126, "F", "major", ("peacefulness", "nostalgia"),
        [
            Part("flute", arch(tune, 16), 0, 0.15, 0.4, timing=14, lag=10),
            Part("nylon guitar", guitar, -3, -0.25, 0.25),
            Part("acoustic bass", bass(changes, "R - - 5 5 - - R", "E1", "C3", velocity=70), -4, 0, 0.15),
            Part("brush drums", kit, -9, 0.05, 0.2, timing=5),
        ],
        loudness=-18, tempi=[(62, 116), (64, 104)],
    )  # fmt: skip
