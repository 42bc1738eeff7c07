"""journey: from one mood to another, step by step."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from bot.cli.root import print_json, settings_of
from bot.cli.shared import (
    ALL_REASONS,
    JSON,
    SERVER,
    echo_track,
    how_many,
    moods_option,
    the_catalog,
    track_json,
)
from bot.words.moods import moods_text
from bot.words.pictures import journey_words
from bot.words.reasons import reason_json
from core.errors import UserError
from core.moods.profile import Profile
from core.pictures.journey import journey_picture
from core.recommend.journey import drawn, moods_at_ends
from core.recommend.journey import journey as find


@click.command()
@moods_option("--from", "start", words="A mood that is felt now, and its weight.", required=True)
@moods_option("--to", "goal", words="A mood to arrive at.", required=True)
@how_many(8, 3, 40)
@click.option("--minutes", type=click.FloatRange(1, 600), help="How long, in place of how many.")
@click.option(
    "--picture", type=click.Path(path_type=Path, dir_okay=False), help="Draw the way into this PNG file."
)
@SERVER
@ALL_REASONS
@JSON
@click.pass_context
def journey(
    ctx: click.Context,
    start: dict[str, float],
    goal: dict[str, float],
    count: int,
    minutes: float | None,
    picture: Path | None,
    server: int | None,
    all_reasons: bool,
    as_json: bool,
) -> None:
    """Music that begins with one mood and leads to another, step by step."""
    catalog = asyncio.run(the_catalog(settings_of(ctx), server))
    found = find(catalog, Profile(start), Profile(goal), count, minutes=minutes, all_reasons=all_reasons)
    if picture is not None:
        start_text, goal_text = map(moods_text, moods_at_ends(found.start, found.goal))
        told = {**drawn(catalog, found), "ends": [start_text, goal_text]}
        write_picture(picture, journey_picture(told, journey_words(start_text, goal_text)))
    if as_json:
        print_json(
            {
                "from": start,
                "to": goal,
                "minutes": found.seconds / 60,
                "tracks": [
                    {
                        **track_json(step.recommendation.track),
                        "score": step.recommendation.score,
                        "asked": step.asked,
                        "at": step.at,
                        "aim": step.aim,
                        "reasons": [reason_json(reason) for reason in step.recommendation.reasons],
                        "against": [reason_json(reason) for reason in step.recommendation.against],
                    }
                    for step in found.steps
                ],
            }
        )
        return
    for place, step in enumerate(found.steps, 1):
        one = step.recommendation
        score = f"{step.at:.0%} of the way, {step.asked:.0%} asked; {one.score:+.3f}"
        echo_track(place, one.track, score, one.reasons, None if all_reasons else 2)
    click.echo(
        f"{len(found.steps)} tracks, {found.seconds / 60:.0f} minutes" + (f"; {picture}" if picture else "")
    )


def write_picture(path: Path, content: bytes) -> None:
    """Raises UserError where the file cannot be written."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}): choose another file.") from error
