"""What members' likes say about each other: both neighbourhoods of core.recommend.taste, for the bot.

By items (EASE): who likes this track likes that one. By users (cosine of likes): what members with a taste like yours
like; only tracks that at least FEWEST_NEIGHBOURS of them judged count, so that nobody's opinion can be told from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from core.recommend.taste import Interactions, Parameters, item_weights, strengths, user_neighbours

PARAMETERS = Parameters(power=1.0, neighbours=30)
ITEMS, USERS = PARAMETERS.weights[:2]
"""What each neighbourhood counts of what others' likes can add."""

FEWEST_NEIGHBOURS = 2


@dataclass(frozen=True)
class Community:
    """`liked` (members, tracks) and `alike` (members, members; zero for all but the nearest) in the order of `members` and
    `tracks`; `table` (tracks, tracks) what a liked track adds to another."""

    members: tuple[int, ...]
    tracks: tuple[int, ...]
    table: NDArray[np.float32]
    alike: sparse.csr_matrix
    liked: sparse.csr_matrix

    def of(self, user_id: int) -> dict[int, tuple[float, int]]:
        """{track id: (mean opinion of the member's neighbours, -1..1, how many of them judged it)}."""
        if user_id not in self.members:
            return {}
        row = self.alike[self.members.index(user_id)].toarray().ravel()
        near = np.flatnonzero(row > 0)
        if not len(near):
            return {}
        opinions = self.liked[near].toarray()
        judged = (opinions != 0).sum(axis=0)
        weight = row[near] @ (opinions != 0)
        means = (row[near] @ opinions) / np.where(weight > 0, weight, 1)
        return {
            self.tracks[column]: (float(means[column]), int(judged[column]))
            for column in np.flatnonzero(judged >= FEWEST_NEIGHBOURS).tolist()
        }


def community(opinions: Iterable[tuple[int, int, float]]) -> Community:
    """From (member, track id, opinion below or above zero), the oldest first."""
    rows = list(opinions)
    members, user = np.unique([one[0] for one in rows], return_inverse=True)
    tracks, item = np.unique([one[1] for one in rows], return_inverse=True)
    names = tuple(map(str, members.tolist())), tuple(map(str, tracks.tolist()))
    data = Interactions(*names, user, item, np.array([one[2] for one in rows]), None)
    liked = strengths(data, PARAMETERS)
    return Community(
        tuple(int(one) for one in members),
        tuple(int(one) for one in tracks),
        item_weights(liked, ridge=max(5.0, len(members) / 4)),
        user_neighbours(liked, PARAMETERS.neighbours),
        liked,
    )
