"""Tables that somebody made elsewhere, as CSV files with a header."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from core.errors import UserError


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The lines below the header, at least one; what a short line lacks is empty, what a long one has too much is left
    out. Spreadsheets put a byte order mark first, which is no part of the first column's name.

    Raises UserError when the file cannot be read, is empty, or lacks one of `columns`.
    """
    named = columns[0] if len(columns) == 1 else f"{', '.join(columns[:-1])} and {columns[-1]}"
    named = f"the column{'s' if len(columns) > 1 else ''} {named}"
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, restkey="", restval="")
            rows = list(table)
    except (OSError, ValueError, csv.Error) as error:  # ValueError: not UTF-8, or no path at all
        raise UserError(f"{path} cannot be read ({error}): give a CSV file with {named}.") from error
    if not rows or not set(columns) <= set(rows[0]):
        raise UserError(f"{path} has no rows with {named}: add them.")
    return rows
