"""Who was erased, remembered outside the database, so that a backup from before brings nobody back.

`erased.json` in the data folder holds a random key and, for each erased member, the BLAKE2b hash of the id with that key
and the time (Unix seconds). It names nobody; whoever can read the file can only test ids that they try. An entry goes
once it is older than KEPT_S and than every copy of the database in the data folder.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.folders import replace_file
from core.library.copies import stamp, stamp_of

KEPT_S = 90 * 86400.0
"""For copies that the operator keeps elsewhere."""


def note_erased(data: Path, user_id: int | None = None, now: float | None = None) -> None:
    """Note that the member was erased, and forget those whose time is over (None: that alone).

    To be called in a write transaction, which keeps other processes from doing the same.
    """
    now = time.time() if now is None else now
    held = _read(data)
    oldest = min(map(stamp_of, (data / "backups").glob("*.db")), default=stamp(now))
    entries = {one: at for one, at in held["erased"].items() if at > now - KEPT_S or stamp(at) >= oldest}
    if user_id is not None:
        entries[_hash(held, user_id)] = int(now)
    if entries != held["erased"]:
        replace_file(data / "erased.json", json.dumps(held | {"erased": entries}), 0o600)


def erased_at(data: Path) -> Callable[[int], int]:
    """Return what tells of an id when its member was erased, in Unix seconds; -1 for never."""
    held = _read(data)
    return lambda user_id: held["erased"].get(_hash(held, user_id), -1)


def _read(data: Path) -> dict[str, Any]:
    try:
        held: dict[str, Any] = json.loads((data / "erased.json").read_text("utf-8"))
    except FileNotFoundError:
        return {"key": secrets.token_hex(32), "erased": {}}
    return held


def _hash(held: dict[str, Any], user_id: int) -> str:
    return hashlib.blake2b(str(user_id).encode(), key=bytes.fromhex(held["key"]), digest_size=16).hexdigest()
