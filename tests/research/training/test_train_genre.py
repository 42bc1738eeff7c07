"""`moodstem train genre` end to end on a few seconds of made-up music: learns, goes on after a kill, repeats itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bot.cli import main
from core.errors import UserError
from core.genre.model import load
from core.separation.base import Cancelled
from research.training import genre_baselines
from research.training.train_genre import train
from tests.core.genre import made_up

pytestmark = pytest.mark.slow

QUICK = {"epochs": 3, "patience": 3, "drawn": 1}


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.table(tmp_path_factory.mktemp("music"))


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spectrograms are made once for all tests here."""
    return tmp_path_factory.mktemp("heard")


@pytest.fixture(scope="module")
def report(music: Path, heard: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:  # type: ignore[type-arg]
    out = tmp_path_factory.mktemp("out")
    shares: list[float] = []
    with pytest.MonkeyPatch.context() as patch:  # all twelve take a minute
        some = [("logistic regression", "mfcc"), ("SVC", "mfcc"), ("MLP", "mfcc"), ("SVC", "all")]
        patch.setattr(genre_baselines, "names", lambda: some)
        patch.setattr(genre_baselines, "INNER", 2)  # of twelve tracks, twice is as good as four times
        made = train(
            music, out, networks=("texture", "cnn1d"), fold_count=3, seconds=4.0, cache=heard,
            changes={"epochs": 12, "patience": 12}, progress=shares.append,
        )  # fmt: skip
    assert shares == sorted(shares) and shares[0] < 0.05 and shares[-1] == 1.0
    return out, made


def test_three_plain_genres_are_learned(report: tuple[Path, dict]) -> None:  # type: ignore[type-arg]
    _, made = report
    assert made["data"] | {"failed": []} == made["data"] and made["data"]["artists"] == 15
    models = made["models"]
    assert models["majority"]["accuracy"] < 0.5
    for name in ("texture", "cnn1d", "fused, whole sound", "logistic regression, mfcc", "SVC, all"):
        assert models[name]["accuracy"] > 0.8, f"{name} cannot tell a drone from clicks"
        assert np.sum(models[name]["confusion"]) == 15, "every track is tested once"
    assert set(models["SVC, all"]["chosen"][0]) == {"C"} and len(models["SVC, all"]["chosen"]) == 3


def test_the_table_stands_beside_the_documents_figures(report: tuple[Path, dict]) -> None:  # type: ignore[type-arg]
    out, made = report
    assert json.loads((out / "report.json").read_text()) == json.loads(json.dumps(made))
    text = (out / "table.md").read_text()
    assert "not to be compared" in text and "| SVC, mfcc |" in text
    assert "fused, whole sound against " in text and "| chance |" in text
    assert made["models"]["cnn1d"]["document"] == 0.2849 and made["documents"]["accuracy"]["crnn"] == 0.75


def test_pictures_are_drawn(report: tuple[Path, dict]) -> None:  # type: ignore[type-arg]
    import cv2

    out, made = report
    assert {"confusion-texture.png", "curves-texture.png", "curves-cnn1d.png"} <= set(made["pictures"])
    for name in made["pictures"]:
        picture = cv2.imread(str(out / name))
        assert picture is not None and picture.std() > 20, f"{name} is blank"


def test_the_weights_work(report: tuple[Path, dict], music: Path) -> None:  # type: ignore[type-arg]
    from core.audio.spectrum import analyse_frames

    out, made = report
    model = load(out / "genre.safetensors")
    assert model.version == made["weights"]["version"] and model.genres == sorted(made_up.GENRES)
    right = 0
    for genre in made_up.GENRES:
        heard = model.classify(analyse_frames(made_up.sound(genre, 9, 9)).power_mel)
        assert heard is not None and abs(np.linalg.norm(heard.vector) - 1) < 1e-4
        assert abs(sum(heard.genres.values()) - 1) < 1e-3
        right += max(heard.genres, key=heard.genres.__getitem__) == genre
    assert right >= 2, "artists that it never heard"
    assert model.classify(np.zeros((128, 900), np.float32)) is None


def test_the_same_seed_gives_the_same_weights(music: Path, heard: Path, tmp_path: Path) -> None:
    versions = [
        train(music, tmp_path / name, seconds=4.0, cache=heard, changes=QUICK, baselines=False, seed=seed)[
            "weights"
        ]["version"]
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert versions[0] == versions[1] != versions[2]


def test_a_killed_training_goes_on_as_if_nothing_happened(music: Path, heard: Path, tmp_path: Path) -> None:
    whole = train(music, tmp_path / "whole", seconds=4.0, cache=heard, changes={"epochs": 6}, baselines=False)
    out = tmp_path / "killed"
    code = (
        "import sys; from pathlib import Path; from research.training.train_genre import train;"
        "train(Path(sys.argv[1]), Path(sys.argv[2]), seconds=4.0, cache=Path(sys.argv[3]), changes={'epochs': 6},"
        " baselines=False)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(music), str(out), str(heard)], cwd=Path.cwd())
    checkpoint = out / "texture" / "split-0-0" / "checkpoint.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.is_file():
        assert child.poll() is None and time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (out / "report.json").is_file(), "it was to be killed in the middle"
    again = train(music, out, seconds=4.0, cache=heard, changes={"epochs": 6}, baselines=False)
    assert again["weights"]["version"] == whole["weights"]["version"]
    assert again["models"]["texture"]["confusion"] == whole["models"]["texture"]["confusion"]


def test_cancelling_keeps_what_was_done(music: Path, heard: Path, tmp_path: Path) -> None:
    def stop(share: float) -> None:
        if share > 0.6:
            raise Cancelled

    with pytest.raises(Cancelled):
        train(music, tmp_path, seconds=4.0, cache=heard, changes=QUICK, baselines=False, progress=stop)
    assert (tmp_path / "texture" / "split-0-0" / "checkpoint.pt").is_file()
    assert train(music, tmp_path, seconds=4.0, cache=heard, changes=QUICK, baselines=False)["models"]


def test_other_settings_do_not_go_on_in_the_same_folder(music: Path, heard: Path, tmp_path: Path) -> None:
    train(music, tmp_path, seconds=4.0, cache=heard, changes=QUICK, baselines=False)
    with pytest.raises(UserError, match="holds a training with other settings"):
        train(music, tmp_path, seconds=4.0, cache=heard, changes=QUICK, baselines=False, seed=1)


def test_fma_by_the_command_line(tmp_path: Path, heard: Path) -> None:
    folder = made_up.fma(tmp_path)
    moodstem = [sys.executable, "-c", "from bot.cli import main; main()", "train", "genre"]
    out = tmp_path / "out"
    done = subprocess.run(
        [*moodstem, str(folder), "--size", "large", "--out", str(out), "--network", "crnn", "--no-baselines",
         "--epochs", "1", "--seconds", "4", "--json"],
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["data"]["split"] == "the data set's own"
    assert made["data"]["parts"] == [{"training": 12, "validation": 3, "test": 3}]
    assert made["weights"]["network"] == "crnn" and (out / "genre.safetensors").is_file()
    wrong = subprocess.run(
        [*moodstem, str(tmp_path / "nowhere"), "--out", str(out)], capture_output=True, text=True
    )
    assert (
        wrong.returncode == 1
        and "neither a table nor a folder" in wrong.stderr
        and "Traceback" not in wrong.stderr
    )


def test_unreadable_files_are_named_and_left_out(music: Path, heard: Path, tmp_path: Path) -> None:
    table = made_up.table(tmp_path / "music", artists=6)
    (table.parent / "drone-0-0.wav").write_bytes(b"not music")
    made = train(table, tmp_path / "out", seconds=4.0, changes=QUICK, baselines=False)
    assert made["data"]["failures"] == 1 and made["data"]["failed"][0][0].endswith("drone-0-0.wav")


def test_with_stems_genres_are_told_by_them_too(music: Path, heard: Path, tmp_path: Path) -> None:
    """By the command line and the real separator; the second time nothing is heard or separated again.

    In this process, which has all that a new one would have to load first; the test above starts one."""
    asked = ["--data", str(tmp_path), "train", "genre", str(music), "--out", str(tmp_path / "out"), "--folds", "3", "--seconds", "4", "--cache", str(heard),
             "--epochs", "2", "--no-baselines", "--stems", "--json"]  # fmt: skip
    made = []
    for _ in range(2):
        done = CliRunner().invoke(main, asked, env={"MOODSTEM_JOBS__SEPARATOR": "unet"})
        assert done.exit_code == 0, done.output
        made.append(json.loads(done.stdout))
        for model in made[-1]["models"].values():
            model.pop("seconds", None)
    assert made[0] == made[1]
    models, near = made[0]["models"], made[0]["neighbours"]
    for name in ("fused, with stems", "fused, whole sound"):
        assert models[name]["accuracy"] > 0.8 and np.sum(models[name]["confusion"]) == 15
    assert {"sound", "timbre", "chance", "texture, latent"} <= set(near)
    assert 0 <= near["fused, with stems, probabilities"]["same_genre_of_5"] <= 1
    model = load(tmp_path / "out" / "genre.safetensors")
    assert model.fused is not None and model.fused.separator.startswith("unet ")
    assert "drums.activity" in model.fused.stems


def test_differences_are_paired_and_their_error_is_that_of_artists() -> None:
    from research.training.genre_data import Example
    from research.training.genre_ours import paired

    examples = [Example(Path(f"{row}"), f"artist {row // 2}", "one") for row in range(8)]
    tests = [[0, 1, 2, 3], [4, 5, 6, 7]]
    right = {
        "ours": [np.array([1, 1, 1, 1], bool), np.array([1, 1, 0, 0], bool)],
        "theirs": [np.array([0, 0, 1, 1], bool), np.array([1, 1, 0, 0], bool)],
    }
    found = paired(right, tests, examples, "ours", "theirs")
    assert found["difference"] == pytest.approx(0.25)
    # Artists: +2, 0, 0, 0 of two tracks each, so the error is that of the mean of 1, 0, 0, 0.
    assert found["standard_error_by_artist"] == pytest.approx(np.std([1, 0, 0, 0], ddof=1) / 2)
    assert found["standard_error_over_splits"] == pytest.approx(np.std([0.5, 0], ddof=1) / np.sqrt(2))
    assert paired(right, tests, examples, "theirs", "ours")["difference"] == pytest.approx(-0.25)
