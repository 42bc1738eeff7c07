"""Journeys and flow: on the shipped analyses and on made-up libraries whose answers can be told by hand."""

from __future__ import annotations

import io
import itertools
import math

import numpy as np
import pytest

from bot.words.pictures import journey_words
from bot.words.reasons import reason_text
from bot.words.say import say
from core.library.catalog import Catalog
from core.moods.profile import MOODS, Profile
from core.recommend.affect import plane, ranked
from core.recommend.journey import drawn, journey
from core.recommend.topic_scores import prepare
from core.recommend.transitions import KEY, TEMPO, flow, ordered
from tests.core.recommend.worlds import catalog, random_catalog
from tests.refusals import refusal


def moods(**weights: float) -> Profile:
    return Profile(weights)


def test_the_way_leads_from_one_mood_to_the_other(samples: Catalog) -> None:
    """For every pair of moods: never a track twice, and the tracks' own scores follow the aim."""
    prepared = prepare(samples)
    followed = []
    for start, goal in itertools.permutations(MOODS, 2):
        found = journey(samples, moods(**{start: 1.0}), moods(**{goal: 1.0}), 8)
        ids = [step.recommendation.track.id for step in found.steps]
        assert len(ids) == 8 == len(set(ids))
        assert [step.asked for step in found.steps] == [k / 7 for k in range(8)]
        rows = [samples.index(track_id) for track_id in ids]
        change = (prepared.scores({goal: 1.0}) - prepared.scores({start: 1.0}))[rows]
        followed.append(float(np.corrcoef(change, np.arange(8))[0, 1]))
        assert found.steps[0].aim == {start: 1.0} and found.steps[-1].aim == {goal: 1.0}
    assert min(followed) > 0.7 and np.mean(followed) > 0.93


def test_terms_add_up_to_the_score_and_say_what_a_step_costs(samples: Catalog) -> None:
    found = journey(samples, moods(tension=1.0, power=0.5), moods(peacefulness=1.0), 10, all_reasons=True)
    seen = set()
    for step in found.steps:
        reasons = step.recommendation.reasons
        assert math.fsum(reason.contribution for reason in reasons) == pytest.approx(
            step.recommendation.score, abs=1e-9
        )
        seen |= {reason.rule for reason in reasons}
        [place] = [reason for reason in reasons if reason.rule == "journey.place"]
        assert f"lies {round(100 * step.at)}% of the way" in reason_text(place)
    assert {"journey.place", "flow.tempo", "flow.key", "flow.energy", "diversity.artist"} <= seen
    assert not [one for one in found.steps[0].recommendation.reasons if one.rule.startswith("flow")]


def test_the_same_question_has_the_same_answer(samples: Catalog) -> None:
    ends = moods(sadness=1.0), moods(joyful_activation=1.0)
    ways = [[step.recommendation.track.id for step in journey(samples, *ends, 8).steps] for _ in range(2)]
    assert ways[0] == ways[1]
    other = journey(samples, *ends, 8, exclude=set(ways[0]))
    assert not set(ways[0]) & {step.recommendation.track.id for step in other.steps}


@pytest.mark.parametrize("minutes", [4, 7, 12])
def test_minutes_are_met_as_nearly_as_tracks_allow(samples: Catalog, minutes: int) -> None:
    found = journey(samples, moods(tension=1.0), moods(tenderness=1.0), minutes=minutes)
    longest = max(track.duration_s for track in samples.tracks)  # type: ignore[attr-defined]
    assert abs(found.seconds - 60 * minutes) <= longest / 2 + 1


def test_smoother_than_without_minding_the_steps(samples: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(world: Catalog) -> float:
        total = 0.0
        for start, goal in itertools.permutations(MOODS[::2], 2):
            found = journey(world, moods(**{start: 1.0}), moods(**{goal: 1.0}), 8)
            rows = np.array([samples.index(step.recommendation.track.id) for step in found.steps])
            total += float(np.diag(real.costs(rows[:-1], rows[1:])).sum())
        return total

    real = flow(samples)
    minded = cost(samples)
    monkeypatch.setattr(
        "core.recommend.transitions.Flow.costs",
        lambda self, before, after: np.zeros((len(before), len(after))),
    )
    unminded_flow = cost_of_unminded(samples)
    monkeypatch.undo()
    rows = [np.array(way) for way in unminded_flow]
    unminded = sum(float(np.diag(real.costs(way[:-1], way[1:])).sum()) for way in rows)
    assert minded < 0.8 * unminded


def cost_of_unminded(world: Catalog) -> list[list[int]]:
    return [
        [
            world.index(step.recommendation.track.id)
            for step in journey(world, moods(**{start: 1.0}), moods(**{goal: 1.0}), 8).steps
        ]
        for start, goal in itertools.permutations(MOODS[::2], 2)
    ]


def test_ends_that_are_none_or_the_same_are_refused(samples: Catalog) -> None:
    with refusal("both ends"):
        journey(samples, Profile(), moods(power=1.0))
    with refusal("there already"):
        journey(samples, moods(power=0.7), moods(power=1.0))
    with refusal("at least 3 tracks"):
        journey(random_catalog(2), moods(power=0.7), moods(sadness=1.0))


def test_a_small_library_gives_what_it_has() -> None:
    found = journey(random_catalog(5), moods(power=1.0), moods(sadness=1.0), 8)
    assert len({step.recommendation.track.id for step in found.steps}) == 5


def test_what_a_step_costs() -> None:
    world = catalog({"mix.tempo": [100.0, 102.0, 150.0, float("nan")]})
    world = Catalog(
        world.tracks, world.separators, world.names, world.features,
        keys=[("C", "major"), ("A", "minor"), ("F#", "major"), None],
    )  # fmt: skip
    rows = np.arange(4)
    tempo, key, energy = flow(world).parts(rows, rows)
    assert tempo[0, 1] == 0 and tempo[0, 2] == pytest.approx(TEMPO) == tempo[2, 0]  # within 3% is the same
    assert key[0, 1] == 0 and key[0, 2] == pytest.approx(
        KEY
    )  # A minor is C major's relative, F# the far side
    assert not energy.any() and not tempo[3].any() and not key[3].any()  # nothing is known, nothing is lost
    [first, second] = flow(world).shares(0, 2)
    assert say(first.fact) == "The tempo goes from 100 to 150 beats a minute."
    assert say(second.fact) == "Its key, F# major, lies 6 of 6 fifths away from C major before it."
    assert first.contribution + second.contribution == pytest.approx(-flow(world).costs(rows, rows)[0, 2])


def test_an_order_that_flows() -> None:
    world = catalog(
        {"mix.tempo": [80.0, 120.0, 90.0, 110.0, 100.0], "mix.loudness": [-30.0, -10.0, -25.0, -15.0, -20.0]}
    )
    assert ordered(world, [1, 2, 3, 4, 5]) == [1, 3, 5, 4, 2]
    assert ordered(world, [2, 1, 99]) == [2, 1, 99]  # what is unknown goes last
    assert ordered(world, [99, 4, 1, 3]) == [4, 3, 1, 99]


def test_an_order_is_near_the_best_there_is(samples: Catalog) -> None:
    """Against all orders of seven tracks that begin with the first."""
    rng = np.random.default_rng(3)
    costs = flow(samples)
    worse = []
    for _ in range(8):
        rows = rng.choice(len(samples), 7, replace=False)
        table = costs.costs(rows, rows)
        best = min(
            sum(table[a, b] for a, b in itertools.pairwise((0, *rest)))
            for rest in itertools.permutations(range(1, 7))
        )
        place = {samples.tracks[row].id: i for i, row in enumerate(rows)}
        mine = [place[track_id] for track_id in ordered(samples, list(place))]
        assert mine[0] == 0 and sorted(mine) == list(range(7))
        worse.append(sum(table[a, b] for a, b in itertools.pairwise(mine)) / best)
    assert np.mean(worse) < 1.08


def test_places_in_the_library() -> None:
    assert ranked(np.array([5.0, 1.0, 3.0])).tolist() == [1.0, 0.0, 0.5]
    assert ranked(np.array([2.0, 2.0])).tolist() == [0.5, 0.5]


def test_the_picture_shows_the_way(samples: Catalog) -> None:
    from PIL import Image

    from core.pictures.colours import MOOD_COLOURS
    from core.pictures.journey import journey_picture

    found = journey(samples, moods(sadness=1.0), moods(joyful_activation=1.0), 8)
    told = drawn(samples, found)
    assert told["plane"] == [
        plane(samples)[samples.index(s.recommendation.track.id)].tolist() for s in found.steps
    ]
    image = Image.open(
        io.BytesIO(journey_picture({**told, "ends": ["sad", "joyful"]}, journey_words("sad", "joyful")))
    ).convert("RGB")
    assert image.size == (1000, 1300)
    colours = {colour for _, colour in image.getcolors(1_000_000) or []}
    for mood in ("sadness", "joyful_activation"):
        value = MOOD_COLOURS[mood]
        assert tuple(int(value[i : i + 2], 16) for i in (1, 3, 5)) in colours
    # A mood of many parts: the title's moods are in the picture though none is a quarter of it.
    mixed = moods(joyful_activation=0.75, wonder=0.6, power=0.55, tension=0.5, transcendence=0.3, sadness=0.2)
    told_mixed = drawn(samples, journey(samples, mixed, moods(peacefulness=1.0), 8))
    assert told_mixed["ends"] == [["joyful_activation", "wonder"], ["peacefulness"]]
    assert set(told_mixed["curves"]) == {"joyful_activation", "wonder", "peacefulness"}
    ends = ["a $x^2$ \0 " + "very " * 40, "\n"]
    awkward = journey_picture({**told, "ends": ends}, journey_words(*ends))
    assert Image.open(io.BytesIO(awkward)).size == (1000, 1300)
