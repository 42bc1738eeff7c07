"""The documents' classifiers on statistics: logistic regression, SVC and MLP of scikit-learn, and the majority."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.audio.types import Floats
from research.training.genre_data import Example, counts, folds
from research.training.genre_features import FEATURE_SETS, columns_of

GRIDS: dict[str, dict[str, list[Any]]] = {
    "logistic regression": {"C": [0.001, 0.01, 0.1, 1.0]},
    "SVC": {"C": [0.3, 1.0, 3.0, 10.0]},
    "MLP": {"alpha": [0.1, 10.0]},
}
"""What is chosen by cross-validation inside the training part, by artist."""
INNER = 4
SVC_ROWS = 10_000
"""An SVC's time grows with the square of the rows: of more, as many are drawn."""


def names() -> list[tuple[str, str]]:
    """(classifier, feature set) of every baseline; 'all' is all 518 statistics."""
    return [(kind, features) for features in (*FEATURE_SETS, "all") for kind in GRIDS]


def predict(
    kind: str,
    features: str,
    examples: Sequence[Example],
    statistics: Floats,
    training: Sequence[int],
    test: Sequence[int],
    seed: int,
) -> tuple[list[str], dict[str, Any]]:
    """Genres for the rows `test` from the rows `training`, and the parameters chosen; scaled by the training rows."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    columns = columns_of(features) if features in FEATURE_SETS else list(range(statistics.shape[1]))
    rows = np.asarray(training)
    if kind == "SVC" and len(rows) > SVC_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, SVC_ROWS, replace=False))
    x = np.nan_to_num(statistics[:, columns])
    y = np.array([one.genre for one in examples])
    known = [examples[row] for row in rows]
    inner = np.array(
        folds(known, min(INNER, max(counts(known).values()), len({one.artist for one in known})), seed)
    )
    splits = [(np.flatnonzero(inner != fold), np.flatnonzero(inner == fold)) for fold in sorted(set(inner))]
    made = _classifier(kind, seed)
    step = type(made).__name__.lower()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), made),
        {f"{step}__{name}": values for name, values in GRIDS[kind].items()},
        cv=splits,
    )
    with warnings.catch_warnings():  # an MLP that stops after 200 passes is as good as one that goes on
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        search.fit(x[rows], y[rows])
    chosen = {name.partition("__")[2]: value for name, value in search.best_params_.items()}
    return [str(genre) for genre in search.predict(x[np.asarray(test)])], chosen


def _classifier(kind: str, seed: int) -> Any:
    if kind == "logistic regression":
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(max_iter=2000)
    if kind == "SVC":
        from sklearn.svm import SVC

        return SVC()
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((100,), max_iter=200, random_state=seed)


def majority(examples: Sequence[Example], training: Sequence[int], test: Sequence[int]) -> list[str]:
    """The genre of most training tracks, for all."""
    genres = [examples[row].genre for row in training]
    most = max(sorted(set(genres)), key=genres.count)
    return [most] * len(test)
