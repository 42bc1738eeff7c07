"""Refusals as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.words.say import say
from core.errors import UserError
from jobs.model import Job


@contextmanager
def refusal(match: str = "", kind: type[UserError] = UserError) -> Iterator[pytest.ExceptionInfo[UserError]]:
    """As pytest.raises, of a UserError whose sentence in the reader's language matches."""
    with pytest.raises(kind) as caught:
        yield caught
    assert re.search(match, say(caught.value)), say(caught.value)


def spoken(job: Job) -> str:
    """What a job's card says of its error; empty where there is none."""
    return say(job.error) if job.error else ""
