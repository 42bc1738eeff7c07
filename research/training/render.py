"""Stems for training and for held-out evaluation, rendered from MIDI files with General MIDI SoundFonts.

    python -m research.training.render MIDI.zip OUT --font A.sf2 --font B.sf2 --split train
    python -m research.training.render MIDI.zip OUT --font C.sf3 --split test --flac

Slakh2100 (Manilow, Wichern, Seetharaman & Le Roux 2019) was made in the same way, with studio samplers. Each
song gives one excerpt, where most stems sound. Programs vary within their family and songs are transposed, so
that the same file sounds different with each font. Vocals are sung by `research.training.singer` (two of three
songs) or by the font's choirs; which parts are sung is told in `research.training.midi.assign_voices`.

Train files are `.npy`, int16, (stems, 2, samples), with one line each in `index.jsonl`; `--flac` writes
`OUT/<song>/<stem>.flac` as `moodstem eval separation` reads them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.audio.types import STEMS
from core.errors import UserError
from research.training.midi import Part, busiest_window, excerpt, read_parts, write_midi
from research.training.singer import sing

RATE = 44_100
VARIANTS = {
    # Programs that may stand in for each other, so that a stem is more than one sample set.
    "piano": (0, 1, 2, 3, 4, 5),
    "guitar": (24, 25, 26, 27, 28, 29, 30),
    "bass": (32, 33, 34, 35, 36, 37, 38, 39),
    "vocals": (52, 53, 54, 85),
}
DRUM_KITS = (0, 0, 8, 16, 24, 25, 32, 40)


def split_of(song: str) -> str:
    """'train' or 'test', by the first letters of the file name, so that versions of a song and (as the names
    start with the artist) most songs of an artist stay together."""
    key = re.sub(r"[^a-z0-9]", "", song.lower())[:6]
    return "test" if int(hashlib.sha256(key.encode()).hexdigest(), 16) % 10 == 0 else "train"


def synthesise(midi: bytes, font: Path, seconds: float, room: bool) -> NDArray[np.float32]:
    """Render with the fluidsynth program; (2, n), float32, `seconds` long (the tail is cut). `room` adds reverb and
    chorus as the MIDI file sends to them.

    Raises UserError when fluidsynth is missing or fails.
    """
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.mid"), Path(folder, "out.wav")
        source.write_bytes(midi)
        command = [
            "fluidsynth",
            "-ni",
            "-q",
            "-o",
            "synth.dynamic-sample-loading=1",
            "-r",
            str(RATE),
            "-g",
            "0.5",
        ]
        command += [
            "-R",
            "1" if room else "0",
            "-C",
            "1" if room else "0",
            "-F",
            str(target),
            "-T",
            "wav",
            str(font),
            str(source),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=120)
            audio, _ = soundfile.read(target, dtype="float32", always_2d=True)
        except FileNotFoundError as error:
            raise UserError(
                "Rendering needs the fluidsynth program; install the package fluidsynth."
            ) from error
        except (subprocess.SubprocessError, soundfile.LibsndfileError) as error:
            raise UserError(f"fluidsynth could not render with {font.name}: {error}.") from error
    stereo = audio.T[:, : int(seconds * RATE)]
    return np.pad(stereo, ((0, 0), (0, int(seconds * RATE) - stereo.shape[1]))).astype(np.float32)


def render_song(
    data: bytes, font: Path, seconds: float, rng: np.random.Generator, vary: bool = True
) -> dict[str, NDArray[np.float32]]:
    """{stem: (2, n)} of the busiest excerpt, panned as the MIDI file says; stems that never sound are left out."""
    parts = read_parts(data)
    if not parts:
        return {}
    start = busiest_window(parts, seconds)
    transpose = int(rng.integers(-4, 5)) if vary else 0
    room = bool(rng.random() < 0.5)
    stems: dict[str, NDArray[np.float32]] = {}
    for stem in STEMS:
        chosen = [excerpt(part, start, seconds) for part in parts if part.stem == stem]
        chosen = [part for part in chosen if part.notes]
        if not chosen:
            continue
        if stem == "vocals" and rng.random() < 0.67:
            audio = _choir_of_singers(chosen, seconds, transpose, rng)
        else:
            chosen = [_voiced(part, rng, vary) for part in chosen]
            kit = int(rng.choice(DRUM_KITS)) if vary else 0
            audio = synthesise(write_midi(chosen, transpose, kit), font, seconds, room)
        if float(np.sqrt(np.mean(audio**2))) > 1e-4:
            stems[stem] = audio
    return stems


def _voiced(part: Part, rng: np.random.Generator, vary: bool) -> Part:
    if part.stem == "vocals" and part.program not in VARIANTS["vocals"]:
        return replace(part, program=int(rng.choice(VARIANTS["vocals"])))
    if vary and part.stem in VARIANTS and rng.random() < 0.5:
        return replace(part, program=int(rng.choice(VARIANTS[part.stem])))
    return part


def _choir_of_singers(
    parts: list[Part], seconds: float, transpose: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """One singer for each part (three at most), with words or humming, in a small room; the first in the middle, the
    others to the sides."""
    from scipy.signal import fftconvolve

    total = np.zeros((2, int(seconds * RATE)), np.float32)
    for number, part in enumerate(parts[:3]):
        notes = [(a, b, pitch + transpose, velocity) for a, b, pitch, velocity in part.notes]
        voice = sing(notes, seconds, RATE, rng, words=bool(rng.random() < 0.8))
        where = rng.uniform(-1, 1) * (0.7 if number else 0.1)
        total += np.sqrt(np.array([[1 - where], [1 + where]], np.float32)) * voice
    if rng.random() < 0.7:
        decay = rng.uniform(0.1, 0.5)
        time = np.arange(int(2 * decay * RATE)) / RATE
        room = rng.normal(0, 1, (2, len(time))) * np.exp(-time * 3 / decay)
        room /= np.sqrt(np.sum(room**2, axis=1, keepdims=True))
        wet = fftconvolve(total, room, axes=1)[:, : total.shape[1]]
        total = total + rng.uniform(0.1, 0.4) * wet.astype(np.float32)
    return total


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Render stems from a zip of MIDI files.")
    parser.add_argument("midi", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--font", type=Path, action="append", required=True)
    parser.add_argument("--split", choices=("train", "test"), default="train")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--limit", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--flac", action="store_true")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    index = options.out / "index.jsonl"
    done = {json.loads(line)["file"] for line in index.read_text().splitlines()} if index.exists() else set()
    with zipfile.ZipFile(options.midi) as archive:
        songs = [name for name in archive.namelist() if split_of(Path(name).name) == options.split]
        # By hash, so that the first hundred are as mixed as all of them.
        songs.sort(key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        for font in options.font:
            for song in songs[: options.limit]:
                digest = hashlib.sha256(f"{song} {font.name} {options.seed}".encode()).hexdigest()
                file = f"{digest[:16]}.npy"
                if file in done:
                    continue
                rng = np.random.default_rng(int(digest[:8], 16))
                try:
                    stems = render_song(archive.read(song), font, options.seconds, rng, vary=not options.flac)
                except UserError as error:
                    print(f"left out {song}: {error}", flush=True)
                    continue
                if len(stems) < 2:
                    continue
                if options.flac:
                    _write_flac(options.out / digest[:16], stems)
                else:
                    pcm = np.stack([_to_pcm(audio) for audio in stems.values()])
                    np.save(options.out / file, pcm)
                with index.open("a") as log:
                    log.write(
                        json.dumps({"file": file, "song": song, "font": font.name, "stems": list(stems)})
                        + "\n"
                    )


def _to_pcm(audio: NDArray[np.float32]) -> NDArray[np.int16]:
    peak = float(np.abs(audio).max())
    return (audio * (0.9 / max(peak, 1e-6)) * 32767).astype(np.int16)


def _write_flac(folder: Path, stems: dict[str, NDArray[np.float32]]) -> None:
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    levels = {"drums": -20.0, "bass": -21.0, "vocals": -20.0, "guitar": -23.0, "piano": -23.0, "other": -23.0}
    for stem, audio in stems.items():
        gain = 10 ** (levels[stem] / 20) / float(np.sqrt(np.mean(audio**2)))
        audio = audio * min(gain, 0.95 / float(np.abs(audio).max()))
        soundfile.write(folder / f"{stem}.flac", audio.T, RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
