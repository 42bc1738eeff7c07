"""Recommendations from the query to the picks: chosen, kept, steered step by step, and explained by asking again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from bot.service.catalogs import Catalogs
from core.errors import Fact, Refusal
from core.library.profiles import Moods
from core.library.recommendations import RecommendationQuery, Recommendations, Recommended
from core.moods.profile import Profile
from core.recommend.picks import just_shown, pick_of, reasons_needed
from core.recommend.rules import Recommendation, recommend
from core.recommend.steer import change, possible
from core.recommend.taste_term import Tastes

SAME = 1e-9
"""Scores that are asked for again agree this well unless the library or the rules have changed."""


@dataclass(frozen=True)
class Recommending:
    """Recommends tracks of a server's library (`guild_id` None: of what a direct message finds)."""

    catalogs: Catalogs
    moods: Moods
    recommendations: Recommendations
    tastes: Tastes

    async def query(
        self, user_id: int, occasion: str | None, aim: str, count: int, mood: str | None = None
    ) -> RecommendationQuery | None:
        """Return the query by the member's profile, or by the one mood that was named; None when nothing is known to
        choose by."""
        profile = await self.moods.profile(user_id)
        if mood is not None:
            profile = Profile({mood: 1.0}, preferences=profile.preferences if profile else {})
        elif profile is None and occasion is None:
            return None
        return RecommendationQuery(profile or Profile(), occasion, aim, count=count, chosen=mood)

    async def recommend(
        self, user_id: int, guild_id: int | None, query: RecommendationQuery
    ) -> Recommended | None:
        """Choose and keep. Returns None when there is nothing that was not shown just now.

        Raises UserError when the library is empty.
        """
        now = int(time.time())
        before = await self.recommendations.shown_before(user_id, at=now)
        found = await self._choose(user_id, guild_id, query, before, now)
        if not found and query.others:
            return None
        if not found:
            raise Refusal("library-empty")
        return await self.recommendations.save(user_id, query, [pick_of(one) for one in found], at=now)

    async def steer(
        self,
        user_id: int,
        guild_id: int | None,
        before: Recommended,
        query: RecommendationQuery,
        tap: Fact,
        measured: str | None = None,
        *,
        anew: bool = False,
    ) -> Recommended:
        """Choose and keep other picks after those before, with what changed: the `tap`, and how far the steer `measured`
        moved. `anew`: it is a new question, so that what was just shown counts as shown, and what the member likes
        counts as of now. Raises UserError when nothing is left."""
        root = None if anew else before.root_id
        now = int(time.time())
        shown = await self.recommendations.shown_before(user_id, root, at=now)
        asked = now if root is None else await self.recommendations.asked_at(root) or now
        found = await self._choose(user_id, guild_id, query, shown, asked)
        if not found:
            raise Refusal("nothing-left")
        catalog = await self.catalogs.of(guild_id)
        old, new = [pick.track_id for pick in before.picks], [one.track.id for one in found]
        changed = await asyncio.to_thread(change, catalog, old, new, tap, measured)
        picks = [pick_of(one) for one in found]
        return await self.recommendations.save(
            user_id, query, picks, parent=before, root_id=root, changed=changed, at=now
        )

    async def _choose(
        self,
        user_id: int,
        guild_id: int | None,
        query: RecommendationQuery,
        before: dict[int, float],
        at: int,
        *,
        all_reasons: bool = False,
    ) -> list[Recommendation]:
        """The tracks for a query; `before` says what the member was shown, and how many days ago. What the member likes
        counts as it stood at `at`, so that the same question has the same answer."""
        catalog = await self.catalogs.of(guild_id)
        terms = await self.tastes.terms(user_id, catalog, at)
        return await asyncio.to_thread(
            recommend,
            catalog,
            query.target,
            query.occasion,
            query.count,
            steers=query.steers,
            exclude={*query.without, *(just_shown(before) if query.others else ())},
            recent=before,
            seed=query.seed,
            terms=terms,
            reasons=reasons_needed(query),
            all_reasons=all_reasons,
        )

    async def steers(self, guild_id: int | None) -> tuple[str, ...]:
        """Return the steers that this library can follow."""
        return await asyncio.to_thread(possible, await self.catalogs.of(guild_id))

    async def asked_again(self, guild_id: int | None, made: Recommended) -> list[Recommendation] | None:
        """Return the answer to the same question with all reasons, best first; None when it is another one by now."""
        before = await self.recommendations.shown_before(made.user_id, made.root_id)
        asked = await self.recommendations.asked_at(made.root_id) or int(time.time())
        found = await self._choose(made.user_id, guild_id, made.query, before, asked, all_reasons=True)
        same = len(found) == len(made.picks) and all(
            one.track.id == pick.track_id and abs(one.score - pick.score) < SAME
            for one, pick in zip(found, made.picks, strict=True)
        )
        return found if same else None

    async def own(self, user_id: int, recommendation_id: int) -> Recommended:
        """Return a member's own recommendation. Raises UserError when it is somebody else's or no longer kept."""
        made = await self.recommendations.get(recommendation_id)
        if made.user_id != user_id:
            raise Refusal("picks-not-yours")
        return made

    async def check_all_here(self, guild_id: int | None, made: Recommended) -> None:
        """Raises UserError where some of the picks are of another server's library: nobody here is to read of them."""
        tracks = [pick.track_id for pick in made.picks]
        if await self.catalogs.library.out_of_scope(self.catalogs.scope(guild_id), tracks):
            raise Refusal("picks-elsewhere")
