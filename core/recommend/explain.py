"""Why this track: sentences with measured values, and what spoke against it."""

from __future__ import annotations

from core.recommend.rules import Reason, Recommendation
from core.recommend.wording import table


def reasons_text(recommendation: Recommendation, n: int = 3) -> list[str]:
    """The `n` strongest reasons for the track, strongest first, no measured value said twice."""
    return [reason.text for reason in _distinct(recommendation.reasons, n)]


def why(recommendation: Recommendation, n: int = 3) -> list[str]:
    """The answer to 'why this?': up to `n` sentences for, one against if anything weighs, one on what is missing."""
    lines = reasons_text(recommendation, n)
    if recommendation.against and abs(recommendation.against[0].contribution) >= 0.005:
        against = recommendation.against[0].text
        lines.append(f"Against it: {against[0].lower()}{against[1:]}")
    if recommendation.missing:
        names = [table()["sources"][stem] for stem in recommendation.missing]
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        lines.append(f"Left out of the sum, in part: {listed} (not heard here, or not told apart for sure).")
    return lines


def _distinct(reasons: list[Reason], n: int) -> list[Reason]:
    """The first `n` reasons for (not against), each about another measurement."""
    found: dict[tuple[str, str], Reason] = {}
    for reason in reasons:
        if reason.contribution > 0:
            found.setdefault((reason.source, reason.descriptor), reason)
    return list(found.values())[:n]
