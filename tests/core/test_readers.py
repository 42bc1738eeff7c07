"""Files that others write: whatever stands in them, they are read, or refused in one sentence that says what to do."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.errors import UserError
from core.moods.profile import MOODS
from core.settings import Settings, load_settings
from jobs.engines.registry import job_settings
from research.cli.measure import read_manifest
from research.csv_rows import read_rows
from research.eval.taste_split import read_interactions
from tests.refusals import refusal

many = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # one file, written anew each time
cells = st.text(max_size=12) | st.floats().map(str) | st.integers().map(str) | st.just("")


def tables(*columns: str) -> st.SearchStrategy[bytes]:
    """Almost a CSV file: headers of these columns in any order, lines that are too short or too long, or any bytes."""
    header = st.permutations(columns).map(",".join)
    lines = st.lists(st.lists(cells, max_size=len(columns) + 1).map(",".join), max_size=5)
    made = st.builds(lambda head, rest: "\n".join([head, *rest]).encode("utf-8", "replace"), header, lines)
    return made | st.binary(max_size=200)


def sentence(refused: UserError) -> None:
    said = str(refused)
    assert said.endswith(".") and ": " in said and "Traceback" not in said


@many
@given(data=tables("user", "item", "value", "timestamp"))
@example(data=b"value,user,item\n1\n2,a,b\n")
@example(data=b"\xef\xbb\xbfuser,item,value\na,b,1\n")
def test_interactions(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "interactions.csv"
    file.write_bytes(data)
    try:
        found = read_interactions(file)
    except UserError as refused:
        return sentence(refused)
    assert len(found.user) == len(found.item) == len(found.value) >= 1
    assert np.isfinite(found.value).all() and (found.time is None or np.isfinite(found.time).all())
    assert found.user.max() < len(found.users) and found.item.max() < len(found.items)
    return None


@many
@given(data=tables("path", "artist", "power", "sadness"))
@example(data=b"\xef\xbb\xbfpath,power\nsong.ogg,1\n")
@example(data=b"path,power\nsong.ogg,nan\n")
@example(data=b"path,power\nsong.ogg\n")
@example(data=b"path,power\nsong.ogg,1,2,3\n")
def test_manifests(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "song.ogg").touch()
    file = tmp_path / "manifest.csv"
    file.write_bytes(data)
    try:
        rows = read_manifest(file)
    except UserError as refused:
        return sentence(refused)
    for row in rows:
        assert Path(row["path"]).is_file()
        assert all(math.isfinite(row[mood]) for mood in MOODS if row.get(mood, "") != "")
    return None


def test_a_table_from_a_spreadsheet_and_lines_of_any_length(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b'\xef\xbb\xbfuser,item\n"a",b,c,d\na\n')
    assert [(row["user"], row["item"]) for row in read_rows(file, ("user", "item"))] == [
        ("a", "b"),
        ("a", ""),
    ]
    for columns, named in ((("path",), "the column path"), (("a", "b", "c"), "the columns a, b and c")):
        with refusal(named):
            read_rows(file, columns)
        with refusal(f"cannot be read .*{named}"):
            read_rows(tmp_path / "none.csv", columns)


NAMES = [f"{area}.{field}" for area, model in Settings.model_fields.items()
         for field in getattr(job_settings() if area == "jobs" else model.annotation, "model_fields", {})]  # fmt: skip
values = (
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
    | st.text(st.characters(codec="ascii", exclude_characters="\"\\\x7f", min_codepoint=32), max_size=12)
)  # fmt: skip


def toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def loaded(check: Callable[[Settings], None], environment: dict[str, str]) -> None:
    with mock.patch.dict(os.environ, environment):
        try:
            found = load_settings(jobs=job_settings())
        except UserError as refused:
            assert str(refused).endswith(".") and "correct" in str(refused)
        else:
            check(found)


def within_bounds(found: Settings) -> None:
    assert 0 < found.limits.upload_mb <= 500 and 0 < found.limits.duration_min <= 240
    assert (
        found.limits.queued_per_user >= 1 and found.retention.jobs_days >= found.retention.uploads_days >= 1
    )
    assert found.jobs.workers >= 0 and 0 < found.retention.disk_gb < math.inf


@many
@given(entries=st.dictionaries(st.sampled_from([*NAMES, "limits.nothing", "data"]), values, max_size=4),
       extra=st.text(max_size=10) | st.just(""))  # fmt: skip
def test_any_config_file_is_taken_or_refused(tmp_path: Path, entries: dict[str, Any], extra: str) -> None:
    file = tmp_path / "config.toml"
    text = "\n".join(f"{name} = {toml(value)}" for name, value in entries.items())
    file.write_text(f"{text}\n{extra}", encoding="utf-8", errors="replace")
    loaded(within_bounds, {"MOODSTEM_CONFIG": str(file)})


@many
@example(name="retention.disk_gb", value="inf")
@given(
    name=st.sampled_from(NAMES),
    value=values.map(str) | st.sampled_from(["[]", "{}", "[1", '["a"]', "null", "inf", "nan"]),
)
def test_any_environment_is_taken_or_refused(tmp_path: Path, name: str, value: str) -> None:
    variable = "MOODSTEM_" + name.upper().replace(".", "__")
    loaded(within_bounds, {"MOODSTEM_CONFIG": str(tmp_path / "none.toml"), variable: value})
