"""`moodstem analyze`: measure audio files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bot.cli.root import print_json, settings_of
from bot.cli.shared import JSON, SEPARATOR, progress_bar, separator_of
from bot.words.say import say
from core.analysis import analyse
from core.errors import UserError
from core.separation.base import HEARD


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@SEPARATOR
@JSON
@click.pass_context
def analyze(ctx: click.Context, files: Sequence[Path], separator: str | None, as_json: bool) -> None:
    """Measure tracks: tempo, key, contrast, instruments and descriptors."""
    settings = settings_of(ctx)
    loaded = separator_of(settings, separator)
    rows: list[dict[str, Any]] = []
    for path in files:
        with progress_bar(path.name) as advance:
            try:
                analysis = analyse(
                    path, loaded, advance, settings.decode_limits, genre_model=settings.jobs.genre_model
                )
            except UserError as error:
                rows.append({"path": str(path), "error": " ".join(say(error).split())})
                continue
        notes = [say(note) for note in analysis.notes]
        rows.append({"path": str(path), **analysis.to_json(), "notes": notes})
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            click.echo(_analysis_line(row))
    if any("error" in row for row in rows):
        ctx.exit(1)


def _analysis_line(row: dict[str, Any]) -> str:
    name = Path(row["path"]).name
    if "error" in row:
        return f"{name}: {row['error']}"
    tempo = f"{row['tempo_bpm']:.0f} BPM" if row["tempo_bpm"] else "no tempo"
    key = f"{row['key']} {row['mode']}" if row["key"] else "no key"
    stems = ", ".join(
        f"{stem} {facts['activity']:.0%}"
        for stem, facts in row["instruments"].items()
        if facts["activity"] >= HEARD
    )
    return f"{name}: {row['duration_s']:.0f} s, {tempo}, {key}; sounding: {stems or 'nothing'}"
