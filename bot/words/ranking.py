"""What would have ranked higher, in the reader's language: the track above beside this one, and what this one would need."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bot.words import wording
from bot.words.explain import signed
from bot.words.i18n import mark, tr
from bot.words.names import short
from bot.words.reasons import reason_text
from core.audio.vocabulary import phrases
from core.library.catalog import Catalog
from core.library.recommendations import Reason
from core.recommend.counterfactual import Needed, smallest_change
from core.recommend.rules import Recommendation

CLOSE = 1e-9


def ranks_higher(
    catalog: Catalog, topics: dict[str, float], found: Sequence[Recommendation], position: int
) -> list[str]:
    """One or two sentences. `found` has all reasons, best first; `topics` are the weights that they were scored by."""
    one = found[position]
    if position == 0:
        if len(found) == 1:
            return []
        return [f"{tr('Nothing that I could pick ranks higher.')} {_beside(one, found[1], first=True)}"]
    lines = [_beside(found[position - 1], one)]
    above = found[position - 1]
    gap = found[0].score - _alone(one)
    stale = one.parts.get("freshness", 0.0)
    if gap <= CLOSE:
        lines.append(tr("By itself it would be 1st: it stands here since it is so much like one above."))
    elif -stale > gap:
        lines.append(tr("Had you not been shown it lately, it would be 1st."))
    elif needed := smallest_change(catalog, topics, one, gap):
        lines.append(tr("With {then} instead of {now} it would be 1st.", **_needed(needed)))
    elif needed := smallest_change(catalog, topics, one, above.score - one.score):
        # What it loses to others only grows down the list, so further up it loses no more than now.
        lines.append(
            tr(
                "With {then} instead of {now} it would rank above “{title}”.",
                title=short(above.track.title),
                **_needed(needed),
            )
        )
    else:
        lines.append(tr("No single change of sound would do: it lacks {gap:.2f} to be 1st.", gap=gap))
    return lines


def _alone(one: Recommendation) -> float:
    """The score without what was lost to others in the list: what counts for the first place."""
    return one.score - one.parts.get("diversity", 0.0)


def _needed(needed: Needed) -> dict[str, str]:
    words = phrases(needed.descriptor)
    assert words is not None
    now, then = (wording.formatted(value, words.format) for value in (needed.instead_of, needed.value))
    told = tr(words.amount).format(
        value=then,
        unit=needed.unit,
        of=wording.of(needed.source),
        of_in=wording.of_in(needed.source),
        stem=wording.the_source(needed.source),
    )
    return {"then": " ".join(told.split()), "now": now}


OTHERWISE = {
    (True, True): mark("{start}: it loses {amount:.2f} ({why})."),
    (True, False): mark("{start}: it gains {amount:.2f} ({why})."),
    (False, True): mark("{start}: this one loses {amount:.2f} ({why})."),
    (False, False): mark("{start}: this one gains {amount:.2f} ({why})."),
}
"""By (the upper one is told about, it loses)."""


def _beside(winner: Recommendation, loser: Recommendation, *, first: bool = False) -> str:
    """What makes most of the difference between two neighbours; `first` tells the winner's story, else the loser's."""
    above, below = _by_measurement(winner.reasons), _by_measurement(loser.reasons)
    gains = {key: _sum(above.get(key)) - _sum(below.get(key)) for key in sorted({*above, *below})}
    key = max(gains, key=lambda key: gains[key] if _differ(above.get(key), below.get(key)) else 0.0)
    if first:
        gap, title = winner.score - loser.score, short(loser.track.title)
        start = (
            tr("The next, “{title}”, is {gap:.2f} behind", title=title, gap=gap)
            if gap >= 0.005
            else tr("The next, “{title}”, is next to level", title=title)
        )
    else:
        start = tr(
            "“{title}” ranks above it ({score})", title=short(winner.track.title), score=signed(winner.score)
        )
    better, worse = above.get(key, []), below.get(key, [])
    other = [*worse, *better][0]
    if other.rule == "surprise":
        return tr("{start}, by chance.", start=start)
    if other.percentile is None:
        lost = _sum(worse) < 0
        term = (worse if lost else better)[0]
        text = reason_text(term).rstrip(".")
        return tr(
            OTHERWISE[lost == first, lost],
            start=start,
            amount=abs(_sum(worse if lost else better)),
            why=f"{text[0].lower()}{text[1:]}",
        )
    there, here = (worse, better) if first else (better, worse)
    if not there:
        return tr("{start}: here {fact}, there it could not be measured.", start=start, fact=_fact(here[0]))
    told = wording.formatted(here[0].value, _format(here[0])) if here else tr("it could not be measured")
    return tr("{start}: there {fact}, here {value}.", start=start, fact=_fact(there[0]), value=told)


def _differ(one: Sequence[Reason] | None, other: Sequence[Reason] | None) -> bool:
    """Whether two values differ in print, too."""
    if not one or not other or one[0].percentile is None:
        return True
    how = _format(one[0])
    return wording.formatted(one[0].value, how) != wording.formatted(other[0].value, how)


def _sum(reasons: Sequence[Reason] | None) -> float:
    return math.fsum(reason.contribution for reason in reasons or ())


def _by_measurement(reasons: Sequence[Reason]) -> dict[tuple[str, str], list[Reason]]:
    found: dict[tuple[str, str], list[Reason]] = {}
    for reason in reasons:
        found.setdefault((reason.source, reason.descriptor), []).append(reason)
    return found


def _fact(reason: Reason) -> str:
    assert reason.percentile is not None
    return wording.measured(reason.source, reason.descriptor, reason.value, reason.unit, reason.percentile)


def _format(reason: Reason) -> str:
    words = phrases(reason.descriptor)
    return words.format if words is not None else ""
