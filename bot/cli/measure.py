"""Commands that measure and train: eval, bench, calibrate, train."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli import main, print_json, settings_of
from bot.cli.library import SEPARATORS, progress_bar
from core.errors import UserError

if TYPE_CHECKING:
    from core.analysis import TrackAnalysis
    from core.separation.base import Separator

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
SEPARATOR = click.option("--separator", type=click.Choice(SEPARATORS), help="Which separator.")
