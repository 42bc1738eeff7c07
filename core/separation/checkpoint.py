"""The file with htdemucs_6s' weights: found in a folder, read without running anything, built into a model.

Both of demucs' file formats can run code when its own loaders read them: `.th` files are pickles, and the
metadata of its `.safetensors` files name the class to import. Here a `.th` file is read with
`weights_only=True` and two classes allowed, a `.safetensors` file may name one class, and arguments and
tensors are checked before a model is built. `core.separation.download` fetches the published file.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

from core.audio.types import STEMS
from core.errors import UserError

NAME = "htdemucs_6s"
SIGNATURE = "5c90dfd2"
"""The published model's signature, used where the folder has no htdemucs_6s.yaml."""

_CLASS = "demucs.htdemucs.HTDemucs"
_LARGEST_ARGUMENT = 192_000  # sample rates are arguments too


def find_weights(folder: Path) -> Path | None:
    """Return the weights file in `folder`: the one that htdemucs_6s.yaml names, `.safetensors` first; None without one."""
    signature = SIGNATURE
    listing = folder / f"{NAME}.yaml"
    if listing.is_file():
        signature = _signature(listing)
    candidates = [folder / f"{signature}.safetensors", *sorted(folder.glob(f"{signature}*.th"))]
    return next((path for path in candidates if path.is_file()), None)


def has_weights(folder: Path) -> bool:
    """Return whether `read_model` would find a file; says nothing about its content."""
    try:
        return find_weights(folder) is not None
    except UserError:
        return True


def _signature(listing: Path) -> str:
    import yaml  # type: ignore[import-untyped]

    try:
        models = yaml.safe_load(listing.read_text())["models"]
        (signature,) = models
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{listing} does not list exactly one model: copy it again from the source."
        ) from error
    if not isinstance(signature, str) or not re.fullmatch(r"[0-9a-f]{8}", signature):
        raise UserError(
            f"{listing} names a model that is no signature of eight hexadecimal digits: copy it again."
        )
    return signature


def read_model(folder: Path | None) -> tuple[Any, str]:
    """Return the HTDemucs in `folder`, in evaluation mode, and the SHA-256 of its file: `5c90dfd2-34c22ccb.th` with
    `htdemucs_6s.yaml`, or `5c90dfd2.safetensors`.

    Raises UserError when the weights are missing, damaged or not this architecture.
    """
    path = find_weights(folder) if folder is not None else None
    if path is None:
        where = f"in {folder}" if folder is not None else "configured"
        raise UserError(
            f"No htdemucs_6s weights are {where}: put {SIGNATURE}.safetensors, or {NAME}.yaml and "
            f"{SIGNATURE}-34c22ccb.th, into a folder and set jobs.weights to it, or use the separator 'unet'."
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    expected = path.stem.partition("-")[2]
    if expected and not digest.startswith(expected):
        raise UserError(f"{path} is damaged (its checksum is not {expected}): copy it again.")
    package = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    return _build(path, **package), digest


def _refuse(path: Path, what: str) -> UserError:
    return UserError(f"{path} was refused ({what}): use the published htdemucs_6s weights.")


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise _refuse(path, "not a safetensors file") from error
    if metadata.get("klass") != _CLASS:
        raise _refuse(path, f"its class is not {_CLASS}")
    if "structure" in metadata:
        raise _refuse(path, "quantised weights are not supported")
    try:
        arguments = json.loads(metadata.get("args", "[]"), object_hook=_fraction)
        keywords = json.loads(metadata.get("kwargs", "{}"), object_hook=_fraction)
    except (ValueError, TypeError, KeyError, ZeroDivisionError) as error:
        raise _refuse(path, "unreadable arguments") from error
    return {"arguments": arguments, "keywords": keywords, "state": state}


def _fraction(value: dict[str, Any]) -> Any:
    if value.get("_type") == "fraction":
        return Fraction(value["numerator"], value["denominator"])
    return value


def _read_pickle(path: Path) -> dict[str, Any]:
    import pickle

    import torch
    from demucs.htdemucs import HTDemucs

    try:
        with torch.serialization.safe_globals([HTDemucs, Fraction]):
            package = torch.load(path, "cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise _refuse(path, "not a plain file of weights") from error
    if not isinstance(package, dict) or package.get("klass") is not HTDemucs:
        raise _refuse(path, f"its class is not {_CLASS}")
    return {
        "arguments": package.get("args", ()),
        "keywords": package.get("kwargs", {}),
        "state": package.get("state"),
    }


def _plain(value: Any) -> bool:
    """Return whether a constructor argument is simple and of a size that a model of this kind can have."""
    if isinstance(value, (list, tuple)):
        return len(value) <= 64 and all(_plain(item) for item in value)
    if isinstance(value, (int, float, Fraction)):
        return math.isfinite(value) and abs(float(value)) <= _LARGEST_ARGUMENT
    return value is None or (isinstance(value, str) and len(value) <= 64)


def _build(path: Path, arguments: Any, keywords: Any, state: Any) -> Any:
    import inspect

    import torch
    from demucs.htdemucs import HTDemucs

    if (
        not isinstance(arguments, (list, tuple))
        or not isinstance(keywords, dict)
        or not isinstance(state, dict)
    ):
        raise _refuse(path, "unreadable arguments")
    known = inspect.signature(HTDemucs).parameters
    keywords = {key: value for key, value in keywords.items() if key in known}
    if not all(_plain(value) for value in (*arguments, *keywords.values())):
        raise _refuse(path, "arguments that no such model has")
    if not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise _refuse(path, "something other than tensors")
    try:
        # Without memory first: shapes are compared before anything as large as the arguments say is made.
        with torch.device("meta"):
            shapes = {
                key: value.shape for key, value in HTDemucs(*arguments, **keywords).state_dict().items()
            }
        if shapes != {key: value.shape for key, value in state.items()}:
            raise _refuse(path, "tensors that do not fit the architecture")
        model = HTDemucs(*arguments, **keywords)
        model.load_state_dict(state)
    except (TypeError, ValueError, RuntimeError, AssertionError, ZeroDivisionError) as error:
        raise _refuse(path, "arguments that no such model has") from error
    if sorted(model.sources) != sorted(STEMS) or model.samplerate != 44_100 or model.audio_channels != 2:
        raise _refuse(path, f"it does not split 44.1 kHz stereo into {', '.join(STEMS)}")
    return model.eval()
