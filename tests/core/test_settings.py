"""Settings: whatever is wrong with them is one sentence that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UserError
from core.settings import load_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused() -> str:
    with pytest.raises(UserError) as told:
        load_settings()
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MOODSTEM_LIBRARY__FOLDERS", "/srv/music", '["/srv/music"]'),
        ("MOODSTEM_LIBRARY__FOLDERS", '"/srv/music"', '["/srv/music"]'),
        ("MOODSTEM_LIBRARY__SERVERS", "[1]", "MOODSTEM_LIBRARY__SERVERS"),
        ("MOODSTEM_LIMIT__UPLOAD_MB", "20", "MOODSTEM_LIMITS__UPLOAD_MB would"),
        ("MOODSTEM_LIMITS_UPLOAD_MB", "20", "MOODSTEM_LIMITS__UPLOAD_MB would"),
        ("MOODSTEM_FOO", "1", "MOODSTEM_FOO sets nothing"),
        ("MOODSTEM_LIMITS__UPLOAD_MB", "many", "limits.upload_mb"),
        ("MOODSTEM_CONFIG", "/nowhere/config.toml", "/nowhere/config.toml, which is not there"),
    ],
)
def test_a_variable_that_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert said in refused()


def test_lists_in_variables_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODSTEM_LIBRARY__FOLDERS", '["/srv/music"]')
    assert load_settings().library.folders == [Path("/srv/music")]


def test_every_mistake_of_a_file_is_named_at_once(elsewhere: Path) -> None:
    (elsewhere / "config.toml").write_text(
        '[limits]\nupload_mb = "many"\nuplod_mb = 3\n[discord]\ntoken = "x"\n'
    )
    said = refused()
    assert all(
        name in said for name in ("limits.upload_mb", "limits.uplod_mb", "discord.token", "moodstem setup")
    )


def test_a_byte_order_mark_is_read_over(elsewhere: Path) -> None:
    (elsewhere / "config.toml").write_bytes(b"\xef\xbb\xbf[limits]\nupload_mb = 7\n")
    assert load_settings().limits.upload_mb == 7
