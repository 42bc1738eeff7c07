"""Commands about music: analyze, index, recommend."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.root import main, print_json, settings_of
from bot.cli.shared import JSON, SERVER, SeparatorName, mood_weights, progress_bar, separator_of, the_catalog
from core.errors import UserError

if TYPE_CHECKING:
    from core.settings import Settings


@main.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--separator",
    type=SeparatorName(),
    help="auto, htdemucs_6s, unet or none (from the settings when not said).",
)
@JSON
@click.pass_context
def analyze(ctx: click.Context, files: Sequence[Path], separator: str | None, as_json: bool) -> None:
    """Measure tracks: tempo, key, contrast, instruments and descriptors."""
    from core.analysis import analyse

    settings = settings_of(ctx)
    loaded = separator_of(settings, separator)
    rows: list[dict[str, Any]] = []
    for path in files:
        with progress_bar(path.name) as advance:
            try:
                analysis = analyse(path, loaded, advance, settings.decode_limits)
            except UserError as error:
                rows.append({"path": str(path), "error": " ".join(str(error).split())})
                continue
        rows.append({"path": str(path), **analysis.to_json()})
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
    from core.separation.base import HEARD

    tempo = f"{row['tempo_bpm']:.0f} BPM" if row["tempo_bpm"] else "no tempo"
    key = f"{row['key']} {row['mode']}" if row["key"] else "no key"
    stems = ", ".join(
        f"{stem} {facts['activity']:.0%}"
        for stem, facts in row["instruments"].items()
        if facts["activity"] >= HEARD
    )
    return f"{name}: {row['duration_s']:.0f} s, {tempo}, {key}; sounding: {stems or 'nothing'}"


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--allow-empty", is_flag=True, help="Forget the music of a folder that is empty now.")
@JSON
@click.pass_context
def index(ctx: click.Context, folder: Path, allow_empty: bool, as_json: bool) -> None:
    """Add or refresh a folder of music."""
    report = asyncio.run(_index(settings_of(ctx), folder, allow_empty))
    if as_json:
        print_json(report)
        return
    names = ("added", "updated", "renewed", "moved", "removed", "duplicates", "unchanged", "failures")
    counts = ", ".join(f"{report[name]} {name}" for name in names if report[name])
    click.echo(f"{folder}: {counts or 'no audio files'}")
    for path, sentence in report["failed"]:
        click.echo(f"  {path}: {sentence}")


async def _index(settings: Settings, folder: Path, allow_empty: bool) -> dict[str, Any]:
    from core.library.shelf import keep_folders_to
    from core.library.store import Database
    from jobs.configure import engine as configured_engine
    from jobs.kinds.index import index_folder
    from jobs.kinds.renew import hear_missing

    engine = configured_engine(settings)
    async with await Database.open(settings.database) as database:
        await keep_folders_to(database, settings.library.folders, settings.library.servers)
        try:
            with progress_bar(folder.name) as advance:
                report = await index_folder(
                    folder,
                    database,
                    engine,
                    lambda now: advance(now.done / max(now.total, 1)),
                    allow_empty=allow_empty,
                )
            with progress_bar("latent vectors") as advance:  # of what was analysed before there was a model
                await hear_missing(
                    database,
                    engine,
                    settings.data,
                    progress=lambda done, total: advance(done / max(total, 1)),
                )
        finally:
            await engine.stop()
    return report.to_json()


def _occasion(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    from core.recommend.rules import occasions

    if value is not None and value not in occasions():
        raise click.BadParameter(f"{value!r} is not one of {', '.join(occasions())}")
    return value


def _steers(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    from core.recommend.steer import checked

    try:
        return checked(values)
    except UserError as error:
        raise click.BadParameter(str(error)) from None


@main.command()
@click.option(
    "--mood",
    "moods",
    metavar="NAME=0..1",
    multiple=True,
    callback=mood_weights,
    help="A mood and its weight.",
)
@click.option(
    "--occasion", metavar="NAME", callback=_occasion, help="relaxation, workout, study, celebration ..."
)
@click.option(
    "--aim",
    type=click.Choice(["match", "lift", "settle"]),
    default="match",
    show_default=True,
    help="Match the mood, or move it.",
)
@click.option(
    "--steer",
    "steers",
    metavar="NAME",
    multiple=True,
    callback=_steers,
    help="calmer, happier, slower, less_vocals, more_guitar, surprise ...; several add up.",
)
@click.option(
    "--seed", default=1, show_default=True, help="For --steer surprise: the same seed, the same surprise."
)
@click.option(
    "-n", "count", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many tracks."
)
@click.option("--all-reasons", is_flag=True, help="Every term of the score, not only the strongest.")
@SERVER
@JSON
@click.pass_context
def recommend(
    ctx: click.Context,
    moods: dict[str, float],
    occasion: str | None,
    aim: str,
    steers: tuple[str, ...],
    seed: int,
    count: int,
    all_reasons: bool,
    server: int | None,
    as_json: bool,
) -> None:
    """Tracks that fit a mood, with their reasons."""
    from core.moods.aim import aim_sentence, aimed
    from core.moods.profile import MOODS, Profile
    from core.recommend.rules import recommend as choose
    from core.recommend.steer import change, listed

    if not moods and occasion is None and not steers:
        raise click.UsageError("Say at least one --mood or an --occasion.")
    if aim != "match" and not any(moods.values()):
        raise click.UsageError(f"--aim {aim} needs a --mood to start from.")
    catalog = asyncio.run(the_catalog(settings_of(ctx), server))
    target = aimed(Profile(moods), aim)
    found = choose(catalog, target, occasion, count, steers=steers, seed=seed, all_reasons=all_reasons)
    if as_json:
        print_json(
            {
                "profile": {mood: moods.get(mood, 0.0) for mood in MOODS},
                "occasion": occasion,
                **({"aim": aim, "target": target.moods} if aim != "match" else {}),
                **({"steers": list(steers)} if steers else {}),
                "tracks": [
                    {
                        "id": one.track.id,
                        "title": one.track.title,
                        "artist": one.track.artist,
                        "score": one.score,
                        "reasons": [asdict(reason) for reason in one.reasons],
                    }
                    for one in found
                ],
            }
        )
        return
    if aim != "match":
        click.echo(aim_sentence(Profile(moods), aim))
    if steers:
        before, after = (
            [one.track.id for one in tracks] for tracks in (choose(catalog, target, occasion, count), found)
        )
        title = listed(steers).capitalize()
        click.echo(change(catalog, before, after, title, steers[0] if len(set(steers)) == 1 else None))
    for place, one in enumerate(found, 1):
        artist = f" · {one.track.artist}" if one.track.artist else ""
        click.echo(f"{place:2}. {one.track.title}{artist}  ({one.score:+.3f})")
        for reason in sorted(one.reasons, key=lambda reason: -reason.contribution)[
            : None if all_reasons else 3
        ]:
            click.echo(f"      {reason.contribution:+.3f}  {reason.text}")
