"""Simulated listeners: what asking less costs, measured with few of them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from core.moods.profile import MOODS, PREFERENCES, tables
from core.moods.questionnaire import prior_covariance
from research.eval.listeners import evaluate_questionnaire, made_up_catalog, ranking_table, simulated_answers


@cache
def measured() -> dict[str, Any]:
    return evaluate_questionnaire(listeners=60, seed=5)


def test_seven_questions_come_close_to_forty_and_beat_a_random_order() -> None:
    found = measured()
    assert found["questions"] <= 7
    assert found["correlation"] > 0.83 and found["correlation"] > found["random_order"]["correlation"]
    assert found["overlap_moods"] > 0.7 and found["overlap_moods"] > found["random_order"]["overlap_moods"]
    assert found["overlap_with_occasion"] > 0.8
    assert found["strangers"]["overlap"] < 0.45 < 0.6 < found["overlap"] < found["overlap_moods"]


def test_answering_all_forty_twice_agrees_better_than_seven_do() -> None:
    found = measured()
    for name, value in found["ceiling"].items():
        assert found[name] < value < 1


def test_simulated_people_answer_a_question_twice_as_people_do() -> None:
    """27% of the variance is error (Dejonckheere et al. 2022)."""
    rng = np.random.default_rng(8)
    root = np.linalg.cholesky(prior_covariance())
    twice = []
    for _ in range(400):
        moods, wishes = root @ rng.standard_normal(len(MOODS)), rng.standard_normal(len(PREFERENCES))
        twice.append([list(simulated_answers(moods, wishes, rng).values()) for _ in range(2)])
    one, other = np.array(twice).transpose(1, 0, 2)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] == pytest.approx(0.73, abs=0.02)


def test_the_same_seed_gives_the_same_figures() -> None:
    found = evaluate_questionnaire(listeners=6)
    assert found == evaluate_questionnaire(listeners=6)
    assert found != evaluate_questionnaire(listeners=6, seed=1)
    json.dumps(found, allow_nan=False)


def test_the_table_for_choosing_questions_is_that_of_the_shipped_rules() -> None:
    """Calibrating rules moves it a little, which does not matter; another order of importance would."""
    now, kept = ranking_table(made_up_catalog(1000, seed=3)), tables("questions")["ranking"]
    moods = np.array(kept["moods"])
    assert moods.shape == (len(MOODS), len(MOODS)) and np.allclose(moods, moods.T)
    assert np.corrcoef(now["moods"].ravel(), moods.ravel())[0, 1] > 0.95
    assert np.trace(now["moods"]) == pytest.approx(np.trace(moods), rel=0.3)
    assert set(kept["preferences"]) == set(PREFERENCES)
    for name, part in kept["preferences"].items():
        assert now["preferences"][name] == pytest.approx(part, rel=0.4)
