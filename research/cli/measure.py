"""Commands that measure: eval, bench, calibrate."""

from __future__ import annotations

import importlib
import math
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import research.bench
from bot.cli.root import print_json, settings_of
from bot.cli.shared import JSON, SEPARATOR, progress_bar, separator_of
from core.errors import UserError
from research.cli import calibration
from research.csv_rows import read_rows

if TYPE_CHECKING:
    from core.track_analysis import TrackAnalysis


@click.group("eval")
def eval_() -> None:
    """Measure how good the answers are."""


@eval_.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@SEPARATOR
@JSON
@click.pass_context
def relevance(ctx: click.Context, manifest: Path, separator: str | None, as_json: bool) -> None:
    """Scores of pure moods against listeners' labels (columns: path, and any of the nine mood names)."""
    from research.eval.relevance import relevance as evaluate

    rows = read_manifest(manifest)
    _show(evaluate(rows, _analyses(ctx, rows, separator)), as_json)


@eval_.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@SEPARATOR
@JSON
@click.pass_context
def similarity(ctx: click.Context, manifest: Path, separator: str | None, as_json: bool) -> None:
    """Whether similar tracks have the same genre, among other artists (columns: path, genre, artist)."""
    from research.eval.similar_genres import evaluate

    rows = read_manifest(manifest)
    for name in ("genre", "artist"):
        if missing := [number for number, row in enumerate(rows, 2) if not row.get(name)]:
            raise UserError(
                f"Line {missing[0]} of {manifest} has no {name}: name path, genre and artist of each track."
            )
    found = _analyses(ctx, rows, separator)
    _show(evaluate(found, [row["genre"] for row in rows], [row["artist"] for row in rows]), as_json)


@eval_.command()
@click.argument("folder", type=click.Path(path_type=Path))
@SEPARATOR
@JSON
@click.pass_context
def separation(ctx: click.Context, folder: Path, separator: str | None, as_json: bool) -> None:
    """Stems against the truth (FOLDER/<song>/{drums,bass,vocals,guitar,piano,other}.*; the mix is their sum)."""
    from research.eval.separated import evaluate

    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}: give a folder with one folder of stems for each song.")
    with progress_bar(folder.name) as advance:
        document = evaluate(folder, separator_of(settings_of(ctx), separator), advance)
    _show(document, as_json)


@eval_.command()
@JSON
@click.pass_context
def questionnaire(ctx: click.Context, as_json: bool) -> None:
    """The short form against all forty questions, with simulated listeners."""
    from research.eval.listeners import evaluate_questionnaire

    _show(evaluate_questionnaire(), as_json)


@eval_.command()
@click.argument("interactions", type=click.Path(path_type=Path))
@JSON
def taste(interactions: Path, as_json: bool) -> None:
    """What people will like, told from what they liked (columns: user, item, value, perhaps timestamp)."""
    from research.eval.taste_split import evaluate, read_interactions

    data = read_interactions(interactions)
    with progress_bar("parameters") as advance:
        document = evaluate(data, advance)
    _show(document, as_json)


@eval_.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--clips", default=240, show_default=True, help="How many clips, as many of each quadrant.")
@click.option("--font", type=click.Path(path_type=Path), help="General MIDI SoundFont to render MIDI with.")
@JSON
@click.pass_context
def quadrants(ctx: click.Context, source: Path, clips: int, font: Path | None, as_json: bool) -> None:
    """Arousal and valence of piano clips (folder or zip of Q1_song_0.mid, as EMOPIA names them) by the rules alone."""
    from research.eval import quadrants as four
    from research.training.clips import analyse_clips, find_clips

    found = find_clips(source)
    chosen = set(four.choose([clip for clip, _, _ in found], clips))
    kept = [one for one in found if one[0] in chosen]
    with progress_bar("clips") as advance:
        analyses = analyse_clips(
            kept,
            separator_of(settings_of(ctx), "none"),
            font,
            settings_of(ctx).data / "cache",
            advance,
        )
    _show(four.evaluate([clip for clip, _, _ in kept], analyses), as_json)


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Ship the weights: write core/moods/weights.toml.")
@SEPARATOR
@JSON
@click.pass_context
def calibrate(ctx: click.Context, manifest: Path, write: bool, separator: str | None, as_json: bool) -> None:
    """Fit the rules' weights to listeners' labels, directions kept (nested cross-validation by artist)."""
    from research.eval.calibrate import calibrate as fit

    rows = read_manifest(manifest)
    analyses = _analyses(ctx, rows, separator)
    with progress_bar("stems") as advance:
        report = fit(rows, analyses, write=write, advance=advance)
    if as_json:
        print_json(report)
    else:
        click.echo("\n".join(calibration.lines(report)))


BENCHES = sorted(module.name for module in pkgutil.iter_modules(research.bench.__path__))


@click.command()
@click.argument("name", type=click.Choice(BENCHES))
@JSON
def bench(name: str, as_json: bool) -> None:
    """Measure how fast a part is, beside the usual way to do it, in one run."""
    _show(importlib.import_module(f"research.bench.{name}").run(), as_json)


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """The rows of a manifest: `path` absolute, `artist` where given, mood columns as numbers.

    Raises UserError naming the line that is wrong.
    """
    from core.moods.profile import MOODS

    rows: list[dict[str, Any]] = [dict(row) for row in read_rows(path, ("path",))]
    for number, row in enumerate(rows, 2):
        audio = path.parent / row["path"]
        if not audio.is_file():
            raise UserError(
                f"Line {number} of {path} names {row['path']}, which is not there: correct its path."
            )
        row["path"] = str(audio)
        for mood in MOODS:
            if row.get(mood, ""):
                row[mood] = _label(row[mood], f"Line {number} of {path}: {mood}")
    return rows


def _label(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not math.isfinite(value):
        raise UserError(f"{where} must be a number, not {text!r}.")
    return value


def _analyses(ctx: click.Context, rows: list[dict[str, Any]], separator: str | None) -> list[TrackAnalysis]:
    """An analysis for each row, kept in the data folder so that the next run has them at once."""
    from research.cache import analyse_cached

    loaded = separator_of(settings_of(ctx), separator)
    cache = settings_of(ctx).data / "cache"
    found = []
    with progress_bar("analyses") as advance:
        for done, row in enumerate(rows):
            found.append(analyse_cached(Path(row["path"]), loaded, cache))
            advance((done + 1) / len(rows))
    return found


def _show(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    for line in _lines(document):
        click.echo(line)


def _lines(value: Any, indent: int = 0) -> list[str]:
    """A nested document as indented 'name: value' lines, numbers to three digits."""
    lines = []
    for key, inner in value.items():
        if isinstance(inner, dict):
            lines += [f"{' ' * indent}{key}:", *_lines(inner, indent + 2)]
        else:
            shown = f"{inner:.3g}" if isinstance(inner, float) else inner
            lines.append(f"{' ' * indent}{key}: {shown}")
    return lines
