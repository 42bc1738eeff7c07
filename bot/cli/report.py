"""`moodstem report`: the library as a picture, and what other packages report."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from bot.cli.journey import write_picture
from bot.cli.root import ExtensibleGroup, print_json, settings_of
from bot.cli.shared import JSON, SERVER, how_many, moods_option, the_catalog
from bot.words.library_map import axis_text, map_in_words
from bot.words.pictures import map_words
from core.moods.profile import Profile
from core.pictures.library_map import map_picture
from core.recommend.music_map import drawn, music_map
from core.recommend.rules import recommend


@click.group(cls=ExtensibleGroup, extensions="moodstem.reports")
def report() -> None:
    """Look at a whole library."""


@report.command(name="map")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The PNG file to write."
)
@moods_option("--mood", "moods", words="Mark the tracks that fit best.")
@how_many(5, 1, 10, "How many are marked with --mood.")
@SERVER
@JSON
@click.pass_context
def map_(
    ctx: click.Context, out: Path, moods: dict[str, float], count: int, server: int | None, as_json: bool
) -> None:
    """The library as a map: what sounds alike lies near, moods are directions."""
    catalog = asyncio.run(the_catalog(settings_of(ctx), server))
    found = music_map(catalog)
    picked = [one.track.id for one in recommend(catalog, Profile(moods), None, count)] if moods else []
    told = map_in_words(drawn(catalog, picked))
    write_picture(out, map_picture(told, map_words(len(told["points"]), len(catalog))))
    if as_json:
        print_json(
            {
                "picture": str(out),
                "explained": list(found.explained),
                "axes": [list(axis_text(axis)) for axis in found.axes],
                "moods": {
                    one.mood: {"x": one.x, "y": one.y, "strength": one.strength} for one in found.directions
                },
                "tracks": [
                    {"id": track.id, "title": track.title, "x": float(x), "y": float(y), "mood": mood}
                    for track, (x, y), mood in zip(catalog.tracks, found.points, found.moods, strict=True)
                ],
                "marked": picked,
            }
        )
        return
    shares = " and ".join(f"{share:.0%}" for share in found.explained)
    click.echo(f"{out}: {len(catalog)} tracks; the axes hold {shares} of what tells their sounds apart")
    for one in sorted(found.directions, key=lambda one: -one.strength):
        click.echo(f"  {one.mood}: ({one.x:+.2f}, {one.y:+.2f}), holds to {one.strength:.2f}")
