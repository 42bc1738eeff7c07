"""What installed packages add by entry point."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Protocol, TypeVar

log = logging.getLogger(__name__)


class Named(Protocol):
    """The description of a part that is chosen by its name."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def with_plugins(bundled: Iterable[T], group: str, kind: type[T]) -> dict[str, T]:
    """Return the bundled parts and those of the entry points of `group`, by name.

    The packages are imported for it. What cannot be imported, is of another kind or has a name that is taken is logged
    and left out.
    """
    found = {part.name: part for part in bundled}
    for entry in entry_points(group=group):
        try:
            part = entry.load()
        except Exception:  # whatever somebody else's package raises
            log.warning("The entry point %s = %s cannot be imported.", entry.name, entry.value, exc_info=True)
            continue
        if isinstance(part, kind) and part.name not in found:
            found[part.name] = part
        else:
            log.warning(
                "The entry point %s = %s is no %s with a new name.", entry.name, entry.value, kind.__name__
            )
    return found
