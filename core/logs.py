"""Logs: one event a line, for people or as JSON, and no secret in either.

What is secret: the bot's token, the tokens of interactions and webhooks (whoever has one can speak as the bot), and
the signatures of attachment addresses (whoever has one can fetch a member's file). They are taken out of the finished
line, so that arguments, tracebacks and other libraries' messages are covered as well.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, Literal

Format = Literal["human", "json"]
Level = Literal["DEBUG", "INFO", "WARNING"]

HIDDEN = "[secret]"

_FOR_CHILDREN = "MOODSTEM_CHILD_LOG"
"""Environment variable 'style:level' that tells child processes how their parent logs."""

_SECRETS = (
    # A bot's token: its id, the time of its making and a signature, each in base64.
    (re.compile(r"[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"), HIDDEN),
    (re.compile(r"\b(Bot|Bearer) [\w.-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(/(?:webhooks|interactions)/\d+/)[^/?\s'\"\\]+"), rf"\1{HIDDEN}"),
    (re.compile(r"""((?:token|session_id)\\?["']\s*:\s*\\?["'])[^"'\\]+"""), rf"\1{HIDDEN}"),
    (re.compile(r"\b(ex|is|hm)=[0-9a-f]{6,}"), rf"\1={HIDDEN}"),
)

_own: set[str] = set()
"""What `hide` was told."""

_USUAL = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


def hide(secret: str) -> None:
    """Keep this out of the logs, whatever it looks like (from eight characters on)."""
    if len(secret) >= 8:
        _own.add(secret)


def scrub(text: str) -> str:
    """The text without anything that would let its reader act as the bot or fetch members' files."""
    for secret in _own:
        text = text.replace(secret, HIDDEN)
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class Human(logging.Formatter):
    """'2026-11-20 19:03:11 WARNING jobs.runner: ...', tracebacks below."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


class Json(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, process, message, what was given as `extra`, exception."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": scrub(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in _USUAL:
                event[name] = value if isinstance(value, int | float | bool | None) else scrub(str(value))
        if record.exc_info:
            event["exception"] = scrub(self.formatException(record.exc_info))
        if record.stack_info:
            event["stack"] = scrub(self.formatStack(record.stack_info))
        return json.dumps(event, ensure_ascii=False)


def configure(style: Format, level: Level, stream: IO[str] | None = None) -> None:
    """Log to standard error (or `stream`), also what would end the program; child processes will do the same."""
    os.environ[_FOR_CHILDREN] = f"{style}:{level}"
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Json() if style == "json" else Human())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # At DEBUG, discord.py logs whole events: what members say is nobody's business.
    logging.getLogger("discord").setLevel(max(logging.INFO, root.level))
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # else a line for each tick of the clock
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def configure_child() -> None:
    """In a process that a configured one started: the same style and level."""
    style, _, level = os.environ.get(_FOR_CHILDREN, "").partition(":")
    configure("json" if style == "json" else "human", "WARNING" if level == "WARNING" else "INFO")


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logging.getLogger("moodstem").critical("The program ends", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        logging.getLogger("moodstem").error(
            "A thread ended", exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
        )
