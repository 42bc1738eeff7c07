"""Decodes mutations of one file in a row, in a process of its own: `fuzz_worker.py FILE FORMAT FIRST LAST`.

Prints the number of each mutation before it decodes it and the answer afterwards, so that the test sees which one ended
the process. A mutation that takes longer than 10 s ends it too (SIGALRM).
"""

from __future__ import annotations

import importlib.util
import io
import json
import random
import signal
import sys
from pathlib import Path
from typing import TextIO


def mutate(content: bytes, seed: int) -> bytes:
    """Flip, overwrite, cut, repeat or insert: one to a few times, more often near the start, where the headers are."""
    rng = random.Random(seed)
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        if not data:
            break
        at = rng.randrange(min(len(data), rng.choice((64, 512, 4096, 1 << 30))))
        kind = rng.randrange(7)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            data[at : at + 4] = rng.choice(
                (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")
            )
        elif kind == 3:
            data[at : at + rng.randrange(1, 2000)] = rng.randbytes(rng.randrange(2000))
        elif kind == 4:
            del data[at : at + rng.randrange(1, 5000)]
        elif kind == 5:
            piece = data[at : at + rng.randrange(1, 5000)]
            data[at:at] = piece * rng.randrange(1, 4)
        elif rng.random() < 0.3:
            del data[at:]
    return bytes(data)


class Sink:
    def write(self, data: bytes) -> None:
        pass


def main() -> None:
    _path, form, first, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    spec = importlib.util.spec_from_file_location("decoder", sys.argv[5])
    assert spec is not None and spec.loader is not None
    decoder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(decoder)
    if form:
        decoder.import_all_of_av()
    else:
        import soundfile  # noqa: F401
    limits = {
        "format": form,
        "max_seconds": 30.0,
        "memory_bytes": 1 << 30,
        "output_bytes": 1 << 28,
        "cpu_seconds": 1000,
    }
    status = Path("/proc/self/status").open()  # noqa: SIM115 - before the right to open files is gone
    decoder.give_up_rights(limits)
    content = CONTENT
    for number in range(first, last):
        print(number, flush=True)
        signal.alarm(10)
        answer = decoder.decode(io.BytesIO(mutate(content, number)), Sink(), dict(limits))
        signal.alarm(0)
        print(json.dumps(answer), flush=True)
    print("peak", peak_mb(status), flush=True)


def peak_mb(status: TextIO) -> int:
    """Most memory that this process ever held; getrusage would count what the process that started it held."""
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) // 1024


if __name__ == "__main__":
    CONTENT = Path(sys.argv[1]).read_bytes()
    main()
