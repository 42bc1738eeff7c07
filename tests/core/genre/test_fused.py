"""Genres by the whole sound and by stems: learned, kept, told again, and never by the stems of another separator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from core.audio.decode import decode
from core.audio.spectrum import analyse_frames, mono
from core.errors import UserError
from core.genre.features import FRAMES, excerpt
from core.genre.fused import SECONDS, WAVES, Fused, course, directions
from core.genre.model import load, texture
from core.library.samples import sample_folder
from research.training.genre_data import Example
from research.training.genre_fused import Rows, learn, tell
from research.training.genre_networks import build, save
from tests.make import sample_analyses

GENRES = ["one", "two"]


def music(seed: int = 0) -> tuple[Rows, np.ndarray, list[Example]]:
    """Sixty tracks by fifteen artists; a genre shifts a few numbers of each kind, most those of the stems."""
    rng = np.random.default_rng(seed)
    labels = np.arange(60) // 4 % 2
    tables = {}
    for kind, numbers, shift in (("texture", 440, 0.5), ("course", 261, 0.5), ("stems", 30, 2.0)):
        tables[kind] = rng.standard_normal((60, numbers))
        tables[kind][:, :20] += shift * labels[:, None] * (1 if kind == "stems" else 0.5)
    tables["stems"][::7, 10:] = np.nan  # a stem that does not sound
    tables["stems"][:, 29] = np.nan
    examples = [Example(Path(f"{i}.flac"), f"artist {i // 4}", GENRES[labels[i]]) for i in range(60)]
    names = tuple(f"bass.{i}" for i in range(30))
    return Rows(tables, names, "unet 1"), labels, examples


@pytest.fixture(scope="module")
def learned() -> tuple[Fused, dict[str, Any]]:
    rows, labels, examples = music()
    return learn(rows, labels, 2, examples, range(44), 0)


def test_tells_genres_of_other_artists_and_better_with_stems(learned: tuple[Fused, dict[str, Any]]) -> None:
    rows, labels, _ = music()
    fused, chosen = learned
    shares = {head: tell(fused, rows, head, range(44, 60)) for head in ("mix", "stems")}
    for table in shares.values():
        np.testing.assert_allclose(table.sum(axis=1), 1)
    right = {head: (table.argmax(axis=1) == labels[44:]).mean() for head, table in shares.items()}
    assert right["stems"] > 0.9 and right["mix"] >= 0.5
    assert chosen["stems"]["inner_accuracy"] > chosen["mix"]["inner_accuracy"]
    again, _ = learn(rows, labels, 2, music()[2], range(44), 0)
    assert np.array_equal(tell(again, rows, "stems", range(60)), tell(fused, rows, "stems", range(60)))


def test_kept_in_the_model_file_and_told_as_before(
    learned: tuple[Fused, dict[str, Any]], tmp_path: Path
) -> None:
    fused, network = learned[0], build("texture", 2)
    plain = save(network, "texture", GENRES, tmp_path / "plain.safetensors", {})
    assert save(network, "texture", GENRES, tmp_path / "both.safetensors", {}, fused) == plain, (
        "vectors are the network's: their version is as before"
    )
    back = load(tmp_path / "both.safetensors")
    assert (
        back.version == plain
        and back.fused is not None
        and load(tmp_path / "plain.safetensors").fused is None
    )
    rows = music()[0]
    stems = dict(zip(rows.names, rows.tables["stems"][3], strict=True))
    asked = rows.tables["texture"][3].astype(np.float32), rows.tables["course"][3].astype(np.float32)
    whole = back.fused.classify(*asked, stems, "unet 1")
    np.testing.assert_allclose(whole, fused.classify(*asked, stems, "unet 1"), atol=1e-4)
    np.testing.assert_allclose(whole, tell(fused, rows, "stems", [3])[0], atol=1e-4)
    alone = back.fused.classify(*asked)
    assert np.array_equal(alone, back.fused.classify(*asked, stems, "unet 2")) and not np.allclose(
        alone, whole
    )
    silent = {name: value for name, value in stems.items() if value == value}
    assert np.array_equal(whole, back.fused.classify(*asked, silent, "unet 1")), "what is missing is unknown"


def test_a_damaged_file_is_refused(learned: tuple[Fused, dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save(build("texture", 2), "texture", GENRES, path, {}, learned[0])
    whole = load_file(path)
    facts = {"architecture": "texture", "genres": '["one", "two"]', "fused.separator": "unet 1"}
    for damaged, stems in (
        (whole | {"fused.head.stems": whole["fused.head.stems"][:-1].contiguous()}, '["bass.0"]'),
        (whole, '["bass.0"]'),
        ({name: one for name, one in whole.items() if name != "fused.course"}, '["bass.0"]'),
    ):
        save_file(damaged, path, metadata=facts | {"fused.stems": stems})
        with pytest.raises(UserError, match="not a genre model"):
            load(path)


def test_course_of_real_pieces() -> None:
    found = []
    for path in sorted(sample_folder().glob("*.ogg"))[:3]:
        audio = decode(path)
        mel = excerpt(analyse_frames(mono(audio.samples, audio.rate)[: 22_050 * 20]).power_mel, SECONDS)
        assert mel is not None
        found.append(course(mel))
        assert found[-1].shape == (261,) and np.isfinite(found[-1]).all()
        assert np.array_equal(found[-1], course(mel)) and texture(mel).shape == (440,)
        assert np.isfinite(course(mel[:1])).all() and np.isfinite(texture(mel[: FRAMES // 2])).all()
    assert np.abs(found[0] - found[1]).max() > 1


def test_random_directions_are_those_that_weights_were_learned_for() -> None:
    assert directions(5).shape == (5, WAVES)
    assert directions(5)[0, :3] == pytest.approx([0.44122749, -0.33087015, 2.43077119], abs=1e-8)


def test_the_samples_were_told_by_the_bundled_model_with_their_stems() -> None:
    from core.genre.model import classify_file
    from core.genre.model_file import BUNDLED

    model = load(BUNDLED)
    assert model.fused is not None and "stems" in model.fused.heads
    path = min(sample_folder().glob("*.ogg"), key=lambda one: one.stat().st_size)
    analyses = sample_analyses()
    assert {one.separated_by for one in analyses} == {model.fused.separator}, (
        "genres were learned from another separator: train them anew (see research/training/train_genre.py)"
    )
    from core.track_analysis import content_hash

    [own] = [one for one in analyses if one.content_hash == content_hash(path)]
    heard = classify_file(path, own.features(), own.separated_by)
    assert heard is not None and own.latent is not None
    assert heard.genres == pytest.approx(own.latent["genres"], abs=0.01)
