"""The page of `moodstem report descriptors --html`: one file that needs nothing else, for light and dark screens."""

from __future__ import annotations

import base64
import json
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.words.glossary import label, meaning
from bot.words.i18n import percent
from research.eval.descriptors import SOURCES

NAMES = {
    "mix": "whole track",
    "drums": "drums",
    "bass": "bass",
    "vocals": "voice",
    "guitar": "guitar",
    "piano": "piano",
    "other": "other instruments",
}
LOW, HIGH = (47, 111, 178), (201, 94, 22)
"""Blue for what goes against each other, orange for what goes together; told apart by most colour-blind readers."""

SHOWN_LOADINGS, SHOWN_DESCRIPTORS, SHOWN_OUTLIERS, NAMED_DOTS = 8, 30, 20, 14


def page(report: dict[str, Any]) -> str:
    """HTML of a document of research.eval.descriptors.describe_library."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "number": number, "valued": valued}
    template = environment.from_string(files("research.cli").joinpath("report.html.j2").read_text("utf-8"))
    return template.render(
        report=report,
        words=words,
        meaning=meaning,
        sources=[(source, NAMES[source], report["missing"]["sources"][source]) for source in SOURCES],
        components=[_component(one) for one in report["pca"]["components"]],
        scree=_scree(report["pca"]),
        dots=_dots(report["pca"]["places"]),
        important=_important(report["importance"]),
        outliers=report["outliers"]["tracks"][:SHOWN_OUTLIERS],
        left_out=_left_out(report["missing"]["left_out"]),
        matrix=_matrix(report["correlations"]),
    )


def words(feature: str) -> str:
    """'brightness · drums'."""
    return f"{label(feature)} · {NAMES[feature.partition('.')[0]]}"


def number(value: float) -> str:
    """Three digits, no exponent, a real minus sign."""
    size = abs(value)
    text = (
        f"{value:,.0f}"
        if size >= 100
        else f"{value:.1f}"
        if size >= 10
        else f"{value:.2g}"
        if size < 0.1
        else f"{value:.2f}"
    )
    return text.replace("-", "\u2212")


def valued(value: float, unit: str) -> str:
    """A value with its unit: '−22.3 dB', '35%', '0.81'."""
    if unit == "share":
        return percent(value)
    return number(value) + (f" {unit}" if unit not in ("0..1", "-1..1", "full scale", "") else "")


def _component(one: dict[str, Any]) -> dict[str, Any]:
    strongest = list(one["loadings"].items())[:SHOWN_LOADINGS]
    return {**one, "strongest": [(words(name), value) for name, value in strongest]}


def _scree(pca: dict[str, Any]) -> dict[str, Any]:
    """Bars of the first components and the line of chance, in a picture of 100 x 40."""
    explained, chance = pca["explained"][:12], pca["chance"][:12]
    top = max(*explained, *chance) * 1.08
    step = 100 / len(explained)
    return {
        "bars": [
            {
                "x": k * step + 0.15 * step,
                "width": 0.7 * step,
                "height": 40 * share / top,
                "share": share,
                "number": k + 1,
                "kept": k < pca["kept"],
                "middle": (k + 0.5) * step,
            }
            for k, share in enumerate(explained)
        ],
        "chance": " ".join(f"{(k + 0.5) * step:.2f},{40 - 40 * c / top:.2f}" for k, c in enumerate(chance)),
    }


def _dots(places: list[dict[str, Any]]) -> dict[str, Any]:
    """Tracks on the first two components, in a picture of 100 x 70; those far out are named where there is room."""
    points = np.array([[place["x"], place["y"]] for place in places])
    low, high = points.min(axis=0), points.max(axis=0)
    spread = np.maximum(high - low, 1e-9)
    spots = 5 + (points - low) / spread * [90, 60]
    spots[:, 1] = 70 - spots[:, 1]
    names: dict[int, tuple[str, bool]] = {}
    boxes: list[tuple[float, float, float]] = []
    for i in np.argsort(-np.linalg.norm(points - points.mean(axis=0), axis=1)):
        name = shortened(places[i]["title"], 24)
        x, y = spots[i]
        for left in (x > 60, x <= 60):
            start = x - 2 - 1.55 * len(name) if left else x + 1
            box = (start, start + 1.55 * len(name) + 1, y)
            if len(names) < NAMED_DOTS and start > -3 and box[1] < 103 and _is_free(box, boxes, spots):
                names[int(i)] = name, bool(left)
                boxes.append(box)
                break
    across, down = 5 + (0 - low) / spread * [90, 60]
    return {
        "points": [
            {"x": float(x), "y": float(y), "title": place["title"], "name": names.get(i, ("", False))[0],
             "left": names.get(i, ("", False))[1]}
            for i, (place, (x, y)) in enumerate(zip(places, spots, strict=True))
        ],
        "across": float(across),
        "down": float(70 - down),
    }  # fmt: skip


def _is_free(
    box: tuple[float, float, float], others: list[tuple[float, float, float]], spots: NDArray[np.float64]
) -> bool:
    """Is there neither a name nor another dot where this name would stand?"""
    low, high, y = box
    if any(abs(y - other[2]) < 3.2 and low < other[1] and other[0] < high for other in others):
        return False
    return not ((np.abs(spots[:, 1] - y) < 2) & (spots[:, 0] > low) & (spots[:, 0] < high)).any()


def shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _important(importance: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each descriptor, one cell for each source: the share that the main directions explain."""
    rows: dict[str, dict[str, float]] = {}
    for one in importance:
        source, _, name = one["descriptor"].partition(".")
        rows.setdefault(name, {})[source] = one["explained"]
    ordered = sorted(rows.items(), key=lambda row: -sum(row[1].values()) / len(row[1]))
    return [
        {"name": label(name), "meaning": meaning(name), "cells": [cells.get(source) for source in SOURCES]}
        for name, cells in ordered[:SHOWN_DESCRIPTORS]
    ]


def _left_out(reasons: dict[str, str]) -> list[tuple[str, str]]:
    """[('voice: loudness, attack', reason)], one line for each source and reason."""
    lines: dict[tuple[str, str], list[str]] = {}
    for name, reason in reasons.items():
        lines.setdefault((NAMES[name.partition(".")[0]], reason), []).append(label(name))
    return [
        (f"{source}: {', '.join(own[:6])}{f' and {len(own) - 6} more' if len(own) > 6 else ''}", reason)
        for (source, reason), own in lines.items()
    ]


def _matrix(correlations: dict[str, Any]) -> dict[str, Any]:
    """The whole matrix as a picture of one point for each pair, transparent where nothing is tied, and its numbers."""
    import cv2

    names = correlations["names"]
    r = np.array([[np.nan if value is None else value for value in row] for row in correlations["matrix"]])
    strength = np.nan_to_num(np.abs(r))
    picture = np.zeros((*r.shape, 4), np.uint8)
    picture[..., :3] = np.where((np.nan_to_num(r) >= 0)[..., None], HIGH[::-1], LOW[::-1])
    picture[..., 3] = np.round(255 * strength)
    _, png = cv2.imencode(".png", picture)
    hundredths = np.where(np.isnan(r), -128, np.round(100 * np.nan_to_num(r))).astype(np.int8)
    groups, start = [], 0
    for source in SOURCES:
        size = sum(name.startswith(f"{source}.") for name in names)
        if size:
            groups.append({"name": NAMES[source], "start": start, "size": size})
        start += size
    return {
        "png": base64.b64encode(png.tobytes()).decode(),
        "size": len(names),
        "groups": groups,
        "data": json.dumps(
            {
                "names": [words(name) for name in names],
                "r": base64.b64encode(hundredths.tobytes()).decode(),
            },
            ensure_ascii=True,
        ).replace("<", "\\u003c"),
    }
