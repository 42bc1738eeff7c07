"""What training reads, computed once and kept: an excerpt and 518 statistics for each recording."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.audio.decode import DecodeLimits, decode
from core.audio.spectrum import analyse_frames, mono
from core.audio.types import Floats
from core.errors import UserError
from core.genre.features import SECONDS, Mel, excerpt, middle
from core.separation.base import Progress
from research.fma import COLUMNS, LOWEST_RATE, features, statistics
from research.training.genre_data import Example

FEATURE_SETS: dict[str, tuple[str, ...]] = {
    "mfcc": ("mfcc",),
    "mfcc/contrast/chroma/centroid/tonnetz": (
        "mfcc", "spectral_contrast", "chroma_cens", "spectral_centroid", "tonnetz",
    ),
    "mfcc/contrast/chroma/centroid/zcr": ("mfcc", "spectral_contrast", "chroma_cens", "spectral_centroid", "zcr"),
}  # fmt: skip
"""The documents' three sets of statistics: 140, 322 and 287 of the 518. Their 'chroma' is one of three; the sizes fit each.
It is taken to be chroma_cens, as in the baselines that come with FMA, which bear the same names."""


def columns_of(feature_set: str) -> list[int]:
    """Which of the 518 statistics a feature set has."""
    wanted = FEATURE_SETS[feature_set]
    return [place for place, (feature, _, _) in enumerate(COLUMNS) if feature in wanted]


@dataclass(frozen=True)
class Prepared:
    """Examples that can be heard, where their excerpts lie, and (n, 518) statistics; NaN rows where there are none."""

    examples: list[Example]
    files: list[Path]
    statistics: Floats
    failed: list[tuple[Path, str]]
    measured: dict[str, list[Floats]] = field(default_factory=dict)
    """What a network that measures first (core.genre.network) has measured: (slices, numbers) of each example."""

    def mel(self, place: int) -> Mel:
        """The excerpt, read from disk only where it is looked at."""
        return np.asarray(np.load(self.files[place], mmap_mode="r"))


def prepare(
    examples: Sequence[Example],
    cache: Path,
    *,
    seconds: float,
    with_statistics: bool = True,
    threads: int = 1,
    progress: Progress | None = None,
) -> Prepared:
    """Listen to every example that `cache` does not know yet (by path, size and time); what cannot be read is left out.

    Takes about 0.6 s for a minute of music with statistics, half of it without. Cancelled when `progress` raises it: what
    was done stays.
    """
    cache.mkdir(parents=True, exist_ok=True)
    failed: dict[Path, str] = {}
    keys = [cache / _key(one.path, seconds) for one in examples]

    def one(place: int) -> None:
        file = keys[place]
        mel = file.with_suffix(".mel.npy")
        if mel.is_file() and (not with_statistics or file.with_suffix(".fma.npy").is_file()):
            return
        try:
            heard, numbers = listen(examples[place].path, seconds, with_statistics=with_statistics)
        except UserError as error:
            failed[examples[place].path] = " ".join(str(error).split())
            return
        if heard is None:
            failed[examples[place].path] = "It is silent."
            return
        if with_statistics:
            _save(file.with_suffix(".fma.npy"), numbers)
        _save(mel, heard)

    done = 0
    waiting: set[Future[None]] = set()
    with ThreadPoolExecutor(threads) as pool:
        for place in range(len(examples)):
            waiting.add(pool.submit(one, place))
            while len(waiting) >= 2 * threads or (place == len(examples) - 1 and waiting):
                ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()
                done += len(ended)
                if progress is not None:
                    progress(done / len(examples))
    kept = [place for place, example in enumerate(examples) if example.path not in failed]
    if not kept:
        raise UserError(
            "None of the recordings could be read: " + next(iter(failed.values()), "there are none.")
        )
    statistics = np.full((len(kept), len(COLUMNS)), np.nan, np.float32)
    if with_statistics:
        for row, place in enumerate(kept):
            statistics[row] = np.load(keys[place].with_suffix(".fma.npy"))
    return Prepared(
        [examples[place] for place in kept],
        [keys[place].with_suffix(".mel.npy") for place in kept],
        statistics,
        sorted(failed.items()),
    )


def listen(
    path: Path, seconds: float = SECONDS, *, with_statistics: bool = True
) -> tuple[Mel | None, Floats]:
    """The excerpt of an audio file for networks, None where it is silent, and its 518 statistics in FMA's order.

    Statistics are those of the excerpt, at the file's own sample rate as FMA has them; NaN when not asked for, or below
    9 kHz where they are not defined. Raises UserError as `decode` does.
    """
    limits = DecodeLimits(max_seconds=3600, memory_bytes=2 << 30, cpu_seconds=300, wall_seconds=300)
    audio = decode(path, limits, rate=None)
    samples = audio.samples[:, middle(audio.samples.shape[1], round(seconds * audio.rate))]
    mel = excerpt(analyse_frames(mono(samples, audio.rate)).power_mel, seconds)
    if not with_statistics or mel is None or audio.rate < LOWEST_RATE:
        return mel, np.full(len(COLUMNS), np.nan, np.float32)
    return mel, statistics(features(samples.mean(axis=0), audio.rate))


def _key(path: Path, seconds: float) -> str:
    facts = path.stat()
    text = f"{path.resolve()}\0{facts.st_size}\0{facts.st_mtime_ns}\0{seconds}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _save(path: Path, values: np.ndarray) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.save(file, values)
    Path(file.name).replace(path)
