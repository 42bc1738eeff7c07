"""The calibration report as a person reads it."""

from __future__ import annotations

from typing import Any


def lines(report: dict[str, Any]) -> list[str]:
    """What calibration brings, what stems add, and each weight before and after, as a few tables."""
    means = report["mean_spearman"]
    moods = report["moods"]
    counted = "all moods but wonder" if set(moods) - {"wonder"} else "wonder"
    found = [
        f"{report['tracks']} tracks by {report['artists']} artists, separator {report['separator']}.",
        f"Weights are pulled towards rules.toml with strength {report['strength']:g}, chosen by cross-validation.",
        "",
        "Rank correlation with the listeners' labels. Calibrated: nested cross-validation by artist, no track judged by",
        f"weights that have seen its artist; mean of {report['seeds']} ways to make the folds.",
        "",
        f"{'':30}{'whole track only':>20}{'with stems':>24}",
        f"{'':30}{'rules':>9}{'calibrated':>11}{'rules':>13}{'calibrated':>11}",
        *(_row(_name(mood), row) for mood, row in moods.items()),
        _row(f"mean ({counted})", means),
        "",
        f"Stems add {report['stems_add']:+.3f} to the whole track alone.",
    ]
    if report["stems"]:
        found += [
            "Each stem by itself, and what is lost when only it goes:",
            "",
            f"{'':12}{'rules':>6}{'trust':>8}{'adds to the mix':>18}{'lost without it':>18}",
            *(
                f"{stem:12}{row['rules']:>6}{row['trust']:>8.2f}{row['added']:>+18.3f}{row['lost']:>+18.3f}"
                for stem, row in report["stems"].items()
            ),
        ]
    found += ["", f"{'weight of the rule':44}{'before':>8}{'after':>8}{'change':>9}"]
    mood = ""
    for rule, weight in report["weights"].items():
        if rule.split(".")[0] != mood:
            mood = rule.split(".")[0]
            found.append(_name(mood))
        before, after = weight["before"], weight["after"]
        change = f"x {after / before:.1f}" if before else "new"
        found.append(f"  {rule.removeprefix(mood + '.'):42}{before:>8.2f}{after:>8.2f}{change:>9}")
    found += [
        "",
        f"Written: {', '.join(report['written'])}."
        if report["written"]
        else "Nothing was written; --write does.",
    ]
    return found


def _row(name: str, row: dict[str, float]) -> str:
    columns = ("uncalibrated_mix_only", "cross_validated_mix_only", "uncalibrated", "cross_validated")
    return f"{name:30}" + "".join(
        f"{row[column]:>{width}.3f}" for column, width in zip(columns, (9, 11, 13, 11), strict=True)
    )


def _name(mood: str) -> str:
    return mood.replace("_", " ")
