"""Measure how far each stem of the bundled U-Net can be trusted, and write it beside the weights.

    python -m research.training.reliability HELD_OUT

HELD_OUT is a folder as `moodstem eval separation` reads it, of songs and a SoundFont that training never saw.
A stem's reliability is the share of the gain in SI-SDR that an ideal mask on the same spectrum would bring,
(ours - mix) / (ideal - mix), kept within 0.05..0.95.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from core.audio.types import STEMS
from core.separation.unet import WEIGHTS, load_unet
from research.eval.separated import evaluate


def reliability(table: dict[str, Any]) -> dict[str, float]:
    """{stem: 0..1} from the result of `research.eval.separated.evaluate`; 0.05 for stems in no song."""
    result = {}
    for stem in STEMS:
        row = table["stems"].get(stem)
        share = 0.0
        if row:
            share = (row["si_sdr_db"] - row["mix_si_sdr_db"]) / (row["irm_si_sdr_db"] - row["mix_si_sdr_db"])
        result[stem] = round(min(max(share, 0.05), 0.95), 2)
    return result


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Measure the bundled separator on held-out songs.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)
    target = options.weights.with_suffix(".json")
    table = evaluate(options.folder, load_unet(weights=options.weights))
    rows = table["stems"]
    facts = (json.loads(target.read_text()) if target.exists() else {}) | {
        "measured_on": "held-out rendered songs, SoundFont not used in training",
        "songs": table["songs"],
        "gain_over_mix_db": {stem: round(r["si_sdr_db"] - r["mix_si_sdr_db"], 2) for stem, r in rows.items()},
        "reliability": reliability(table),
    }
    target.write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
