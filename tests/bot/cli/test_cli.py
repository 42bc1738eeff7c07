"""The command line as others call it: exit codes, one clear line, JSON on standard output."""

from __future__ import annotations

import json
import os
import pkgutil
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from bot.cli.root import COMMANDS
from core.library.samples import manifest
from tests.machine import CONFINED, needs_refusals

MOODSTEM = Path(sys.executable).with_name("moodstem")


@pytest.fixture
def cli(tmp_path: Path) -> Any:
    def call(*arguments: object, code: int = 0, **environment: str) -> Any:
        process = subprocess.run(
            [MOODSTEM, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "MOODSTEM_DATA": str(tmp_path / "data"), **environment},
            timeout=200,
        )
        assert process.returncode == code, process.stderr
        assert "Traceback" not in process.stderr, process.stderr
        if "--json" in arguments and code != 2 and process.stdout:
            return json.loads(process.stdout)
        return process.stdout if code == 0 else process.stderr

    return call


def test_analyze_prints_the_contract(cli: Any, tmp_path: Path) -> None:
    bad = tmp_path / "letter.mp3"
    bad.write_text("Dear listener")
    good, wrong = cli("analyze", manifest()[0].path, bad, "--separator", "none", "--json", code=1)
    assert good["separator"] == "none" and good["duration_s"] > 30
    assert good["descriptors"]["mix"]["spectral_centroid"].keys() >= {"mean", "std", "unit"}
    assert set(wrong) == {"path", "error"} and wrong["error"].endswith(".")


def test_analyze_keeps_to_the_limits_of_the_settings(cli: Any) -> None:
    [row] = cli(
        "analyze",
        manifest()[0].path,
        "--separator",
        "none",
        "--json",
        code=1,
        MOODSTEM_LIMITS__DURATION_MIN="0.5",
    )
    assert "longer than 0.5 minutes" in row["error"]


def test_recommend_adds_up_and_repeats_itself(cli: Any) -> None:
    arguments = (
        "recommend",
        "--mood",
        "peacefulness=1",
        "--occasion",
        "relaxation",
        "-n",
        4,
        "--all-reasons",
        "--json",
    )
    first, second = cli(*arguments), cli(*arguments)
    assert first == second and len(first["tracks"]) == 4 and first["profile"]["peacefulness"] == 1
    scores = [track["score"] for track in first["tracks"]]
    assert scores == sorted(scores, reverse=True)
    for track in first["tracks"]:
        assert abs(sum(reason["contribution"] for reason in track["reasons"]) - track["score"]) < 1e-6


def test_steers_and_aims_from_the_command_line(cli: Any) -> None:
    ask = ("recommend", "--mood", "sadness=1", "-n", 5, "--all-reasons", "--json")
    steered = cli(
        *ask,
        "--aim",
        "lift",
        "--steer",
        "calmer",
        "--steer",
        "less_vocals",
        "--steer",
        "surprise",
        "--seed",
        4,
    )
    assert steered == cli(
        *ask,
        "--aim",
        "lift",
        "--steer",
        "calmer",
        "--steer",
        "less_vocals",
        "--steer",
        "surprise",
        "--seed",
        4,
    )
    assert steered["steers"] == ["calmer", "less_vocals", "surprise"] and steered["profile"]["sadness"] == 1
    assert steered["aim"] == "lift" and steered["target"]["joyful_activation"] > 0
    for track in steered["tracks"]:
        assert abs(sum(reason["contribution"] for reason in track["reasons"]) - track["score"]) < 1e-6
        assert {"calmer", "less_vocals"} <= {reason["steer"] for reason in track["reasons"]}
        assert any(reason["rule"] == "surprise" for reason in track["reasons"])
    plain = cli(*ask)
    assert {"steers", "aim", "target"}.isdisjoint(plain) and plain["tracks"] != steered["tracks"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("recommend", "--mood", "power=1", "--steer", "funkier"), 2, "funkier"),
        (("recommend", "--occasion", "study", "--aim", "lift"), 2, "--mood to start from"),
        (("recommend", "--mood", "hungry=1"), 2, "hungry"),
        (("recommend", "--mood", "power=loud"), 2, "NAME=NUMBER"),
        (("recommend",), 2, "--mood"),
        (("recommend", "--occasion", "gardening"), 2, "gardening"),
        (("index", "nowhere"), 1, "There is no folder"),
        (("similar", "--file", "nothing.mp3"), 1, "There is no file"),
        (("similar", "--track", "999999"), 1, "There is no track 999999"),
        (("run",), 1, "DISCORD_TOKEN"),
        (("eval", "relevance", "nothing.csv"), 1, "cannot be read"),
        (("dance",), 2, "dance"),
    ],
)
def test_wrong_calls_say_what_to_do(cli: Any, arguments: tuple[str, ...], code: int, says: str) -> None:
    said = cli(*arguments, code=code, DISCORD_TOKEN="")
    assert says in said


def test_a_servers_weights_count_only_when_asked_for(cli: Any, tmp_path: Path) -> None:
    ask = ("recommend", "--mood", "peacefulness=1", "-n", 5, "--all-reasons", "--json")
    usual = cli(*ask)
    with sqlite3.connect(tmp_path / "data" / "moodstem.db") as database:
        database.execute("INSERT INTO rule_weight VALUES (5, 'peacefulness.mix.loudness', 0)")
    assert cli(*ask) == usual == cli(*ask, "--server", 6)
    theirs = cli(*ask, "--server", 5)
    assert theirs != usual
    for track in theirs["tracks"]:
        assert "peacefulness.mix.loudness" not in {reason["rule"] for reason in track["reasons"]}
        assert abs(sum(reason["contribution"] for reason in track["reasons"]) - track["score"]) < 1e-6


def test_index_then_recommend_leaves_the_samples_behind(cli: Any, tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for sample in manifest()[:2]:
        (music / sample.file).write_bytes(sample.path.read_bytes() + b"\0")  # another content than the sample
    report = cli("index", music, "--json", MOODSTEM_JOBS__SEPARATOR="none")
    assert report["added"] == 2 and not report["failed"]
    found = cli("recommend", "--mood", "sadness=1", "--json")
    assert {track["title"] for track in found["tracks"]} == {sample.title for sample in manifest()[:2]}


def test_a_broken_setting_is_named(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[limits]\nupload_mb = 'big'\n")
    assert "limits.upload_mb" in cli("recommend", "--mood", "power=1", code=1)
    (tmp_path / "config.toml").write_text("[library]\nfolder = []\n")
    assert "There is no setting library.folder: correct that in config.toml" in cli(
        "recommend", "--mood", "power=1", code=1
    )
    (tmp_path / "config.toml").write_text("limits = [")
    assert "config.toml cannot be read" in cli("recommend", "--mood", "power=1", code=1)


def test_a_folder_in_place_of_the_settings_is_not_passed_over(cli: Any, tmp_path: Path) -> None:
    """Docker makes one where a file to mount is missing."""
    (tmp_path / "config.toml").mkdir()
    assert "config.toml is a folder: remove it" in cli("db", "migrate", code=1)


@needs_refusals
def test_settings_that_belong_to_another_are_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch(mode=0)
    said = subprocess.run(
        [*CONFINED, MOODSTEM, "db", "migrate"], capture_output=True, text=True, cwd=tmp_path, timeout=200
    )
    assert said.returncode == 1 and "Traceback" not in said.stderr, said.stderr
    refused = f"config.toml cannot be read (Permission denied): let user {os.geteuid()} read it"
    assert refused in said.stderr


@needs_refusals
def test_a_folder_in_a_closed_one_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "closed" / "jazz").mkdir(parents=True)
    (tmp_path / "closed").chmod(0)
    try:
        said = subprocess.run(
            [*CONFINED, MOODSTEM, "--data", tmp_path / "data", "index", tmp_path / "closed" / "jazz"],
            capture_output=True, text=True, cwd=tmp_path, timeout=200,
        )  # fmt: skip
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert said.returncode == 1 and "Traceback" not in said.stderr, said.stderr
    assert f"{tmp_path}/closed/jazz cannot be opened: let the user" in said.stderr.splitlines()[-1], (
        said.stderr
    )


@pytest.mark.parametrize("command", [["run"], ["try", "--no-browser"], ["worker"], ["index", "."]])
def test_an_engine_that_is_not_installed(cli: Any, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['ray'] = None")
    environment = {"MOODSTEM_JOBS__ENGINE": "ray", "DISCORD_TOKEN": "x", "PYTHONPATH": str(tmp_path)}
    said = cli(*command, code=1, **environment)
    assert "The engine 'ray' is not installed: pip install 'moodstem[ray]'." in said


def test_export_and_erase(cli: Any) -> None:
    assert json.loads(cli("export", 1234))["profile"] == []
    assert set(json.loads(cli("erase", 1234, "--yes"))) >= {"profile", "job", "file"}


def test_the_bot_does_not_load_what_computes() -> None:
    code = (
        "import sys, bot.app, bot.cli; bot.app.features()\n"
        "heavy = {'torch', 'librosa', 'demucs', 'cv2', 'matplotlib', 'sklearn', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_backup_comes_back(cli: Any, tmp_path: Path) -> None:
    cli("db", "migrate")
    backup = Path(cli("db", "backup").strip())
    database = tmp_path / "data" / "moodstem.db"
    before = backup.read_bytes()
    database.write_bytes(b"a disk that failed" * 1000)
    assert "is kept as" in cli("db", "restore", backup)
    assert database.read_bytes()[100:] == before[100:], "all but the header, which says how it is written"
    assert "schema" in cli("db", "migrate")
    assert "There is no backup gone.db" in cli("db", "restore", "gone.db", code=1)
    assert "not a usable backup" in cli("db", "restore", MOODSTEM, code=1)


def test_a_backup_is_restored_on_another_machine(cli: Any, tmp_path: Path) -> None:
    """Its data folder is made, and music that lies elsewhere is the same tracks."""
    music = tmp_path / "music"
    music.mkdir()
    (music / "song.ogg").write_bytes(manifest()[0].path.read_bytes() + b"\0")
    known = {"MOODSTEM_JOBS__SEPARATOR": "none"}
    assert cli("index", music, "--json", **known)["added"] == 1
    track = cli("recommend", "--mood", "sadness=1", "--json")["tracks"][0]
    backup = Path(cli("db", "backup").strip())
    music.rename(tmp_path / "elsewhere")
    shutil.move(backup, tmp_path / backup.name)
    there = {"MOODSTEM_DATA": str(tmp_path / "new" / "data"), **known}
    assert "restored from" in cli("db", "restore", tmp_path / backup.name, **there)
    cli("index", tmp_path / "elsewhere", "--json", **there)
    with sqlite3.connect(tmp_path / "new" / "data" / "moodstem.db") as connection:
        places = dict(connection.execute("SELECT id, path FROM track WHERE origin = 'folder'").fetchall())
    connection.close()
    assert places == {track["id"]: str(tmp_path / "elsewhere" / "song.ogg")}


def test_similar_by_sound_and_music_to_practise_with(cli: Any) -> None:
    near = cli("similar", "--track", 1, "--metric", "euclidean", "-n", 2, "--json")["tracks"]
    assert len(near) == 2 and near[0]["similarity"] >= near[1]["similarity"]
    lost = sum(term["contribution"] for term in near[0]["terms"])
    assert 1 + lost == pytest.approx(near[0]["similarity"])
    tracks = cli("similar", "--practise", "guitar", "-n", 3, "--json")["tracks"]
    standing = [one["prominence"] for one in tracks]
    assert len(tracks) == 3 and standing == sorted(standing, reverse=True)
    assert all(0 < one["similarity"] <= 1 and "guitar sounds" in one["reasons"][0] for one in tracks)
    among = cli("similar", "--track", 1, "--practise", "guitar", "-n", 2, "--json")["tracks"]
    assert all(one["id"] != 1 and len(one["reasons"]) > 1 for one in among)
    cli("similar", code=2)
    cli("similar", "--practise", "kazoo", code=2)
    cli("similar", "--track", 1, "--by", "timbre", "--metric", "euclidean", code=1)


def test_journey(cli: Any, tmp_path: Path) -> None:
    way = cli(
        "journey", "--from", "sadness=1", "--to", "joyful_activation", "--minutes", 6, "--all-reasons", "--json",
        "--picture", tmp_path / "way.png",
    )  # fmt: skip
    assert abs(way["minutes"] - 6) < 1 and (tmp_path / "way.png").read_bytes()[:4] == b"\x89PNG"
    for track in way["tracks"]:
        total = sum(reason["contribution"] for reason in track["reasons"])
        assert total == pytest.approx(track["score"], abs=1e-6)
    assert "there already" in cli("journey", "--from", "power", "--to", "power", code=1)
    cli("journey", "--from", "kazoo", "--to", "power", code=2)


def test_report_map(cli: Any, tmp_path: Path) -> None:
    found = cli("report", "map", "--out", tmp_path / "map.png", "--mood", "sadness=1", "-n", 3, "--json")
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG" and len(found["marked"]) == 3
    assert len(found["tracks"]) == 30 and len(found["moods"]) == 9 and 0 < sum(found["explained"]) < 1
    assert "cannot be written" in cli("report", "map", "--out", tmp_path / "no" / "map.png", code=1)
    cli("report", "map", code=2)


def test_what_a_server_finds(cli: Any, tmp_path: Path) -> None:
    """A folder that is for one server alone, from the first file on; the others have the samples still."""
    music = tmp_path / "music"
    music.mkdir()
    for sample in manifest()[:2]:
        (music / sample.file).write_bytes(sample.path.read_bytes() + b"\0")  # another content than the sample
    config = tmp_path / "own.toml"
    config.write_text(f'[library]\nfolders = ["{music}"]\n[library.servers]\n"{music}" = [10]\n')
    own = {"MOODSTEM_CONFIG": str(config)}
    assert cli("index", music, "--json", MOODSTEM_JOBS__SEPARATOR="none", **own)["added"] == 2
    ask = ("recommend", "--mood", "sadness=1", "-n", 100, "--json")
    found = [len(cli(*ask, *server, **own)["tracks"]) for server in ((), ("--server", 10), ("--server", 6))]
    assert found == [2, 2, 30]
    assert (
        len(cli("similar", "--practise", "guitar", "--server", 6, "-n", 100, "--json", **own)["tracks"]) > 2
    )
    config.write_text(f'[library]\nfolders = ["{music}"]\n')
    assert len(cli(*ask, "--server", 6, **own)["tracks"]) == 2
    config.write_text('[library]\nfolders = []\n[library.servers]\n"/elsewhere" = [10]\n')
    said = cli(*ask, code=1, **own)
    assert "names /elsewhere, which is not one of [library] folders: add it there too" in said


def test_the_lines_of_help_are_those_of_the_commands() -> None:
    for name, (place, summary) in COMMANDS.items():
        command: click.Command = pkgutil.resolve_name(place)
        assert command.name == name and command.get_short_help_str(200).removesuffix(
            "."
        ) == summary.removesuffix(".")
