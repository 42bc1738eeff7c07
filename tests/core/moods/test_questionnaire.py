"""The questions as a listener meets them: which come next, when they stop, and what comes out."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.words.say import say
from core.errors import UserError
from core.moods import questionnaire as q
from core.moods.profile import MOODS, PREFERENCES, tables
from core.spoken import LANGUAGES
from tests.refusals import refusal

State = list[dict[str, Any]]


def answered(wanted: dict[str, int], form: str = "short", otherwise: int = 1) -> State:
    """A listener whose answers reach this height (0..4) for the moods in `wanted`."""
    state: State = []
    while question := q.next_question(state, form):
        height = wanted.get(question.mood or question.preference or "", otherwise)
        state.append({"question": question.id, "answer": 4 - height if question.reversed else height})
        assert len(state) <= 40
    return state


def test_there_are_forty_questions_four_on_each_mood_and_one_of_them_reversed() -> None:
    by_mood = {mood: [one for one in q.questions() if one.mood == mood] for mood in MOODS}
    assert len(q.questions()) == 40 and len({one.id for one in q.questions()}) == 40
    assert all(len(ones) == 4 and sum(one.reversed for one in ones) == 1 for ones in by_mood.values())
    assert [one.preference for one in q.questions() if one.preference] == list(PREFERENCES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_is_asked_in_every_language(language: str) -> None:
    texts = [one.text[language] for one in q.questions()]
    assert len(set(texts)) == 40
    assert all(text.endswith("?") and 15 <= len(text) <= 150 for text in texts)
    assert all(
        len(one.answers[language]) == 5 and len(set(one.answers[language])) == 5 for one in q.questions()
    )
    if language != "en":
        assert not {one.text["en"] for one in q.questions()} & set(texts)


def test_the_five_questions_of_the_thesis_are_kept() -> None:
    texts = {one.text["en"] for one in q.questions()}
    assert "How often do you seek moments of peace and tranquility in your daily life?" in texts
    assert "How much do you enjoy music with rich, harmonious melodies?" in texts


def test_the_short_form_asks_at_most_seven_and_the_long_form_all_forty() -> None:
    assert len(answered({"sadness": 4, "nostalgia": 3})) <= q.SHORT_FORM == 7
    assert len(answered({"sadness": 4}, form="long")) == 40
    with refusal("short or long"):
        q.next_question([], "medium")


def test_the_next_question_depends_on_the_answers() -> None:
    def path(height: int) -> list[str]:
        return [row["question"] for row in answered({}, otherwise=height)]

    assert path(0) != path(4)
    assert path(2) == path(2)


@pytest.mark.parametrize("mood", MOODS)
def test_the_long_form_finds_the_mood_that_the_listener_has(mood: str) -> None:
    profile = q.profile(answered({mood: 4}, form="long"))
    assert profile.strongest(1)[0][0] == mood
    assert profile.moods[mood] > 0.7


@pytest.mark.parametrize("mood", MOODS)
def test_seven_questions_find_the_mood_that_the_listener_has(mood: str) -> None:
    """Not always as the strongest (two moods are never asked about), but clearly among those that weigh."""
    profile = q.profile(answered({mood: 4}))
    assert mood in [name for name, _ in profile.strongest(3)]


def test_answers_make_the_profile_more_certain() -> None:
    short, long = answered({"power": 4}), answered({"power": 4}, form="long")
    spread = [sum(q.profile(state).uncertainty.values()) for state in ([], short, long)]
    assert spread[0] > spread[1] > spread[2]


def test_going_back_replaces_an_answer_and_skipping_says_nothing() -> None:
    first = q.next_question([])
    assert first is not None
    again = [{"question": first.id, "answer": 0}, {"question": first.id, "answer": 4}]
    assert q.profile(again) == q.profile(again[1:])
    skipped: State = [{"question": first.id, "answer": None}]
    assert q.profile(skipped) == q.profile([])
    follower = q.next_question(skipped)
    assert follower is not None and follower.id != first.id


def test_a_listener_who_skips_everything_is_left_alone_after_seven() -> None:
    state: State = []
    while question := q.next_question(state):
        state.append({"question": question.id, "answer": None})
    assert len(state) == 7
    assert len(set(q.profile(state).moods.values())) == 1


def test_reversed_questions_count_the_other_way() -> None:
    reversed_one = next(one for one in q.questions() if one.reversed and one.mood == "power")
    high = q.profile([{"question": reversed_one.id, "answer": 0}]).moods["power"]
    low = q.profile([{"question": reversed_one.id, "answer": 4}]).moods["power"]
    assert high > 0.5 > 0.3 > low


def test_moods_that_go_together_inform_each_other() -> None:
    calm = next(one for one in q.questions() if one.mood == "peacefulness" and not one.reversed)
    profile = q.profile([{"question": calm.id, "answer": 4}])
    assert profile.moods["tenderness"] > profile.moods["wonder"] > profile.moods["power"]


def test_preferences_come_from_their_own_questions_as_far_as_one_answer_can_be_trusted() -> None:
    profile = q.profile(answered({"vocals": 0, "rhythm": 4, "brightness": 2}, form="long"))
    trusted = round(q.RELIABILITY, 4)
    assert profile.preferences == pytest.approx(
        {"vocals": -trusted, "harmony": -trusted / 2, "rhythm": trusted, "brightness": 0}, abs=1e-4
    )
    assert 0.7 < trusted < 0.8


def test_a_preference_is_asked_about_when_it_would_change_the_order_more_than_any_mood_left() -> None:
    """Who wants all moods is soon known; then a preference tells more. At the start a mood does."""
    asked = [q.question(row["question"]) for row in answered(dict.fromkeys(MOODS, 4), otherwise=2)]
    assert [one.mood is not None for one in asked] == [True] * 4 + [False] * 3


def test_progress_never_promises_more_than_the_form_and_ends_full() -> None:
    state: State = []
    while question := q.next_question(state):
        asked, expected = q.progress(state)
        assert asked == len(state) < expected <= 7
        state.append({"question": question.id, "answer": 3})
    assert q.progress(state) == (len(state), len(state))
    assert q.progress([], "long") == (0, 40)


def test_the_prior_is_a_covariance() -> None:
    prior = q.prior_covariance()
    assert np.array_equal(prior, prior.T) and np.all(np.diag(prior) == 1)
    assert np.linalg.eigvalsh(prior).min() > 0


@pytest.mark.parametrize(
    "broken", [{"question": "nonsense", "answer": 1}, {"question": "joy_dance", "answer": 5}, {"question": "joy_dance", "answer": "x"}]
)  # fmt: skip
def test_broken_answers_are_refused_with_a_sentence(broken: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        q.profile([broken])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, None]), min_size=7, max_size=7))
def test_any_answers_give_a_profile_within_bounds(answers: list[int | None]) -> None:
    state: State = []
    for answer in answers:
        question = q.next_question(state)
        if question is None:
            break
        assert question.id not in {row["question"] for row in state}
        state.append({"question": question.id, "answer": answer})
    profile = q.profile(state)
    assert set(profile.moods) == set(MOODS)
    assert all(0 <= weight <= 1 for weight in profile.moods.values())
    assert all(spread > 0 for spread in profile.uncertainty.values())


def test_tables_have_every_language_everywhere() -> None:
    data = tables("questions")
    texts = [row["text"] for row in data["question"]] + list(data["scales"].values())
    texts += [mood[key] for mood in data["moods"].values() for key in ("label", "adjective")]
    texts += list(data["summary"].values()) + [row["label"] for row in tables("occasions").values()]
    assert all(set(LANGUAGES) <= set(text) for text in texts)


RANKING = tables("questions")["ranking"]
DICE = np.random.default_rng(3).standard_normal((4000, len(MOODS)))


def parts_left(state: State) -> Any:
    """(2,): the variance of the weights, and of the tracks' scores, that these answers leave; by sampling listeners."""
    mean, covariance = q.posterior(state)
    listeners = mean + DICE @ np.linalg.cholesky(covariance).T
    weights = 1 / (1 + np.exp(-q.STEEPNESS * (listeners - q.MIDDLE)))
    shares = weights / weights.sum(axis=1, keepdims=True)
    asked = {q.question(row["question"]).preference for row in state}
    preferences = sum(
        part * (1 - q.RELIABILITY * (name in asked)) for name, part in RANKING["preferences"].items()
    )
    order = np.sum(np.cov(shares.T) * np.array(RANKING["moods"])) + preferences
    return np.array([weights.var(axis=0).sum(), order])


BEFORE = parts_left([])


def left(state: State) -> float:
    """What is uncertain after these answers, of the profile and of the order of tracks; 1 before any."""
    return float(parts_left(state) / BEFORE @ [q.PROFILE_SHARE, 1 - q.PROFILE_SHARE])


def left_after(state: State, question: q.Question) -> float:
    """The mean of `left` over the five answers, each as likely as the model thinks."""
    if question.mood is None:
        return left([*state, {"question": question.id, "answer": 2}])
    (mean, covariance), direction = q.posterior(state), q.asks(question)
    spread = float(np.sqrt(direction @ covariance @ direction + q.NOISE**2))
    reading = NormalDist(float(direction @ mean), spread)
    edges = [0.0, *(reading.cdf(edge) for edge in (-1.5, -0.5, 0.5, 1.5)), 1.0]
    return sum(
        (edges[answer + 1] - edges[answer]) * left([*state, {"question": question.id, "answer": answer}])
        for answer in range(5)
    )


SAD = answered({"sadness": 4, "tension": 3})


@pytest.mark.parametrize("state", [[], [{"question": "joy_dance", "answer": 4}], SAD[:3], SAD[:5]])
def test_the_next_question_is_the_one_after_which_least_is_uncertain(state: State) -> None:
    chosen = q.next_question(state)
    assert chosen is not None
    asked = {row["question"] for row in state}
    kinds = {(one.mood or one.preference, one.reversed): one for one in q.questions() if one.id not in asked}
    others = [left_after(state, one) for one in kinds.values()]
    assert left_after(state, chosen) < min(others) + 0.001, "as far as sampling tells"
    assert np.quantile(others, 0.2) > min(others) + 0.005


def test_five_at_once_tell_more_than_any_five_by_chance() -> None:
    def after(asked: list[str]) -> float:
        return left([{"question": one, "answer": 2} for one in asked])

    ours = [one.id for one in q.questions_at_once()]
    assert len(set(ours)) == q.AT_ONCE == 5
    dice = np.random.default_rng(1)
    moods = [one.id for one in q.questions() if one.mood is not None]
    assert after(ours) < min(after(list(dice.choice(moods, 5, replace=False))) for _ in range(100))
    more = [one.id for one in q.questions_at_once([{"question": ours[0], "answer": 4}])]
    assert len(set(more) - {ours[0]}) == 5


@pytest.mark.parametrize("state", [[], [{"question": "joy_dance", "answer": 4}], SAD])
def test_weights_and_their_spread_are_those_of_the_logistic_under_the_posterior(state: State) -> None:
    """The closed form beside a numerical integral over the Gaussian."""
    mean, covariance = q.posterior(state)
    points, shares = np.polynomial.hermite_e.hermegauss(60)
    shares = shares / shares.sum()
    found = q.profile(state)
    for k, mood in enumerate(MOODS):
        z = mean[k] + np.sqrt(covariance[k, k]) * points
        weight = 1 / (1 + np.exp(-1.5 * (z - 0.5)))
        expected = float(shares @ weight)
        spread = float(np.sqrt(shares @ (weight - expected) ** 2))
        assert found.moods[mood] == pytest.approx(expected, abs=0.006)
        assert 0.95 * spread < found.uncertainty[mood] < 1.4 * spread, (
            "to first order, which is on the safe side"
        )


def test_a_form_that_is_not_there_is_refused() -> None:
    with refusal(r"^There is no form 'medium': choose short or long\.$"):
        q.next_question([], "medium")


def test_several_answers_on_one_preference_are_averaged() -> None:
    state = [{"question": one.id, "answer": 4} for one in q.questions() if one.preference == "vocals"]
    assert len(state) == 1 and q.profile(state).preferences == {"vocals": round(q.RELIABILITY, 4)}
    assert q.progress([{"question": one.id, "answer": 2} for one in q.questions()][:7]) == (7, 7)


def test_who_is_clear_is_asked_less_and_progress_says_so() -> None:
    state: list[dict[str, Any]] = []
    while (asked := q.next_question(state)) is not None:
        assert q.progress(state) == (len(state), q.SHORT_FORM)
        state.append({"question": asked.id, "answer": 0})
    assert 3 <= len(state) < q.SHORT_FORM and q.progress(state) == (len(state), len(state))


def test_what_cannot_be_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserError) as refused:
        q.profile([{"question": "hunger", "answer": 3}, {"question": "appetite", "answer": 3}])
    assert say(refused.value) == "There is no question 'appetite': start the questions again."
    one = q.questions()[0].id
    with pytest.raises(UserError) as refused:
        q.profile([{"question": one, "answer": 5}])
    assert say(refused.value) == "An answer is a number from 0 to 4, not 5."
