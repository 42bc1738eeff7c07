"""One training of one genre network on one split: early stopping, a checkpoint after each epoch, the same result again.

Random numbers of an epoch depend on the seed and the epoch alone, so that a run that was killed goes on as if it had not
been (on the same machine and number of threads).
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.types import Floats
from core.genre.features import FRAMES, slices
from research.training.genre_features import Prepared

if TYPE_CHECKING:
    from torch import Tensor

    from core.genre.network import Genre


@dataclass(frozen=True)
class Plan:
    """How a network is trained. `rate` is Adam's; `patience` epochs without a lower validation loss end it.

    `drawn` slices of each track at random places make an epoch. `mix` mixes
    pairs of examples; `refit` trains anew on training and validation part together, for as many epochs as were best,
    as the classifiers on statistics do. The document tells 20 epochs at a rate of 0.0001 for FMA's 6,400 tracks; a small set has a
    fraction of its steps, so the rates here are larger.
    """

    rate: float
    epochs: int = 20
    patience: int = 5
    batch: int = 32
    drawn: int = 4
    dropout: float = 0.0
    mix: bool = False
    decay: float = 0.0
    refit: bool = False


PLANS = {
    "cnn": Plan(rate=5e-4),
    "crnn": Plan(rate=1e-3),
    "cnn1d": Plan(rate=1e-3, epochs=60, patience=10, refit=True),
    "texture": Plan(
        rate=2e-3, epochs=40, patience=15, batch=64, dropout=0.5, mix=True, decay=0.05, refit=True
    ),
}
TESTED = 10
"""Slices of a half minute that are heard for validation and test."""


@dataclass(frozen=True)
class Fitted:
    """The best epoch's network, and what it says about the test tracks."""

    shares: Floats
    """(tracks, genres): the mean of the slices' probabilities."""
    vectors: Floats
    """(tracks, width): the mean of the slices' latent vectors."""
    slice_accuracy: float
    epoch: int
    log: list[dict[str, float]]
    parameters: int


def fit(
    name: str,
    plan: Plan,
    data: Prepared,
    labels: np.ndarray,
    genres: int,
    parts: Mapping[str, Sequence[int]],
    out: Path,
    *,
    seed: int = 0,
    advance: Callable[[float], None] | None = None,
) -> Fitted:
    """Train `name` on the rows parts['training'], stop by parts['validation'], test on parts['test'].

    `out` holds checkpoint.pt while it runs and result.npz, log.json, weights.pt once it is done; called again, it goes on or
    answers at once. Without a validation part it runs for `plan.epochs`.
    """
    out.mkdir(parents=True, exist_ok=True)
    if (out / "result.npz").is_file():
        return _kept(out)
    say = advance or (lambda share: None)
    known, held = list(parts["training"]), list(parts["validation"])
    again = plan.refit and bool(held)
    run = _Run(name, plan, data, labels, genres, known, seed)
    run.train(held, plan.epochs, out / "checkpoint.pt", lambda share: say(share / (1 + again)))
    log, epoch = run.log, run.best_epoch
    if again:
        run = _Run(name, plan, data, labels, genres, known + held, seed)
        run.train([], epoch, out / "again.pt", lambda share: say((1 + share) / 2))
    shares, right, vectors = run.hear(parts["test"])
    _write(out / "weights.pt", run.network.state_dict())
    (out / "log.json").write_text(json.dumps(log))
    with (out / "result.part").open("wb") as file:
        np.savez(
            file, shares=shares, vectors=vectors, slice_accuracy=right, epoch=epoch, parameters=run.parameters
        )
    (out / "result.part").replace(out / "result.npz")
    for file_name in ("checkpoint.pt", "again.pt"):
        (out / file_name).unlink(missing_ok=True)
    return _kept(out)


def _kept(out: Path) -> Fitted:
    found = np.load(out / "result.npz")
    log = json.loads((out / "log.json").read_text())
    return Fitted(
        found["shares"],
        found["vectors"],
        float(found["slice_accuracy"]),
        int(found["epoch"]),
        log,
        int(found["parameters"]),
    )


def _write(path: Path, state: dict[str, Any]) -> None:
    import torch

    with path.with_suffix(".part").open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    path.with_suffix(".part").replace(path)


class _Run:
    """One network on one set of rows."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        data: Prepared,
        labels: np.ndarray,
        genres: int,
        rows: Sequence[int],
        seed: int,
    ) -> None:
        import torch

        from core.genre.model_file import HEAR_SOUND
        from research.training.genre_networks import build, parameters

        torch.manual_seed(seed)
        self.network = build(name, genres, plan.dropout)
        self.parameters = parameters(self.network)
        self.plan, self.data, self.labels, self.genres = plan, data, labels, genres
        self.rows, self.seed = np.asarray(rows), seed
        self.sound = name in HEAR_SOUND
        self.scale = _Scale(data, rows)
        self.measured = measured(name, self.network, data) if self.network.measures else None
        if self.measured is not None:
            _standardise(self.network, self.measured, rows)
        self.weights = _weights(labels[self.rows], genres)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=plan.rate, weight_decay=plan.decay)
        self.log: list[dict[str, float]] = []
        self.best_epoch = 0

    def train(self, held: Sequence[int], epochs: int, checkpoint: Path, say: Callable[[float], None]) -> None:
        """Until `epochs`, or until the validation loss (the mean of three epochs, for it is noisy) has not fallen for
        `patience` epochs; the network is then that of the best epoch, without `held` that of the last."""
        import torch

        best: dict[str, Any] = {"loss": float("inf"), "network": None}
        if checkpoint.is_file():
            state = torch.load(checkpoint, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.log, self.best_epoch, best = state["log"], state["best_epoch"], state["best"]
        while len(self.log) < epochs and (not held or len(self.log) - self.best_epoch < self.plan.patience):
            epoch, began = len(self.log) + 1, time.monotonic()
            row: dict[str, float] = {"epoch": epoch}
            row["loss"], row["accuracy"] = self._epoch(epoch, partial(_share, say, epoch - 1, epochs))
            if held:
                row["validation_loss"], row["validation_accuracy"] = self._score(held)
            row["seconds"] = time.monotonic() - began
            self.log.append(row)
            recent = [one["validation_loss"] for one in self.log[-3:]] if held else [-epoch]
            if sum(recent) / len(recent) < best["loss"]:
                self.best_epoch = epoch
                copied = {key: value.clone() for key, value in self.network.state_dict().items()}
                best = {"loss": sum(recent) / len(recent), "network": copied}
            state = {"log": self.log, "best_epoch": self.best_epoch, "best": best}
            _write(
                checkpoint,
                {**state, "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()},
            )
        self.network.load_state_dict(best["network"])

    def _epoch(self, epoch: int, say: Callable[[float], None]) -> tuple[float, float]:
        """One pass; returns mean loss and accuracy as it was trained."""
        import torch

        plan, network = self.plan, self.network
        rng = np.random.default_rng([self.seed, epoch])
        torch.manual_seed(int(rng.integers(2**31)))
        for group in self.optimiser.param_groups:
            group["lr"] = plan.rate * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / plan.epochs))
        order = rng.permutation(np.repeat(self.rows, plan.drawn if self.sound else 1))
        network.train()
        losses, right = [], 0
        for start in range(0, len(order), plan.batch):
            rows = order[start : start + plan.batch]
            if len(rows) < 2:
                continue  # batch normalisation needs two
            x = self._batch(rows, rng)
            wanted = torch.nn.functional.one_hot(torch.from_numpy(self.labels[rows]), self.genres).float()
            if plan.mix:
                x, wanted = mixed(x, wanted, rng)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.sound and self.measured is None):
                logits = network.tell(network.dropout(network.think(x))).float()
            weight = (wanted * self.weights).sum(1)
            loss = -((wanted * torch.log_softmax(logits, 1)).sum(1) * weight).sum() / weight.sum()
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            self.optimiser.step()
            losses.append(float(loss.detach()))
            right += int((logits.argmax(1) == wanted.argmax(1)).sum())
            say((start + len(rows)) / len(order))
        return float(np.mean(losses)), right / len(order)

    def _batch(self, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        """What `think` gets for these rows: a random slice of each, what was measured of one, or statistics."""
        import torch

        if not self.sound:
            return torch.from_numpy(self.scale(self.data.statistics[rows]))
        if self.measured is not None:
            several = [self.measured[row] for row in rows]
            return torch.from_numpy(np.stack([one[rng.integers(len(one))] for one in several]))
        parts = []
        for row in rows:
            mel = self.data.mel(int(row))
            start = int(rng.integers(max(len(mel) - FRAMES, 0) + 1))
            part = mel[start : start + FRAMES]
            parts.append(part if len(part) == FRAMES else np.resize(part, (FRAMES, FRAMES)))
        return torch.from_numpy(np.stack(parts)).float() / 255

    def _score(self, rows: Sequence[int]) -> tuple[float, float]:
        """Mean cross-entropy and accuracy of whole tracks."""
        shares, _, _ = self.hear(rows)
        known = self.labels[np.asarray(rows)]
        loss = -np.log(np.maximum(shares[np.arange(len(rows)), known], 1e-6)).mean()
        return float(loss), float((shares.argmax(axis=1) == known).mean())

    def hear(self, rows: Sequence[int]) -> tuple[Floats, float, Floats]:
        """(tracks, genres) mean probabilities of each track's slices, the share of slices that are right alone, and the mean
        latent vectors."""
        import torch

        from core.genre.model import outputs

        self.network.eval()
        means, right, vectors = [], [], []
        for row in rows:
            if self.measured is not None:
                with torch.inference_mode():
                    thought = self.network.think(torch.from_numpy(self.measured[row]))
                    heard = np.asarray(torch.softmax(self.network.tell(thought), 1).numpy())
                latent = thought.numpy()
            elif self.sound:
                latent, heard = outputs(self.network, slices(self.data.mel(row), TESTED))
            else:
                latent, heard = outputs(self.network, self.scale(self.data.statistics[[row]]))
            means.append(heard.mean(axis=0))
            vectors.append(latent.mean(axis=0))
            right.append((heard.argmax(axis=1) == self.labels[row]).mean())
        return np.stack(means), float(np.mean(right)), np.stack(vectors)


def _share(say: Callable[[float], None], done: int, epochs: int, share: float) -> None:
    say((done + share) / epochs)


class _Scale:
    """Statistics standardised by the training rows and clipped, since some of the 518 have long tails."""

    def __init__(self, data: Prepared, training: Sequence[int]) -> None:
        rows = np.nan_to_num(data.statistics[np.asarray(training)])
        self.mean, self.std = rows.mean(axis=0), rows.std(axis=0)
        self.std[self.std < 1e-6] = 1

    def __call__(self, rows: Floats) -> Floats:
        return np.asarray(np.clip((np.nan_to_num(rows) - self.mean) / self.std, -5, 5), np.float32)


def measured(name: str, network: Genre, data: Prepared) -> list[Floats]:
    """What the network measures of each example's slices, side by side; made once for all trainings."""
    import torch

    if name not in data.measured:
        with torch.inference_mode():
            data.measured[name] = [
                network.measure(torch.from_numpy(slices(data.mel(row))).float() / 255).numpy()
                for row in range(len(data.files))
            ]
    return data.measured[name]


def _standardise(network: Genre, measured: list[Floats], rows: Sequence[int]) -> None:
    """A network that scales what it measures learns how from the rows that it is trained on."""
    import torch

    from core.genre.network import Texture

    assert isinstance(network, Texture)
    found = np.concatenate([measured[row] for row in rows])
    network.mean.copy_(torch.from_numpy(found.mean(axis=0)))
    network.std.copy_(torch.from_numpy(found.std(axis=0) + 1e-3))


def _weights(labels: np.ndarray, genres: int) -> Tensor:
    """Rare genres count more, by the root of their rarity."""
    import torch

    counts = np.bincount(labels, minlength=genres).clip(1)
    return torch.from_numpy(np.sqrt(counts.mean() / counts)).float()


def mixed(x: Tensor, wanted: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Pairs of examples in random shares, and what is wanted in the same shares (Zhang et al. 2018)."""
    import torch

    share = torch.from_numpy(rng.beta(0.4, 0.4, len(x))).float()
    other = torch.from_numpy(rng.permutation(len(x)))
    wide = share.reshape(-1, *[1] * (x.dim() - 1))
    x = wide * x + (1 - wide) * x[other]
    return x, share[:, None] * wanted + (1 - share[:, None]) * wanted[other]
