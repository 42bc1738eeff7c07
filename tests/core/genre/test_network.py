"""The documents' networks have the documents' layers, and excerpts are what librosa makes of them."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import soundfile
import torch

from core.audio.spectrum import analyse_frames
from core.audio.types import RATE
from core.genre.features import FRAMES, excerpt, slices
from core.genre.network import CNN, SamePool
from research.training.genre_features import FEATURE_SETS, columns_of, listen
from research.training.genre_networks import StatisticsCNN, build, parameters
from tests.core.genre import made_up

pytestmark = pytest.mark.xdist_group("librosa")  # what it compiles, it compiles in each process


def test_the_cnn_is_the_documents_layer_by_layer() -> None:
    network = CNN(8)
    x = torch.zeros(1, 1, 128, 128)
    shapes, sizes = [], []
    for layer in network.layers:
        x = layer(x)
        if isinstance(layer, torch.nn.Conv2d | SamePool):
            shapes.append((*x.shape[2:], x.shape[1]))
            sizes.append(parameters(layer))
    assert shapes == [
        (128, 128, 47), (64, 32, 47), (64, 32, 95), (32, 8, 95), (32, 8, 95), (16, 2, 95),
        (16, 2, 142), (6, 1, 142), (6, 1, 190), (2, 1, 190),
    ]  # fmt: skip
    assert [size for size in sizes if size] == [470, 40280, 81320, 121552, 243010]
    assert network.width == 380 and parameters(network.tell) == 3048 and parameters(network) == 489_680


def test_the_1d_cnn_is_the_documents_layer_by_layer() -> None:
    network = StatisticsCNN(16)
    x, lengths, sizes = torch.zeros(1, 1, 518), [], []
    for layer in network.layers:
        x = layer(x)
        if isinstance(layer, torch.nn.Conv1d | torch.nn.MaxPool1d):
            lengths.append((x.shape[2], x.shape[1]))
        if isinstance(layer, torch.nn.Conv1d):
            sizes.append(parameters(layer))
    assert lengths == [(487, 200), (243, 200), (212, 8), (106, 8), (75, 8), (37, 8)]
    assert sizes == [6600, 51208, 2056] and parameters(network) == 91_180


def test_feature_sets_have_the_documents_sizes() -> None:
    assert [len(columns_of(name)) for name in FEATURE_SETS] == [140, 322, 287]


def test_pools_pad_as_keras_does() -> None:
    x = torch.arange(16.0).reshape(1, 1, 16, 1) - 20
    assert SamePool((3, 5))(x).flatten().tolist() == [-19, -16, -13, -10, -7, -5], (
        "padded by one on both sides"
    )


@pytest.mark.parametrize("name", ["cnn", "crnn", "texture"])
def test_slices_go_in_and_vectors_come_out(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, 4).eval()
    heard = torch.rand(3, FRAMES, FRAMES)
    assert network.latent(heard).shape == (3, network.width) and network(heard).shape == (3, 4)
    flipped = heard.flip(2)
    assert not torch.allclose(network.latent(heard), network.latent(flipped)), "pitch matters"


def test_an_excerpt_is_librosas_mel_spectrogram_in_decibels() -> None:
    signal = made_up.sound("surf", 1, 0, seconds=6.0)
    mel = excerpt(analyse_frames(signal).power_mel)
    assert mel is not None
    power = librosa.feature.melspectrogram(y=signal, sr=RATE, pad_mode="constant")
    wanted = librosa.power_to_db(power, ref=np.max).T
    assert mel.shape == wanted.shape
    assert np.abs(mel / 255 * 80 - 80 - wanted).max() < 0.2, "a step is 0.31 dB"
    louder = excerpt(analyse_frames(signal * 0.01).power_mel)
    assert louder is not None and np.abs(louder.astype(int) - mel).max() <= 1, "level says nothing"
    assert excerpt(np.zeros((128, 500), np.float32)) is None
    middle = excerpt(analyse_frames(np.tile(signal, 10)).power_mel, 3.0)
    assert middle is not None and len(middle) == 129


def test_slices_lie_side_by_side_and_short_ones_are_repeated() -> None:
    mel = np.arange(128 * 3 + 5, dtype=np.uint8)[:, None].repeat(128, 1)
    assert slices(mel).shape == (3, 128, 128) and slices(mel, 10).shape == (10, 128, 128)
    assert (slices(mel, 10)[0, 0, 0], slices(mel, 10)[-1, -1, 0]) == (0, mel[-1, 0])
    assert (slices(mel[:50])[0, 50] == mel[0]).all()


def test_statistics_are_those_of_the_excerpt(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    signal = np.concatenate(
        [np.full(RATE * 4, 0.1), 0.2 * rng.standard_normal(RATE * 4), np.full(RATE * 4, 0.1)]
    )
    soundfile.write(tmp_path / "x.wav", signal, RATE)
    mel, whole = listen(tmp_path / "x.wav", 12.0)
    _, middle = listen(tmp_path / "x.wav", 4.0)
    assert mel is not None and len(mel) == 517 and whole.shape == (518,)
    zcr = next(place for place in range(518) if place >= 511)
    assert np.isfinite(whole).all() and middle[zcr + 2] > 2 * whole[zcr + 2], (
        "noise crosses zero all the time"
    )
    assert np.isnan(listen(tmp_path / "x.wav", 4.0, with_statistics=False)[1]).all()
