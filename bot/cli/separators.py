"""The option --separator, and the separator that it names."""

from __future__ import annotations

import click

from core.separation.base import Separator
from core.separation.registry import load_separator, names
from core.settings import Settings


class SeparatorName(click.ParamType[str]):
    """The name of a separator of this package or of an installed one; looked up only when the option is used."""

    name = "NAME"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in names():
            self.fail(f"{value!r} is not one of {', '.join(names())}.", param, ctx)
        return value


def separator_of(settings: Settings, name: str | None = None) -> Separator:
    """Load the separator of this name, or of the settings, with their weights and threads (see `load_separator`)."""
    jobs = settings.jobs
    return load_separator(
        name or jobs.separator,
        weights_dir=jobs.weights,
        threads=jobs.threads,
        htdemucs=settings.htdemucs.model_dump(),
    )
