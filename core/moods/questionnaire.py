"""Forty questions, asked as few: the next one is the one that tells most about the profile.

The listener's nine moods are a Gaussian vector z (prior: what moods go together in the Emotify ratings). An
answer is a noisy reading of one mood, so each one updates mean and covariance in closed form (a Kalman step).
What is recommended depends on the weights w = logistic(1.5 (z - 0.5)), hence the next question is the one after which
the weights' variance is expected to be smallest: moods that are already ruled out are not asked about again.
Item selection by expected posterior variance is standard in adaptive testing (van der Linden & Pashley 2010).

All functions are pure functions of the state, a list of {"question": id, "answer": 0..4 or None for skipped}, so
a conversation survives a restart. Nothing is random.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.moods.profile import MOODS, PREFERENCES, Profile, tables, translated

SHORT_FORM = 7
"""The short form asks at most this many questions, skipped ones included."""

CERTAIN = 0.10
"""The short form stops early when the weights' root mean square uncertainty falls below this."""

LOADING, NOISE = 0.85, 0.5
"""An answer, as -2..2, is LOADING x what the question asks about (in prior standard deviations) + noise of this
standard deviation: one question alone correlates with it at 0.86. An assumption, not a measurement."""

STEEPNESS, MIDDLE = 1.5, 0.5
"""w = logistic(STEEPNESS x (z - MIDDLE)): a mood two deviations above average weighs 0.9, one below average 0.1."""

Answers = Sequence[Mapping[str, Any]]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """One question; exactly one of `mood` and `preference` is set. `answers` are its five labels, 0 first.

    A reversed question counts against its mood, and for the mood `rather`.
    """

    id: str
    text: str
    mood: str | None
    preference: str | None
    reversed: bool
    rather: str | None
    answers: tuple[str, ...]


@cache
def questions(language: str = "en") -> tuple[Question, ...]:
    """All forty, in the order of the long form: one of each mood in turn, then the preferences."""
    data = tables("questions")
    rows = data["question"]
    turns: dict[str, int] = {}
    order: list[tuple[int, int, int]] = []
    for number, row in enumerate(rows):
        mood = row.get("mood")
        turn = turns[mood] = turns.get(mood, -1) + 1 if mood else 0
        order.append((turn, MOODS.index(mood), number) if mood else (len(rows), 0, number))
    return tuple(
        Question(
            id=row["id"],
            text=translated(row["text"], language),
            mood=row.get("mood"),
            preference=row.get("preference"),
            reversed=row.get("reversed", False),
            rather=row.get("rather"),
            answers=tuple(translated(data["scales"][row["scale"]], language)),
        )
        for row in (rows[number] for _, _, number in sorted(order))
    )


def next_question(answers: Answers, form: str = "short", language: str = "en") -> Question | None:
    """The next question, or None when the form is finished.

    `form` is 'short' (at most SHORT_FORM questions on moods, chosen by what they tell) or 'long' (all forty in
    a fixed order). Raises UserError when the answers name an unknown question.
    """
    asked = _asked(answers)
    if form == "long":
        return next((question for question in questions(language) if question.id not in asked), None)
    if form != "short":
        raise UserError(f"There is no form {form!r}: choose short or long.")
    mean, covariance = posterior(answers)
    if len(asked) >= SHORT_FORM or _certain(mean, covariance):
        return None
    return _most_telling(mean, covariance, asked, questions(language))


def question(question_id: str, language: str = "en") -> Question:
    """The question of this id; UserError when there is none (any more)."""
    _asked([{"question": question_id}])
    return next(found for found in questions(language) if found.id == question_id)


def progress(answers: Answers, form: str = "short") -> tuple[int, int]:
    """How many questions were asked, and how many it will be as far as one can tell (the short form may stop early)."""
    asked = _asked(answers)
    if form == "long":
        return len(asked), len(questions())
    mean, covariance = posterior(answers)
    expected = set(asked)
    while len(expected) < SHORT_FORM and not _certain(mean, covariance):
        question = _most_telling(mean, covariance, expected, questions())
        if question is None:
            break
        expected.add(question.id)
        mean, covariance = _update(mean, covariance, question, float(asks(question) @ mean))
    return len(asked), len(expected)


def profile(answers: Answers) -> Profile:
    """The profile that the answers give: weights, their uncertainty, and the preferences that were answered."""
    mean, covariance = posterior(answers)
    weights, spread = _weights(mean, covariance)
    by_id = {question.id: question for question in questions()}
    given: dict[str, list[float]] = {}
    for answer in _answered(answers):
        preference = by_id[answer["question"]].preference
        if preference is not None:
            given.setdefault(preference, []).append((answer["answer"] - 2) / 2)
    return Profile(
        moods={mood: round(float(w), 4) for mood, w in zip(MOODS, weights, strict=True)},
        uncertainty={mood: round(float(s), 4) for mood, s in zip(MOODS, spread, strict=True)},
        preferences={name: sum(given[name]) / len(given[name]) for name in PREFERENCES if name in given},
    )


profile_of = profile
"""The same under a name that does not hide local variables called profile."""


def posterior(answers: Answers) -> tuple[Vector, Vector]:
    """Mean (9,) and covariance (9, 9) of the moods given the answers, in prior standard deviations."""
    mean, covariance = np.zeros(len(MOODS)), prior_covariance()
    by_id = {question.id: question for question in questions()}
    for answer in _answered(answers):
        question = by_id[answer["question"]]
        if question.mood is not None:
            mean, covariance = _update(mean, covariance, question, answer["answer"] - 2.0)
    return mean, covariance


@cache
def prior_covariance() -> Vector:
    """What moods go together, (9, 9), from questions.toml."""
    covariance = np.array(tables("questions")["prior"]["correlation"], dtype=np.float64)
    covariance.flags.writeable = False
    return covariance


def _asked(answers: Answers) -> set[str]:
    known = {question.id for question in questions()}
    asked = {str(answer["question"]) for answer in answers}
    if unknown := asked - known:
        raise UserError(f"There is no question {min(unknown)!r}: start the questions again.")
    return asked


def _answered(answers: Answers) -> list[Mapping[str, Any]]:
    """One answer for each question, the latest (going back replaces an answer), without those that were skipped."""
    _asked(answers)
    latest = {answer["question"]: answer for answer in answers}
    for answer in latest.values():
        if answer["answer"] is not None and answer["answer"] not in range(5):
            raise UserError(f"An answer is a number from 0 to 4, not {answer['answer']!r}.")
    return [answer for answer in latest.values() if answer["answer"] is not None]


@cache
def asks(question: Question) -> Vector:
    """(9,): how a question's answer depends on the moods; its prior variance is LOADING squared."""
    assert question.mood is not None
    direction = np.zeros(len(MOODS))
    direction[MOODS.index(question.mood)] = -1.0 if question.reversed else 1.0
    if question.rather is not None:
        direction[MOODS.index(question.rather)] = 1.0
    direction *= LOADING / math.sqrt(float(direction @ prior_covariance() @ direction))
    return direction


def _update(mean: Vector, covariance: Vector, question: Question, reading: float) -> tuple[Vector, Vector]:
    """One Kalman step: the answer, as -2..2, reads the moods with noise."""
    direction = asks(question)
    along = covariance @ direction
    gain = along / (float(direction @ along) + NOISE**2)
    return mean + gain * (reading - float(direction @ mean)), covariance - np.outer(gain, along)


def _weights(mean: Vector, covariance: Vector) -> tuple[Vector, Vector]:
    """Expected weights and their standard deviations; the variance shrinks the weight towards the middle
    (MacKay's approximation of a logistic under a Gaussian)."""
    variance = np.diagonal(covariance)
    shrink = np.sqrt(1 + math.pi / 8 * STEEPNESS**2 * variance)
    weights = 1 / (1 + np.exp(-STEEPNESS * (mean - MIDDLE) / shrink))
    return weights, weights * (1 - weights) * STEEPNESS * np.sqrt(variance)


def _uncertainty(mean: Vector, covariance: Vector) -> float:
    """Sum of the weights' variances: what the next question should make small."""
    return float(np.sum(_weights(mean, covariance)[1] ** 2))


def _certain(mean: Vector, covariance: Vector) -> bool:
    return math.sqrt(_uncertainty(mean, covariance) / len(MOODS)) < CERTAIN


def _most_telling(
    mean: Vector, covariance: Vector, asked: set[str], candidates: Sequence[Question]
) -> Question | None:
    """The question with the least expected uncertainty after its answer; the earlier one on a tie."""
    best: tuple[float, Question] | None = None
    seen: set[tuple[str, bool]] = set()
    for question in candidates:
        if question.mood is None or question.id in asked or (question.mood, question.reversed) in seen:
            continue
        seen.add((question.mood, question.reversed))  # to the model, questions of one kind are the same
        expected = _expected_uncertainty(mean, covariance, question)
        if best is None or expected < best[0] - 1e-12:
            best = expected, question
    return None if best is None else best[1]


def _expected_uncertainty(mean: Vector, covariance: Vector, question: Question) -> float:
    """Mean of the uncertainty over the five answers, each as likely as the model thinks."""
    direction = asks(question)
    centre = float(direction @ mean)
    scale = math.sqrt(2 * (float(direction @ covariance @ direction) + NOISE**2))
    below = [0.0, *((1 + math.erf((edge - centre) / scale)) / 2 for edge in (-1.5, -0.5, 0.5, 1.5)), 1.0]
    return sum(
        (below[answer + 1] - below[answer]) * _uncertainty(*_update(mean, covariance, question, answer - 2.0))
        for answer in range(5)
    )
