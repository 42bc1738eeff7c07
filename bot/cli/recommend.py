"""`moodstem recommend`: tracks for a mood and an occasion."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

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
from bot.words.changes import change_text, change_title
from bot.words.moods import aim_sentence, steers_text
from bot.words.reasons import reason_json
from bot.words.say import say
from core.errors import UserError, fact
from core.moods.aim import aimed
from core.moods.profile import MOODS, Profile
from core.recommend.rules import recommend as choose
from core.recommend.steer import change, checked
from core.recommend.table import occasions


def _steers(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    try:
        return checked(values)
    except UserError as error:
        raise click.BadParameter(say(error)) from None


@click.command()
@moods_option("--mood", "moods", words="A mood and its weight.")
@click.option(
    "--occasion",
    metavar="NAME",
    type=click.Choice(occasions()),
    help="relaxation, workout, study, celebration ...",
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
@how_many(10, 1, 1000)
@ALL_REASONS
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
                        **track_json(one.track),
                        "score": one.score,
                        "reasons": [reason_json(reason) for reason in one.reasons],
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
        single = steers[0] if len(set(steers)) == 1 else None
        changed = change(
            catalog, before, after, fact("plain", sentence=steers_text(steers).capitalize()), single
        )
        click.echo(f"{change_title(changed)}: {change_text(changed)}")
    for place, one in enumerate(found, 1):
        echo_track(place, one.track, f"{one.score:+.3f}", one.reasons, None if all_reasons else 3)
