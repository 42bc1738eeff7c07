"""The errors that people read, as facts, and how to tell a full disk from a fault."""

from __future__ import annotations

import errno
from functools import partial
from typing import Any

Fact = dict[str, Any]
"""What there is to say, as JSON data: {"code": ..., and values by name}; a value may be another fact. bot.words makes
a sentence of it (bot/words/sentences.toml)."""


def fact(code: str, /, **values: Any) -> Fact:
    """Return the fact of this code; `values` must be JSON data."""
    return {"code": code, **values}


class UserError(Exception):
    """The input or the environment is at fault, not the program.

    Its text is one clear English sentence for whoever runs Moodstem, which says what to do next; the command line
    prints it and exits with 1. What members may meet is a Refusal. Anything else that is raised is a bug and shows up
    as one.
    """

    @property
    def fact(self) -> Fact:
        """The error as JSON data, to cross processes and to be stored."""
        return fact("plain", sentence=str(self))


class Refusal(UserError):  # noqa: N818 - the word for it
    """An error that members may meet: a code and its values. The sentence is made where it is shown (bot.words.say).

    `str` is for logs.
    """

    def __init__(self, code: str, /, **values: Any) -> None:
        super().__init__(f"{code} {values}" if values else code)
        self.code, self.values = code, values

    @property
    def fact(self) -> Fact:
        """The error as JSON data, to cross processes and to be stored."""
        return fact(self.code, **self.values)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), self.code, **self.values), ()


def error_of(told: Fact) -> UserError:
    """Return the error whose fact came from another process."""
    if told["code"] == "plain":
        return UserError(told["sentence"])
    return Refusal(told["code"], **{name: value for name, value in told.items() if name != "code"})


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WORDS = ("database or disk is full", *(f"[Errno {number}]" for number in _FULL))


NO_ROOM = "There is no room left on the disk that the data folder is on: make some, or name another folder by --data or MOODSTEM_DATA."


def is_disk_full(error: BaseException | None) -> bool:
    """Did it fail, here or in another process that says so, since there is no room left? It passes: try again."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if any(word in str(error) for word in _WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False
