"""Describing leaves the process as it was."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import torch

from core.audio.descriptors import describe
from tests.make import tone


def test_the_number_of_threads_stays_the_process_s_own() -> None:
    before, interval = torch.get_num_threads(), sys.getswitchinterval()
    torch.set_num_threads(3)
    try:
        describe({"mix": tone(440, 2)}, 44100)
        with ThreadPoolExecutor(1) as new:
            assert torch.get_num_threads() == new.submit(torch.get_num_threads).result() == 3
        assert sys.getswitchinterval() == interval
    finally:
        torch.set_num_threads(before)
