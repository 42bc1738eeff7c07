"""Commands that train: train unet, train genre."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bot.cli.root import print_json, settings_of
from bot.cli.shared import JSON, progress_bar, separator_of


@click.group()
def train() -> None:
    """Train what ships with Moodstem."""


@train.command()
@click.option(
    "--preset", type=click.Choice(["moodstem", "deepmelody"]), default="moodstem", show_default=True
)
@click.option("--stems", required=True, type=click.Path(path_type=Path), help="Folder of rendered stems.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Checkpoints, curves and weights go here."
)
@click.option(
    "--validation", type=click.Path(path_type=Path), help="Folder of stems that are never trained on."
)
@click.option("--start", type=click.Path(path_type=Path), help="Weights to begin from.")
@click.option("--steps", default=20_000, show_default=True)
@click.option("--minutes", default=600.0, show_default=True, help="Ends after that many, over all runs.")
@click.option("--rate", default=1.5e-3, show_default=True, help="Learning rate after the warm-up.")
@click.option("--batch", default=8, show_default=True)
@click.option("--threads", default=1, show_default=True, help="Threads of the network on a CPU.")
@click.option("--workers", default=1, show_default=True, help="Processes that make examples.")
@click.option("--device", help="PyTorch's name; the GPU where there is one.")
@click.option("--seed", default=0, show_default=True)
def unet(preset: str, stems: Path, out: Path, **options: Any) -> None:
    """Train the bundled separator (resumes where it stopped)."""
    from research.training.train_unet import train as fit

    with progress_bar(preset) as advance:
        fit(preset, stems, out, progress=advance, **options)


@train.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Report, pictures and weights go here."
)
@click.option(
    "--network",
    "networks",
    type=click.Choice(["texture", "cnn", "crnn", "cnn1d"]),
    multiple=True,
    default=("texture",),
    show_default=True,
    help="Repeatable; the first that hears sound gives the weights.",
)
@click.option(
    "--size", type=click.Choice(["small", "medium", "large", "full"]), help="Which of FMA's sets SOURCE is."
)
@click.option(
    "--metadata", type=click.Path(path_type=Path), help="FMA's tracks.csv, where it is not beside SOURCE."
)
@click.option("--seconds", default=30.0, show_default=True, help="How much of each track's middle is heard.")
@click.option(
    "--folds", "fold_count", default=0, help="Cross-validate by artist with so many parts (for small sets)."
)
@click.option("--repeats", default=1, show_default=True, help="So many times, each split anew.")
@click.option(
    "--baselines/--no-baselines", default=True, show_default=True, help="Classifiers on statistics, too."
)
@click.option(
    "--stems/--no-stems",
    default=False,
    show_default=True,
    help="Separate each track, too (kept in the data folder), and learn from what each instrument does.",
)
@click.option("--epochs", type=click.IntRange(1), help="At most so many (each network has its own number).")
@click.option("--rate", type=float, help="Learning rate (likewise).")
@click.option("--patience", type=click.IntRange(1), help="Epochs without progress that end it (likewise).")
@click.option(
    "--refit/--no-refit",
    default=None,
    help="Learn anew from training and validation part, for as many epochs as were best (small sets).",
)
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Where spectrograms are kept; OUT/heard when not said."
)
@click.option("--threads", default=1, show_default=True, help="CPU threads.")
@click.option("--seed", default=0, show_default=True)
@JSON
@click.pass_context
def genre(
    ctx: click.Context,
    /,
    source: Path,
    as_json: bool,
    epochs: int | None,
    rate: float | None,
    patience: int | None,
    refit: bool | None,
    stems: bool,
    **options: Any,
) -> None:
    """Train genre networks (FMA's folder, a folder of tagged music, or a CSV of path,artist,genre); resumes.

    Any artist is in one part only. Writes report.json, table.md, pictures and genre.safetensors, which `[jobs]
    genre_model` in config.toml then names.
    """
    from functools import partial

    from research.cache import analyse_cached
    from research.training.train_genre import table
    from research.training.train_genre import train as fit

    if 1 <= options["fold_count"] < 3:
        raise click.UsageError(
            "--folds needs at least 3: one for the test, one to stop by, one to learn from."
        )
    wished = {"epochs": epochs, "rate": rate, "patience": patience, "refit": refit}
    changes = {name: value for name, value in wished.items() if value is not None}
    separated = None
    if stems:
        separator, cache = separator_of(settings_of(ctx), None), settings_of(ctx).data / "cache"
        separated = partial(analyse_cached, separator=separator, folder=cache)
    with progress_bar(source.name) as advance:
        report = fit(source, changes=changes, separated=separated, progress=advance, **options)
    if as_json:
        print_json(report)
    else:
        click.echo(table(report))
