"""The one error that users read, and how to tell a full disk from a fault."""

from __future__ import annotations

import errno

from core.i18n import retold, tr


class UserError(Exception):
    """The input or the environment is at fault, not the program.

    Its text is one clear sentence that says what to do next; the command line prints it and exits with 1,
    the bot shows it on the card. Anything else that is raised is a bug and shows up as one.

    Where members may read it, values stand in placeholders: UserError("There is no form {form!r}.", form=form).
    `str` is the English sentence, for logs and the command line; `said` is the reader's.
    """

    def __init__(self, sentence: str = "", **values: object) -> None:
        super().__init__(sentence.format(**values) if values else sentence)
        self.template, self.values = sentence, values

    def said(self) -> str:
        """In the reader's language."""
        return tr(self.template, **self.values) if self.values else retold(self.template)


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WORDS = ("database or disk is full", *(f"[Errno {number}]" for number in _FULL))


def is_disk_full(error: BaseException | None) -> bool:
    """Did it fail, here or in another process that says so, since there is no room left? It passes: try again."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if any(word in str(error) for word in _WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False
