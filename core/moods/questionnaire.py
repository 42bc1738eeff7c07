"""Forty questions, asked as few: the next one is the one that tells most about the profile and what follows from it.

The listener's nine moods are a Gaussian vector z (prior: what moods go together in the Emotify ratings), the four
preferences are standard normal, on their own. An answer is a noisy reading of one or two of them, so each one updates
mean and covariance in closed form (a Kalman step). What is recommended depends on the weights
w = logistic(1.5 (z - 0.5)) and on how far each mood and preference changes the order of tracks (the table `ranking` of
questions.toml), hence the next question is the one after which the weights' variance and the variance of the tracks'
scores are expected to be smallest: what is already ruled out, or would change no recommendation, is not asked about.
Item selection by expected posterior variance is standard in adaptive testing (van der Linden & Pashley 2010).

All functions are pure functions of the state, a list of {"question": id, "answer": 0..4 or None for skipped}, so
a conversation survives a restart. Nothing is random.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.moods.profile import MOODS, PREFERENCES, Profile, tables

SHORT_FORM = 7
"""The short form asks at most this many questions, skipped ones included."""

AT_ONCE = 5
"""Questions on one form: Discord's forms have five fields."""

CERTAIN = 0.10
"""The short form stops early when the weights' root mean square uncertainty falls below this."""

LOADING, NOISE = 0.85, 0.41
"""An answer, as -2..2, is LOADING x what the question asks about (in prior standard deviations) + Gaussian noise of this
standard deviation, rounded to the five buttons. Rounding and the ends of the scale included, 27% of the variance of
the answers is error, so the same question asked twice correlates at .73: that is what Dejonckheere et al. (2022,
Psychological Assessment) measured for single questions on momentary affect by asking them again."""

ERROR = NOISE**2 + 1 / 12
"""Variance of an answer around its signal: the noise and, as Sheppard (1898) has it, rounding to whole steps."""

RELIABILITY = LOADING**2 / (LOADING**2 + ERROR)
"""What is left of a single answer once its error is allowed for (Kelley 1927)."""

PROFILE_SHARE = 0.3
"""The next question shall make the profile certain (this share) and the order of tracks (the rest). Of 0, .1, ... 1 on
listeners other than those of `moodstem eval questionnaire`, this one gives both most of what they can have."""

STEEPNESS, MIDDLE = 1.5, 0.5
"""w = logistic(STEEPNESS x (z - MIDDLE)): a mood two deviations above average weighs 0.9, one below average 0.1."""

Answers = Sequence[Mapping[str, Any]]
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Question:
    """One question; exactly one of `mood` and `preference` is set. `answers` are its five labels, 0 first; both are
    by language: {"en": ...}.

    A reversed question counts against its mood, and for the mood `rather`.
    """

    id: str
    text: dict[str, str]
    mood: str | None
    preference: str | None
    reversed: bool
    rather: str | None
    answers: dict[str, list[str]]


@cache
def questions() -> tuple[Question, ...]:
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
            text=row["text"],
            mood=row.get("mood"),
            preference=row.get("preference"),
            reversed=row.get("reversed", False),
            rather=row.get("rather"),
            answers=data["scales"][row["scale"]],
        )
        for row in (rows[number] for _, _, number in sorted(order))
    )


def next_question(answers: Answers, form: str = "short") -> Question | None:
    """The next question, or None when the form is finished.

    `form` is 'short' (at most SHORT_FORM questions, chosen by what they tell) or 'long' (all forty in a fixed
    order). Raises UserError when the answers name an unknown question.
    """
    asked = _asked(answers)
    if form == "long":
        return next((question for question in questions() if question.id not in asked), None)
    if form != "short":
        raise Refusal("no-form", form=form)
    found = _next_of_short_form(_key(answers))
    return None if found is None else question(found)


def questions_at_once(answers: Answers = (), count: int = AT_ONCE) -> list[Question]:
    """The questions to ask together, when none can depend on the answer to another.

    Each is the one that tells most beside those before it. How certain the moods become does not depend on what is
    answered (the covariance of a Kalman step), so each is taken as answered as expected.
    """
    return [question(one) for one in _at_once(_key(answers), count)]


def question(question_id: str) -> Question:
    """The question of this id; UserError when there is none (any more)."""
    _asked([{"question": question_id}])
    return _by_id()[question_id]


@cache
def _by_id() -> dict[str, Question]:
    return {question.id: question for question in questions()}


def progress(answers: Answers, form: str = "short") -> tuple[int, int]:
    """How many questions were asked, and how many it will be at most (the short form stops early now and then)."""
    asked = _asked(answers)
    if form == "long":
        return len(asked), len(questions())
    return len(asked), len(asked) if next_question(answers, form) is None else SHORT_FORM


def _key(answers: Answers) -> tuple[tuple[str, int | None], ...]:
    """What the short form's way depends on: which questions were asked, and their answers."""
    given = {answer["question"]: answer["answer"] for answer in _answered(answers)}
    return tuple((asked, given.get(asked)) for asked in sorted(_asked(answers)))


@lru_cache(maxsize=512)
def _at_once(key: tuple[tuple[str, int | None], ...], count: int) -> tuple[str, ...]:
    asked = {question_id for question_id, _ in key}
    mean, covariance = posterior([{"question": one, "answer": answer} for one, answer in key])
    found: list[str] = []
    while len(found) < count and (best := _most_telling(mean, covariance, asked, questions())) is not None:
        found.append(best.id)
        asked.add(best.id)
        if best.mood is not None:
            mean, covariance = _update(mean, covariance, best, float(asks(best) @ mean))
    return tuple(found)


@lru_cache(maxsize=4096)
def _next_of_short_form(key: tuple[tuple[str, int | None], ...]) -> str | None:
    """The id of the next question; remembered, since many members begin alike."""
    asked = {question_id for question_id, _ in key}
    mean, covariance = posterior([{"question": one, "answer": answer} for one, answer in key])
    if len(asked) >= SHORT_FORM or _certain(mean, covariance):
        return None
    found = _most_telling(mean, covariance, asked, questions())
    return None if found is None else found.id


def profile(answers: Answers) -> Profile:
    """The profile that the answers give: expected weights, their uncertainty, and the preferences that were answered,
    each as far as a single answer can be trusted."""
    mean, covariance = posterior(answers)
    weights, spread = _weights(mean, covariance)
    given: dict[str, list[float]] = {}
    for answer in _answered(answers):
        preference = _by_id()[answer["question"]].preference
        if preference is not None:
            given.setdefault(preference, []).append((answer["answer"] - 2) / 2)
    return Profile(
        moods={mood: round(float(w), 4) for mood, w in zip(MOODS, weights, strict=True)},
        uncertainty={mood: round(float(s), 4) for mood, s in zip(MOODS, spread, strict=True)},
        preferences={
            name: round(RELIABILITY * sum(given[name]) / len(given[name]), 4)
            for name in PREFERENCES
            if name in given
        },
    )


def posterior(answers: Answers) -> tuple[Vector, Vector]:
    """Mean (9,) and covariance (9, 9) of the moods given the answers, in prior standard deviations."""
    mean, covariance = np.zeros(len(MOODS)), prior_covariance()
    for answer in _answered(answers):
        question = _by_id()[answer["question"]]
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
    asked = {str(answer["question"]) for answer in answers}
    if unknown := asked - _by_id().keys():
        raise Refusal("no-question", unknown=min(unknown))
    return asked


def _answered(answers: Answers) -> list[Mapping[str, Any]]:
    """One answer for each question, the latest (going back replaces an answer), without those that were skipped."""
    _asked(answers)
    latest = {answer["question"]: answer for answer in answers}
    for answer in latest.values():
        if answer["answer"] is not None and answer["answer"] not in range(5):
            raise Refusal("no-answer", answer=answer["answer"])
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
    gain = along / (float(direction @ along) + ERROR)
    return mean + gain * (reading - float(direction @ mean)), covariance - np.outer(gain, along)


def _weights(mean: Vector, covariance: Vector) -> tuple[Vector, Vector]:
    """Expected weights and their standard deviations, of one mean (9,) or several (n, 9); the variance shrinks the
    weight towards the middle (MacKay's approximation of a logistic under a Gaussian, 1992)."""
    variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    shrink = np.sqrt(1 + math.pi / 8 * STEEPNESS**2 * variance)
    weights = 1 / (1 + np.exp(-STEEPNESS * (mean - MIDDLE) / shrink))
    return weights, weights * (1 - weights) * STEEPNESS * np.sqrt(variance)


def _certain(mean: Vector, covariance: Vector) -> bool:
    spread = _weights(mean, covariance)[1]
    return math.sqrt(float(spread @ spread) / len(MOODS)) < CERTAIN


def _uncertainty(means: Vector, covariances: Vector) -> Vector:
    """(n,): what the next question should make small, for n possible means (n, 9) and covariances (n, 9, 9), or one
    covariance (9, 9) for all; 1 before any question, once what preferences leave open is added.

    The variance of the scores is that of the moods' shares w / sum(w), to first order in z, times how the moods order
    tracks.
    """
    profile_scale, order_scale, _ = _scales()
    profile_part, order_part = _parts(means, covariances)
    result: Vector = (
        PROFILE_SHARE * profile_part / profile_scale + (1 - PROFILE_SHARE) * order_part / order_scale
    )
    return result


def _parts(means: Vector, covariances: Vector) -> tuple[Vector, Vector]:
    """Variance of the weights, and of the tracks' scores as far as they come from moods; each (n,)."""
    weights, spread = _weights(means, covariances)
    slope = STEEPNESS * weights * (1 - weights)
    total = weights.sum(axis=1)[:, None, None]
    shares = (
        np.eye(len(MOODS)) * slope[:, None, :] - weights[:, :, None] * slope[:, None, :] / total
    ) / total
    order = np.array(tables("questions")["ranking"]["moods"])
    moved = shares @ covariances @ shares.transpose(0, 2, 1)
    return np.sum(spread**2, axis=1), np.sum(moved * order, axis=(1, 2))


@cache
def _scales() -> tuple[float, float, dict[str, float]]:
    """Before any question: the variance of the weights, the variance of the scores (preferences included), and the
    part of `_uncertainty` that an answer on each preference takes away."""
    profile_part, order_part = _parts(np.zeros((1, len(MOODS))), prior_covariance())
    preferences: dict[str, float] = tables("questions")["ranking"]["preferences"]
    order = float(order_part[0]) + sum(preferences.values())
    gains = {name: (1 - PROFILE_SHARE) * RELIABILITY * part / order for name, part in preferences.items()}
    return float(profile_part[0]), order, gains


def _most_telling(
    mean: Vector, covariance: Vector, asked: set[str], candidates: Sequence[Question]
) -> Question | None:
    """The question that is expected to take away most uncertainty; the earlier one on a tie."""
    kinds: dict[tuple[str | None, bool], Question] = {}
    for question in candidates:
        if question.id not in asked:  # to the model, questions of one kind are the same
            kinds.setdefault((question.mood or question.preference, question.reversed), question)
    on_moods = [question for question in kinds.values() if question.mood is not None]
    gains: dict[str, float] = {}
    if on_moods:
        now = float(_uncertainty(mean[None], covariance)[0])
        gains = {
            question.id: now - float(left)
            for question, left in zip(
                on_moods, _expected_uncertainty(mean, covariance, on_moods), strict=True
            )
        }
    best: tuple[float, Question] | None = None
    for question in kinds.values():
        gain = _scales()[2][question.preference] if question.preference is not None else gains[question.id]
        if best is None or gain > best[0] + 1e-12:
            best = gain, question
    return None if best is None else best[1]


def _expected_uncertainty(mean: Vector, covariance: Vector, candidates: Sequence[Question]) -> Vector:
    """(n,): mean of the uncertainty over the five answers to each of n questions on moods, every answer as likely as
    the model thinks. All at once, since members wait for it."""
    directions = np.stack([asks(question) for question in candidates])
    centre = directions @ mean
    along = directions @ covariance
    variance = np.sum(directions * along, axis=1)
    scale = np.sqrt(2 * (variance + NOISE**2))
    edges = (np.array([-1.5, -0.5, 0.5, 1.5]) - centre[:, None]) / scale[:, None]
    below = np.zeros((len(candidates), 6))
    below[:, 1:5] = (1 + np.array([[math.erf(edge) for edge in row] for row in edges])) / 2
    below[:, 5] = 1.0
    gain = along / (variance + ERROR)[:, None]
    means = mean + gain[:, None, :] * (np.arange(-2.0, 3.0) - centre[:, None])[:, :, None]
    covariances = covariance - gain[:, :, None] * along[:, None, :]
    left = _uncertainty(means.reshape(-1, len(MOODS)), np.repeat(covariances, 5, axis=0))
    expected: Vector = np.sum(np.diff(below, axis=1) * left.reshape(-1, 5), axis=1)
    return expected
