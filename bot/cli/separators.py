"""The option --separator, and the separator that it names."""

from __future__ import annotations

import click

from core.separation import SEPARATORS, known, load_separator
from core.separation.base import Separator
from core.settings import Settings


class SeparatorName(click.ParamType[str]):
    """One of the fixed names, or what an installed package brings; asked for only when the option is used."""

    name = "NAME"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not known(value):
            self.fail(f"{value!r} is not one of {', '.join(SEPARATORS)}.", param, ctx)
        return value


def separator_of(settings: Settings, name: str | None = None) -> Separator:
    """The separator of this name, or of the settings, loaded with their weights and threads (see `load_separator`)."""
    jobs = settings.jobs
    return load_separator(
        name or jobs.separator,
        weights_dir=jobs.weights,
        threads=jobs.threads,
        htdemucs=settings.htdemucs.model_dump(exclude={"compiled"}),  # a command does not wait for that
    )
