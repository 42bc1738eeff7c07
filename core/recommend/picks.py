"""What is kept of a recommendation: some reasons of each track; all can be had again by asking the same question."""

from __future__ import annotations

from core.library.recommendations import Pick, RecommendationQuery
from core.recommend.rules import Recommendation
from core.recommend.table import load_steers

FOR, UNSTEERED, AGAINST = 8, 3, 4
"""Reasons kept for each track: for it, those among them that no steer gave, against it."""

JUST_SHOWN_DAYS = 1 / 24
"""'Other picks' shows nothing that was shown within this time."""


def reasons_needed(query: RecommendationQuery) -> int:
    """Return the number of top reasons that must be computed for `pick_of`."""
    return FOR + UNSTEERED + sum(rule.steer in query.steers for rule in load_steers())


def pick_of(one: Recommendation) -> Pick:
    """Return what is kept of one recommended track."""
    strongest = [reason for reason in one.reasons if reason.contribution > 0]
    unsteered = [reason for reason in strongest[FOR:] if reason.steer is None][:UNSTEERED]
    track, reasons = one.track, [*strongest[:FOR], *unsteered]
    return Pick(
        track.id, track.title, track.artist, track.genre, one.score, reasons, one.against[:AGAINST], one.missing,
        one.parts, one.separator,
    )  # fmt: skip


def just_shown(before: dict[int, float]) -> set[int]:
    """Return the tracks of `Recommendations.shown_before` that 'Other picks' leaves out."""
    return {track_id for track_id, days in before.items() if days < JUST_SHOWN_DAYS}
