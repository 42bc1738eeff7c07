"""Latent vectors from the file to the answer: made with the analysis or after it, kept with their model, compared exactly."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.analysis import analyse
from core.genre import model_file as models
from core.genre.model import classify_file, load
from core.library.latents import load_latents, told
from core.library.schema import open_database
from core.library.tracks import Library
from core.separation.registry import load_separator
from research.training.genre_networks import build, save
from tests.core.genre import made_up
from tests.data import SONGS
from tests.make import remove_track, save_analysis, upsert_track
from tests.refusals import refusal


def written_model(path: Path, seed: int = 0) -> Path:
    """A network that has learned nothing: its vectors differ for different sounds all the same."""
    torch.manual_seed(seed)
    save(build("texture", 3), "texture", ["one", "two", "three"], path, {"trained_on": "nothing"})
    return path


@pytest.fixture
def chosen(tmp_path: Path) -> Path:
    return written_model(tmp_path / "model.safetensors")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    for genre in made_up.GENRES:
        for artist in range(2):
            made_up.write(
                folder / f"{genre}{artist}.flac", genre, artist, 0, artist=f"{genre} {artist}", title=genre
            )
    return folder


def moodstem(data: Path, *arguments: object, code: int = 0, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", "from bot.cli import main; main()", "--data", str(data), *map(str, arguments)],
        capture_output=True, text=True, env=os.environ | {"MOODSTEM_JOBS__SEPARATOR": "none"} | environment,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stderr


def test_an_analysis_brings_its_vector(chosen: Path, music: Path) -> None:
    path = music / "surf1.flac"
    first, again = (analyse(path, load_separator("none"), genre_model=chosen).latent for _ in range(2))
    assert first is not None and first == again, "the same every time"
    assert first["model"] == load(chosen).version and len(first["vector"]) == 128
    assert abs(np.linalg.norm(first["vector"]) - 1) < 1e-4 and abs(sum(first["genres"].values()) - 1) < 1e-3
    other = analyse(music / "drone0.flac", load_separator("none"), genre_model=chosen).latent
    assert other is not None and np.dot(first["vector"], other["vector"]) < 0.99
    alone = classify_file(path, chosen=chosen)
    assert alone is not None and np.dot(alone.vector, first["vector"]) > 0.9999, (
        "without the analysis it is the same"
    )


def test_without_a_model_there_is_none(music: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(models, "BUNDLED", tmp_path / "nothing.safetensors")
    assert analyse(music / "surf1.flac", load_separator("none")).latent is None
    with refusal("There is no genre model: make one with `moodstem train genre`"):
        classify_file(music / "surf1.flac")
    gone = tmp_path / "gone"
    assert analyse(music / "surf1.flac", load_separator("none"), genre_model=gone).latent is None, (
        "an analysis does not fail for it"
    )


def test_the_version_is_told_without_loading_the_network() -> None:
    code = "import sys; from jobs.worker import versions; print(versions()['genre_model'], 'torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [load(models.BUNDLED).version, "False"]


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no model")
    with refusal("is not a genre model"):
        load(tmp_path / "x")
    save(build("cnn1d", 3), "cnn1d", ["a", "b", "c"], tmp_path / "y", {})
    with refusal("hears statistics, not sound"):
        load(tmp_path / "y")


async def test_vectors_of_one_model_are_kept_and_compared(chosen: Path, music: Path, tmp_path: Path) -> None:
    async with await open_database(tmp_path / "data" / "moodstem.db") as database:
        library = Library(database)
        ids = []
        for number, path in enumerate(sorted(music.iterdir())):
            analysis = analyse(path, load_separator("none"), genre_model=chosen)
            track = await upsert_track(
                library,
                content_hash=f"{number}",
                path=str(path),
                origin="folder",
                title=path.stem,
                duration_s=4.0,
            )
            await save_analysis(library, track, analysis)
            stored = await library.analysis(track)
            assert stored is not None and stored.latent is None, "it is kept once only"
            ids.append(track)
        latents = await load_latents(database)
        assert (
            latents.ids == ids
            and latents.vectors.dtype == np.float32
            and latents.model == load(chosen).version
        )
        for a in ids:
            for b, cosine in latents.near(latents.of(a), 10, set(ids), a):  # type: ignore[arg-type]
                back = dict(latents.near(latents.of(b), 10, set(ids), b))  # type: ignore[arg-type]
                assert back[a] == cosine, "symmetric to the last digit"
        assert [track for track, _ in latents.near(latents.of(ids[0]), 9, {ids[2], ids[3]})] != ids  # type: ignore[arg-type]
        assert set(await told(database, ids[0])) == {"one", "two", "three"}
        await database.write("UPDATE latent SET model = 'other' WHERE track_id = ?", [ids[0]])
        assert (await load_latents(database)).ids == ids[1:], "two models are never compared"
        await remove_track(library, ids[1])
        assert (await load_latents(database)).ids == ids[2:]
        await database.write("DELETE FROM latent")
        with refusal("No track has a latent vector yet"):
            await load_latents(database)


def test_the_command_line(chosen: Path, music: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    own = {"MOODSTEM_JOBS__GENRE_MODEL": str(chosen)}
    moodstem(data, "index", music, "--json", **own)
    near = moodstem(
        data, "similar", "--file", music / "surf0.flac", "--by", "latent", "-n", 3, "--json", **own
    )["tracks"]
    assert len(near) == 3 and [one["similarity"] for one in near] == sorted(
        (one["similarity"] for one in near), reverse=True
    )
    assert near[0]["title"] == "surf" and all(-1 <= one["similarity"] <= 1 for one in near), (
        "noise is like noise"
    )
    assert near[0]["reasons"][0].startswith("To the network this one is") and len(near[0]["reasons"]) == 1
    by_id = moodstem(data, "similar", "--track", near[0]["id"], "--by", "latent", "-n", 10, "--json", **own)[
        "tracks"
    ]
    assert len(by_id) == 5 and near[0]["id"] not in {one["id"] for one in by_id}
    said = moodstem(data, "similar", "--track", 999, "--by", "latent", code=1, **own)
    assert "There is no track 999" in said
    # Another model: what it says of a file is not compared with the old one's vectors, until the folder is indexed again.
    newer = {"MOODSTEM_JOBS__GENRE_MODEL": str(written_model(tmp_path / "newer.safetensors", seed=1))}
    said = moodstem(data, "similar", "--file", music / "surf0.flac", "--by", "latent", code=1, **newer)
    assert "No track has a latent vector yet" in said
    with closing(sqlite3.connect(data / "moodstem.db", isolation_level=None)) as database:
        # Tracks of before are heard anew, a second each: of the thirty sample pieces one is enough.
        database.execute("PRAGMA foreign_keys = ON")
        [(one,)] = database.execute("SELECT min(id) FROM track WHERE origin = 'sample'")
        database.execute("DELETE FROM track WHERE origin = 'sample' AND id > ?", [one])
    moodstem(data, "index", music, "--json", **newer)
    with closing(sqlite3.connect(data / "moodstem.db")) as database:
        heard = dict(database.execute("SELECT model, count(*) FROM latent GROUP BY model"))
    assert heard == {load(tmp_path / "newer.safetensors").version: 6 + 1}
    assert moodstem(data, "similar", "--file", music / "surf0.flac", "--by", "latent", "--json", **newer)[
        "tracks"
    ]


def test_real_recordings_are_nearest_to_themselves(chosen: Path) -> None:
    heard = {}
    for path in SONGS[:4]:
        one = classify_file(path, chosen=chosen)
        assert one is not None
        heard[path.stem] = np.array(one.vector)
    for name, vector in heard.items():
        assert max(heard, key=lambda other: float(heard[other] @ vector)) == name
