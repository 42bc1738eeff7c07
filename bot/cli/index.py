"""`moodstem index`: add or refresh a folder of music."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from bot.cli.root import print_json, settings_of
from bot.cli.shared import JSON, progress_bar
from bot.words.say import say
from core.library.schema import open_database
from core.library.scope import restrict_folders
from core.settings import Settings
from jobs.engines.registry import make_engine
from jobs.kinds.index import FolderIndex
from jobs.kinds.renew import add_missing_latents


@click.command()
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
    engine = make_engine(settings)
    async with await open_database(settings.database) as database:
        await restrict_folders(database, settings.library.folders, settings.library.servers)
        try:
            with progress_bar(folder.name) as advance:
                report = await FolderIndex(
                    folder,
                    database,
                    engine,
                    lambda now: advance(now.done / max(now.total, 1)),
                    allow_empty=allow_empty,
                ).run()
            with progress_bar("latent vectors") as advance:  # of what was analysed before there was a model
                await add_missing_latents(
                    database,
                    engine,
                    settings.data,
                    progress=lambda done, total: advance(done / max(total, 1)),
                )
        finally:
            await engine.stop()
    return {**report.to_json(), "failed": [(path, say(why)) for path, why in report.failed]}
