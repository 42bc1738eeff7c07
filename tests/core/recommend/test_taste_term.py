"""Opinions as a term: exact, fading, the strongest for the explicit word, and nothing told from one member to another
while too few have said anything."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bot.words.say import say
from core.library.feedback import Feedback
from core.library.playlists import Playlists
from core.library.schema import open_database
from core.library.sources.samples import ensure_samples
from core.library.tracks import Library
from core.moods.profile import Profile
from core.recommend.community import USERS
from core.recommend.rules import recommend
from core.recommend.taste_term import (
    FEWEST_MEMBERS,
    HALF_LIFE_DAYS,
    IMPLICIT_HALF_LIFE_DAYS,
    OTHERS,
    REPLAYED,
    SKIPPED,
    Opinions,
    Tastes,
    TasteTerm,
)
from tests.core.recommend.worlds import random_catalog

WORLD = random_catalog(80)
CALM = Profile({"peacefulness": 1.0})


def scores(opinions: Opinions | None) -> dict[int, float]:
    terms = [TasteTerm(WORLD, opinions)] if opinions else []
    found = recommend(WORLD, CALM, None, 80, terms=terms, all_reasons=True)
    for one in found:
        assert math.isclose(sum(reason.contribution for reason in one.reasons), one.score, abs_tol=1e-6)
    return {one.track.id: one.score for one in found}


def test_likes_lift_and_a_no_sends_away() -> None:
    plain = [one.track.id for one in recommend(WORLD, CALM, None, 80)]
    worst, best = plain[-20], plain[0]
    liked = scores(Opinions({worst: 1.0}, frozenset({worst})))
    assert liked[worst] > scores(None)[worst]
    refused = recommend(
        WORLD,
        CALM,
        None,
        10,
        terms=[TasteTerm(WORLD, Opinions({best: -1.0}, frozenset({best})))],
        all_reasons=True,
    )
    assert best not in {one.track.id for one in refused}


def test_the_term_says_what_it_goes_by() -> None:
    term = TasteTerm(WORLD, Opinions({4: 1.0, 9: -0.5}, frozenset({4, 9})))
    values = np.zeros(len(WORLD), dtype=np.float32)
    term.add_to(values)
    for row in range(len(WORLD)):
        assert sum(share.contribution for share in term.at(row)) == pytest.approx(values[row], abs=1e-6)
    assert say(term.at(WORLD.index(4))[0].fact) == "You like this one."
    assert any("You said no" in say(share.fact) for share in term.at(WORLD.index(9)))


def test_the_community_speaks_through_shared_likes() -> None:
    ids = (1, 2, 3)
    table = np.array([[0, 0.6, 0], [0.6, 0, 0], [0, 0, 0]], dtype=np.float32)
    term = TasteTerm(WORLD, Opinions({1: 1.0}, frozenset({1}), (ids, table)))
    [others] = [share for share in term.at(WORLD.index(2)) if share.name == "taste.others"]
    assert 0 < others.contribution <= OTHERS and "Track 1" in say(others.fact)
    assert not [share for share in term.at(WORLD.index(3)) if share.name == "taste.others"]


async def test_opinions_are_kept_fade_and_can_be_taken_back(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "m.db") as database:
        await ensure_samples(Library(database))
        feedback = Feedback(database)
        tastes = Tastes(feedback)
        assert (await tastes.opinions(1)).weights == {}
        await database.write("INSERT INTO play (user_id, track_id, at) VALUES (1, 5, 1000), (1, 6, 1000)")
        await feedback.say(1, 5, False)
        await database.write("UPDATE feedback SET at = 2000")
        now = 2000 + HALF_LIFE_DAYS * 86_400
        later = await tastes.opinions(1, now)
        assert later.weights[5] == pytest.approx(-0.5) and later.explicit == {5} and later.others is None
        assert (await tastes.opinions(1, 1500)).weights[5] > 0  # before the word was said
        await feedback.say(1, 5, None)
        assert await feedback.said(1, 5) is None
        assert (await tastes.opinions(1)).explicit == frozenset()


async def test_others_count_once_enough_have_spoken(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "m.db") as database:
        await ensure_samples(Library(database))
        feedback = Feedback(database)
        tastes = Tastes(feedback)
        for user in range(1, FEWEST_MEMBERS):
            await feedback.say(user, 1, True)
            await feedback.say(user, 2, True)
        assert (await tastes.opinions(1)).others is None
        await feedback.say(99, 1, True)
        opinions = await tastes.opinions(99)
        assert opinions.others is not None
        ids, table = opinions.others
        assert table[ids.index(1), ids.index(2)] > 0


async def test_what_was_played_skipped_and_saved_counts_without_a_word_and_fades_sooner(
    tmp_path: Path,
) -> None:
    day = 86_400
    async with await open_database(tmp_path / "m.db") as database:
        await ensure_samples(Library(database))
        tastes = Tastes(Feedback(database))
        await database.write(
            "INSERT INTO play (user_id, track_id, at, skipped_at) VALUES (1, 1, 1000, NULL), (1, 2, 1000, NULL),"
            " (1, 2, 1010, NULL), (1, 3, 1000, NULL), (1, 3, 9000, NULL), (1, 4, 1000, NULL), (1, 4, 9000, 9005),"
            " (1, 5, 9000, 9005)"
        )
        await Playlists(database).create(1, "Kept", [5])
        await database.write("UPDATE playlist SET changed_at = 9006")
        found = await tastes.opinions(1, 9010)
        assert found.kinds == {1: "played", 2: "played", 3: "replayed", 4: "skipped", 5: "saved"}
        assert found.explicit == frozenset() and found.weights[4] == pytest.approx(SKIPPED, abs=0.001)
        assert found.weights[1] < found.weights[3] < found.weights[5]
        assert (await tastes.opinions(1, 9001)).kinds[4] == "replayed"  # before it was skipped
        later = await tastes.opinions(1, 9000 + IMPLICIT_HALF_LIFE_DAYS * day)
        assert later.weights[3] == pytest.approx(REPLAYED / 2) and later.weights[4] == pytest.approx(
            SKIPPED / 2
        )
        term = TasteTerm(WORLD, found)
        assert say(term.at(WORLD.index(3))[0].fact) == "You played this one again (counts 0.40 of 1)."
        assert not term.refused  # to skip is not to say no


async def test_members_with_the_same_taste_speak_and_nobody_alone(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "m.db") as database:
        await ensure_samples(Library(database))
        feedback = Feedback(database)
        tastes = Tastes(feedback)
        for user in (1, 2, 3):  # like what 9 likes; two of them track 7, one of them track 8
            for track in (1, 2, 3):
                await feedback.say(user, track, True)
        await feedback.say(1, 7, True)
        await feedback.say(2, 7, True)
        await feedback.say(3, 8, True)
        await feedback.say(4, 1, False)
        await feedback.say(4, 10, True)
        await feedback.say(5, 11, True)
        for track in (1, 2, 3):
            await feedback.say(9, track, True)
        found = await tastes.opinions(9)
        assert found.neighbours[7] == (pytest.approx(1.0), 2) and 8 not in found.neighbours
        term = TasteTerm(WORLD, found)
        [share] = [one for one in term.at(WORLD.index(7)) if one.name == "taste.neighbours"]
        assert share.contribution == pytest.approx(OTHERS * USERS)
        assert say(share.fact) == "2 members with a taste like yours like it."
        values = np.zeros(len(WORLD), dtype=np.float32)
        term.add_to(values)
        for row in range(len(WORLD)):
            assert sum(one.contribution for one in term.at(row)) == pytest.approx(values[row], abs=1e-6)
        assert [one for one in term.at(WORLD.index(7)) if one.name == "taste.others"]  # by items, too
