"""How good a separator is: SI-SDR and SDR per stem on songs with known stems, beside baselines and a limit.

In the same run: the mix itself as every stem; HPSS with band filters, what one can do without learning; the
ideal ratio mask, the limit of masking this spectrum (SiSEC, Stöter, Liutkus & Ito 2018).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audio.activity import Gate, Gating
from core.audio.types import STEMS, Samples
from core.errors import UserError
from core.separation.base import Progress, Separator

RATE = 44_100
_SILENT = 1e-4  # RMS below which a stem does not sound in a song
Stems = dict[str, Samples]


def si_sdr(truth: Samples, estimate: Samples) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux, Wisdom, Erdogan & Hershey 2019), all channels
    as one signal; -100 for silence, at most 100."""
    s, e = truth.ravel().astype(np.float64), estimate.ravel().astype(np.float64)
    target = s * (np.dot(e, s) / (np.dot(s, s) + 1e-20))
    noise = e - target
    ratio = (np.dot(target, target) + 1e-20) / (np.dot(noise, noise) + 1e-20)
    return float(np.clip(10 * np.log10(ratio), -100, 100)) if np.dot(e, e) > 1e-12 else -100.0


def sdr(truth: Samples, estimate: Samples) -> float:
    """Signal-to-distortion ratio in dB, without any fitting (as in the Music Demixing Challenge 2021)."""
    s, e = truth.ravel().astype(np.float64), estimate.ravel().astype(np.float64)
    return float(10 * np.log10((np.dot(s, s) + 1e-20) / (np.dot(s - e, s - e) + 1e-20)))


def read_song(folder: Path) -> Stems:
    """{stem: (2, n) at 44.1 kHz} of the stems that FOLDER holds, silent ones at the end cut to equal length.

    Raises UserError when a file cannot be decoded.
    """
    from core.audio.decode import decode

    found: Stems = {}
    for stem in STEMS:
        files = sorted(path for path in folder.glob(f"{stem}.*") if path.is_file())
        if files:
            found[stem] = np.ascontiguousarray(decode(files[0]).samples, dtype=np.float32)
    length = max((audio.shape[1] for audio in found.values()), default=0)
    return {stem: np.pad(audio, ((0, 0), (0, length - audio.shape[1]))) for stem, audio in found.items()}


def evaluate(folder: Path, separator: Separator, progress: Progress | None = None) -> dict[str, Any]:
    """Separate every song of FOLDER/<song>/{drums,bass,vocals,guitar,piano,other}.* and compare; the mix is the sum.

    Returns `{songs, separator, separator_version, stems: {stem: {songs, si_sdr_db, sdr_db, mix_si_sdr_db,
    hpss_si_sdr_db, irm_si_sdr_db, activity_error}}, mean: {...}}`, means over the songs in which a stem sounds;
    `activity_error` is the mean absolute error of the share of time it sounds, over all songs. Raises UserError
    when there are no songs or the separator makes no stems, Cancelled when `progress` does.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give one that holds a folder of stems for each song.")
    songs = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    rows: dict[str, list[dict[str, float]]] = {stem: [] for stem in STEMS}
    activity: dict[str, list[float]] = {stem: [] for stem in STEMS}
    counted = 0
    read: deque[tuple[int, Stems, Samples]] = deque()  # in the separator

    def mixes() -> Iterator[Samples]:
        for number, song in enumerate(songs):
            truth = read_song(song)
            truth = {stem: audio for stem, audio in truth.items() if np.sqrt(np.mean(audio**2)) > _SILENT}
            if truth:
                mix: Samples = np.stack(list(truth.values())).sum(axis=0)
                read.append((number, truth, mix))
                yield mix

    def report(done: float) -> None:
        if progress is not None:
            progress((read[0][0] + 0.8 * done) / len(songs))

    for estimates in separate_all(separator, mixes(), report):
        number, truth, mix = read.popleft()
        counted += 1
        if not estimates:
            raise UserError(f"The separator {separator.name} makes no stems: choose unet or htdemucs_6s.")
        simple, limit = hpss_stems(mix, list(truth)), ideal_ratio_stems(mix, truth)
        for stem, audio in truth.items():
            estimate = estimates.get(stem, np.zeros_like(mix))
            rows[stem].append(
                {
                    "si_sdr_db": si_sdr(audio, estimate),
                    "sdr_db": sdr(audio, estimate),
                    "mix_si_sdr_db": si_sdr(audio, mix),
                    "hpss_si_sdr_db": si_sdr(audio, simple[stem]),
                    "irm_si_sdr_db": si_sdr(audio, limit[stem]),
                }
            )
        heard, expected = _activity(mix, estimates, separator.gate), _activity(mix, truth, Gate())
        for stem in STEMS:
            activity[stem].append(abs(heard[stem] - expected[stem]))
        if progress is not None:
            progress((number + 1) / len(songs))
    if not counted:
        raise UserError(f"{folder} holds no song with stems such as <song>/drums.flac.")
    stems: dict[str, dict[str, float]] = {}
    for stem, results in rows.items():
        if results:
            means = {key: round(float(np.mean([row[key] for row in results])), 3) for key in results[0]}
            stems[stem] = {
                "songs": len(results),
                **means,
                "activity_error": round(float(np.mean(activity[stem])), 4),
            }
    everything = [row for results in rows.values() for row in results]
    mean = {key: round(float(np.mean([row[key] for row in everything])), 3) for key in everything[0]}
    mean["gain_over_mix_db"] = round(mean["si_sdr_db"] - mean["mix_si_sdr_db"], 3)
    return {
        "songs": counted,
        "separator": separator.name,
        "separator_version": separator.version,
        "stems": stems,
        "mean": mean,
    }


def _activity(mix: Samples, stems: Stems, gate: Gating) -> dict[str, float]:
    """Share of time that each of the six stems sounds, by the same gate as in an analysis."""
    from core.audio.descriptors import describe

    silence = np.zeros_like(mix)
    sources = {"mix": mix} | {stem: stems.get(stem, silence) for stem in STEMS}
    instruments = describe(sources, RATE, gate).instruments
    return {stem: instruments[stem]["activity"] for stem in STEMS}


def hpss_stems(mix: Samples, wanted: list[str]) -> Stems:
    """Baseline without learning: median-filter HPSS (Fitzgerald 2010), percussive to drums, harmonic below
    200 Hz to bass, the rest in equal shares to the other stems that are wanted."""
    from scipy.ndimage import median_filter

    spectra = _stft(mix, 2048)
    magnitude = np.abs(spectra).mean(axis=0)
    harmonic = median_filter(magnitude, (1, 31)) ** 2
    percussive = median_filter(magnitude, (31, 1)) ** 2
    share = harmonic / (harmonic + percussive + 1e-12)
    low = (np.arange(magnitude.shape[0]) * RATE / 2048 < 200)[:, None]
    others = [stem for stem in wanted if stem not in ("drums", "bass")]
    masks = {"drums": 1 - share, "bass": share * low}
    masks |= {stem: share * ~low / len(others) for stem in others}
    return {stem: _istft(spectra * masks[stem], 2048, mix.shape[1]) for stem in wanted}


def ideal_ratio_stems(mix: Samples, truth: Stems) -> Stems:
    """Upper limit of real masks on the mix's spectrum: each stem's share of the summed power, window 4096."""
    powers = {stem: np.abs(_stft(audio, 4096)) ** 2 for stem, audio in truth.items()}
    total = np.sum(list(powers.values()), axis=0) + 1e-12
    spectra = _stft(mix, 4096)
    return {stem: _istft(spectra * (power / total), 4096, mix.shape[1]) for stem, power in powers.items()}


def _stft(audio: Samples, size: int) -> NDArray[np.complex64]:
    from scipy.fft import rfft

    window = np.hanning(size + 1)[:-1].astype(np.float32)
    padded = np.pad(audio, ((0, 0), (size, 2 * size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, :: size // 4]
    result: NDArray[np.complex64] = rfft(frames * window, axis=-1).transpose(0, 2, 1)
    return result


def _istft(spectra: NDArray[np.complex64], size: int, length: int) -> Samples:
    from scipy.fft import irfft

    window = np.hanning(size + 1)[:-1].astype(np.float32) / 1.5
    frames = irfft(spectra.transpose(0, 2, 1), size, axis=-1) * window
    hop, count = size // 4, frames.shape[1]
    total = np.zeros((frames.shape[0], count + 3, hop), np.float32)
    for part in range(4):
        total[:, part : part + count] += frames[:, :, part * hop : (part + 1) * hop]
    return total.reshape(frames.shape[0], -1)[:, size : size + length]


def separate_all(
    separator: Separator, mixes: Iterable[Samples], progress: Progress | None = None
) -> Iterator[dict[str, Samples]]:
    """Yield the stems of each of `mixes`, in order; a separator with a method `separate_all` shares batches among them.

    `mixes` may be read some tracks ahead; `progress` gets the share of the track that comes next.
    """
    together = getattr(separator, "separate_all", None)
    if together is not None:
        yield from together(mixes, progress)
    else:
        for mix in mixes:
            yield separator.separate(mix, progress)
