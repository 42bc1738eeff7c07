"""Piano clips of Russell's four quadrants, told apart by the rules alone: does the scoring hold outside its own data?

EMOPIA (Hung et al. 2021) labels clips of piano music by quadrant: Q1 happy, Q2 tense, Q3 sad, Q4 calm. A clip's arousal
and valence are means of its mood scores; which mood counts where comes from the literature, and nothing is fitted to the
clips of the held-out half of the songs. Only rules on the whole mix are used, since a piano alone has no stems.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.library.catalog import Catalog
from core.moods.profile import MOODS
from core.recommend.affect import AROUSAL, VALENCE, axis
from core.recommend.table import load_rules
from core.recommend.topic_scores import TopicScores
from core.track_analysis import TrackAnalysis
from research.eval.calibrate import LabelledTrack

NAME = re.compile(r"Q([1-4])_(.+)_\d+$")
FOLDS, SEED = 5, 0

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Clip:
    """A clip's quadrant (1..4) and the song that it was cut from."""

    name: str
    quadrant: int
    song: str

    @property
    def aroused(self) -> bool:
        return self.quadrant in (1, 2)

    @property
    def positive(self) -> bool:
        return self.quadrant in (1, 4)

    @property
    def held_out(self) -> bool:
        """Half of the songs, by hash: rules may be developed on the others only."""
        return hashlib.sha256(self.song.encode()).digest()[0] % 2 == 1


def clip_of(name: str) -> Clip | None:
    """'Q3_abc_0.mid' as a clip; None for other names."""
    stem = PurePath(name).stem
    found = NAME.match(stem)
    return Clip(stem, int(found[1]), found[2]) if found else None


def choose(clips: Sequence[Clip], count: int) -> list[Clip]:
    """About `count` clips, as many of each quadrant, whole songs first come by hash: the same for everybody."""
    ordered = sorted(clips, key=lambda clip: hashlib.sha256(f"{clip.song} {clip.name}".encode()).digest())
    ordered.sort(key=lambda clip: hashlib.sha256(clip.song.encode()).digest())
    each = max(count // 4, 1)
    return [clip for q in (1, 2, 3, 4) for clip in [clip for clip in ordered if clip.quadrant == q][:each]]


def evaluate(clips: Sequence[Clip], analyses: Sequence[TrackAnalysis]) -> dict[str, Any]:
    """Area under the ROC curve for high against low arousal and positive against negative valence, on the held-out
    songs and on those for development, beside logistic regression on mean and spread of 20 MFCC (cross-validated by
    song over all clips, so it learns from more of them; judged on the same clips). `quadrants` is the share of clips
    put into the right one of four; the rules' two thresholds are the medians of the development half.

    Raises UserError when a half lacks high or low arousal, or positive or negative valence.
    """
    held = np.array([clip.held_out for clip in clips])
    truth = {
        "arousal": np.array([clip.aroused for clip in clips]),
        "valence": np.array([clip.positive for clip in clips]),
    }
    for half in (held, ~held):
        if any(not 0 < int(labels[half].sum()) < int(half.sum()) for labels in truth.values()):
            raise UserError(
                "There are too few songs to compare: give clips of all four quadrants from many songs."
            )
    moods = mood_scores(analyses)
    ours = {"arousal": axis(moods, AROUSAL), "valence": axis(moods, VALENCE)}
    mfcc = _mfcc(analyses)
    songs = np.array([clip.song for clip in clips])
    peer = {name: _regression(mfcc, labels, songs) for name, labels in truth.items()}
    quadrant = np.array([clip.quadrant for clip in clips])
    return {
        "clips": len(clips),
        "songs": len(set(songs.tolist())),
        "held_out": {
            "clips": int(held.sum()),
            "songs": len(set(songs[held].tolist())),
            "rules": _judged(ours, truth, quadrant, held, _middles(ours, ~held)),
            "mfcc_logistic_regression": _judged(peer, truth, quadrant, held, dict.fromkeys(truth, 0.5)),
        },
        "development": {
            "clips": int((~held).sum()),
            "rules": _judged(ours, truth, quadrant, ~held, _middles(ours, ~held)),
            "moods": {
                mood: {
                    f"{name}_auc": _auc(moods[mood][~held], labels[~held]) for name, labels in truth.items()
                }
                for mood in MOODS
            },
        },
        "mapping": {"arousal": AROUSAL, "valence": VALENCE},
    }


def mood_scores(analyses: Sequence[TrackAnalysis]) -> dict[str, Vector]:
    """{mood: scores (clips,)} by the shipped rules on the whole mix."""
    tracks = [
        LabelledTrack(i, f"Clip {i}", None, None, analysis.content_hash)
        for i, analysis in enumerate(analyses)
    ]
    catalog = Catalog.build(zip(tracks, analyses, strict=True))
    rules = [rule for rule in load_rules() if rule.mood and rule.source == "mix"]
    prepared = TopicScores(catalog, rules)
    return {mood: prepared.topic_scores[:, prepared.topics.index(mood)].astype(np.float64) for mood in MOODS}


def _mfcc(analyses: Sequence[TrackAnalysis]) -> Vector:
    """(clips, 40): mean and spread of 20 MFCC of the whole mix."""
    flat = [analysis.features() for analysis in analyses]
    names = [f"mix.mfcc_{i}{suffix}" for i in range(1, 21) for suffix in ("", ".std")]
    return np.array([[features[name] for name in names] for features in flat], dtype=np.float64)


def _regression(features: Vector, labels: NDArray[np.bool_], songs: NDArray[np.str_]) -> Vector:
    """(clips,): out-of-fold probabilities; songs are never split."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = np.zeros(len(labels))
    folds = min(FOLDS, len(set(songs.tolist())))
    for train, test in GroupKFold(folds, shuffle=True, random_state=SEED).split(features, labels, songs):
        inner = list(GroupKFold(3).split(features[train], labels[train], songs[train]))
        model = make_pipeline(
            StandardScaler(),
            LogisticRegressionCV(
                Cs=[0.001, 0.01, 0.1, 1.0],
                cv=inner,
                scoring="roc_auc",
                solver="newton-cholesky",
                max_iter=1000,
                use_legacy_attributes=False,
                l1_ratios=(0,),
            ),
        )
        found[test] = model.fit(features[train], labels[train]).predict_proba(features[test])[:, 1]
    return found


def _middles(scores: dict[str, Vector], rows: NDArray[np.bool_]) -> dict[str, float]:
    return {name: float(np.median(values[rows])) for name, values in scores.items()}


def _judged(
    scores: dict[str, Vector],
    truth: dict[str, NDArray[np.bool_]],
    quadrant: NDArray[np.int_],
    rows: NDArray[np.bool_],
    thresholds: dict[str, float],
) -> dict[str, float]:
    high = scores["arousal"][rows] > thresholds["arousal"]
    good = scores["valence"][rows] > thresholds["valence"]
    guess = np.where(high, np.where(good, 1, 2), np.where(good, 4, 3))
    return {
        **{f"{name}_auc": _auc(scores[name][rows], labels[rows]) for name, labels in truth.items()},
        "quadrants": float(np.mean(guess == quadrant[rows])),
    }


def _auc(scores: Vector, yes: NDArray[np.bool_]) -> float:
    """The chance that a clip of the one kind scores above one of the other (Mann & Whitney 1947)."""
    from scipy.stats import rankdata

    count = int(yes.sum())
    return float((rankdata(scores)[yes].sum() - count * (count + 1) / 2) / (count * (len(yes) - count)))
