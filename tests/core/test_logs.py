"""Logs: readable by people or machines, and without secrets, whoever writes them."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from core import logs

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789AB"
INTERACTION = "aW50ZXJhY3Rpb246MTIzNDU2Nzg5MDEyMzQ1Njc4OnNlY3JldA"
ADDRESS = "https://cdn.discordapp.com/ephemeral-attachments/1/2/song.mp3?ex=67a1b2c3&is=67a0b2c3&hm=0123456789abcdef"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the root logger writes, as JSON; everything is put back afterwards."""
    root, hooks = logging.getLogger(), (sys.excepthook, os.environ.get("MOODSTEM_CHILD_LOG"))
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", "INFO", stream)
    yield stream
    root.handlers[:], sys.excepthook = before, hooks[0]
    root.setLevel(level)
    logging.captureWarnings(False)
    monkeypatch.delenv("MOODSTEM_CHILD_LOG")


SECRETS = {
    "authorization": f"headers={{'Authorization': 'Bot {TOKEN}'}}",
    "bare": f"token {TOKEN} is wrong",
    "webhook": f"POST https://discord.com/api/v10/webhooks/123/{INTERACTION}?wait=1 failed",
    "callback": f"POST /interactions/456/{INTERACTION}/callback",
    "event": str({"id": "1", "token": INTERACTION, "type": 2}),
    "body": json.dumps({"token": INTERACTION, "n": 1}),
    "nested body": json.dumps({"body": json.dumps({"token": INTERACTION})}),
    "attachment": f"GET {ADDRESS} returned 404",
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_taken_out_and_the_rest_stays(written: io.StringIO, name: str) -> None:
    logging.getLogger("discord.http").warning("about %s: done", SECRETS[name])
    line = written.getvalue()
    for secret in (TOKEN, INTERACTION, "0123456789abcdef", "67a1b2c3"):
        assert secret not in line
    message = json.loads(line)["message"]
    assert message.startswith("about ") and message.endswith(": done") and logs.HIDDEN in message


def test_tracebacks_are_scrubbed_as_well(written: io.StringIO) -> None:
    try:
        raise ValueError(f"cannot fetch {ADDRESS}")
    except ValueError:
        logging.getLogger("bot").exception("no luck")
    event = json.loads(written.getvalue())
    assert "ValueError: cannot fetch" in event["exception"] and "0123456789abcdef" not in event["exception"]


def test_the_own_token_is_hidden_whatever_it_looks_like(written: io.StringIO) -> None:
    logs.hide("not-like-a-token-at-all")
    logs.hide("x")
    logging.getLogger("x").info(
        "using not-like-a-token-at-all", extra={"spec": "not-like-a-token-at-all", "job": 7}
    )
    event = json.loads(written.getvalue())
    assert "not-like" not in written.getvalue() and event["job"] == 7


def test_ordinary_words_are_left_alone() -> None:
    text = (
        "Job 12 of /upload failed: index is=wrong? see https://example.org/webhooks and tokens.txt (exit=1)"
    )
    assert logs.scrub(text) == text


@pytest.mark.parametrize("style", ["human", "json"])
def test_a_child_logs_like_its_parent_and_the_last_words_are_scrubbed(style: str) -> None:
    code = "from core import logs; logs.configure_child(); raise RuntimeError('Bot ' + 'x' * 60)"
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
        env={**os.environ, "MOODSTEM_CHILD_LOG": f"{style}:INFO"},
    )  # fmt: skip
    assert child.returncode == 1 and "RuntimeError" in child.stderr and "xxxxxxxx" not in child.stderr
    assert (child.stderr.strip()[0] == "{") == (style == "json")
