"""The worker is a child process that keeps the separator loaded and runs one task after another.

    python -m jobs.worker --separator auto --threads 2

It reads requests as JSON lines from standard input and writes events as JSON lines to its original standard
output. It never opens the database, so killing it is always safe, and it ends when its parent does, by the closed pipe.
A cancel message takes effect at the next report of progress.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import platform
import runpy
import signal
import threading
import traceback
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from core import logs
from core.errors import UserError
from core.genre.model_file import current_version
from core.protection import protect_process
from core.separation.base import Cancelled, Separator
from core.separation.registry import load_separator
from core.track_analysis import ANALYSER_VERSION
from jobs.kinds import kinds
from jobs.kinds.analyse import warm
from jobs.kinds.base import Compute, Context

log = logging.getLogger(__name__)


class Worker:
    """Answers the engine's requests in this process."""

    def __init__(self, requests: IO[str], events: IO[str], options: argparse.Namespace) -> None:
        self.requests = requests
        self.events = events
        self.options = options
        self._writing = threading.Lock()
        self._inbox: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._unwanted: set[int] = set()
        self._extra: dict[str, Any] = {}

    def run(self) -> None:
        """Load the separator, send 'ready' or 'refused', then answer one request after another."""
        threading.Thread(target=self._listen, daemon=True).start()
        separator: Separator | None = None
        refusal: UserError | None = None
        try:
            if self.options.extra_tasks:
                self._extra = runpy.run_path(self.options.extra_tasks)
            separator = self._load_separator()
            facts = {
                "separator": separator.name,
                "separator_version": separator.version,
                **versions(self.options.genre_model),
            }
            self._send(event="ready", facts=facts)
            if self.options.warm and self._inbox.empty():
                self._warm(separator)
        except UserError as error:
            refusal = error
            self._send(event="refused", fact=error.fact)
        for request in iter(self._inbox.get, None):
            self._send(event="begun", id=request["id"])
            self._send(**self._answer(request, separator, refusal), id=request["id"])

    def _load_separator(self) -> Separator:
        return load_separator(
            self.options.separator,
            weights_dir=Path(self.options.weights) if self.options.weights else None,
            threads=self.options.threads,
            htdemucs=self.options.htdemucs,
        )

    def _warm(self, separator: Separator) -> None:
        try:
            warm(separator)
        except Exception:  # it only saves time
            log.warning("Warming up failed", exc_info=True)

    def _answer(
        self, request: dict[str, Any], separator: Separator | None, refusal: UserError | None
    ) -> dict[str, Any]:
        def report(stage: str, share: float) -> None:
            if request["id"] in self._unwanted:
                raise Cancelled
            self._send(event="progress", id=request["id"], stage=stage, share=share)

        try:
            if separator is None:
                raise refusal or UserError("The worker has no separator: choose another one in config.toml.")
            result = self._task(request["task"])(
                request["arguments"], Context(separator, self.options.genre_model, report)
            )
            return {"event": "result", "result": result}
        except Cancelled:
            return {"event": "cancelled"}
        except UserError as error:
            return {"event": "refused", "fact": error.fact}
        except MemoryError:
            return {"event": "memory"}
        except Exception as error:
            details = traceback.format_exc()
            return {"event": "failed", "message": f"{type(error).__name__}: {error}", "details": details}

    def _task(self, name: str) -> Compute:
        found: Compute | None = self._extra.get(name) or kinds()[name].compute
        if found is None:
            raise KeyError(f"the kind of job {name} computes nothing")
        return found

    def _listen(self) -> None:
        """Read the parent's messages, and end this process when they end."""
        for line in self.requests:
            message = json.loads(line)
            if "cancel" in message:
                self._unwanted.add(message["cancel"])
            else:
                self._inbox.put(message)
        os._exit(0)

    def _send(self, **event: Any) -> None:
        line = json.dumps(event) + "\n"
        with self._writing, contextlib.suppress(BrokenPipeError):
            self.events.write(line)
            self.events.flush()


def versions(genre_model: Path | None = None) -> dict[str, Any]:
    """Return the versions that determine an analysis besides the separator's."""
    return {
        "genre_model": current_version(genre_model),
        "analyser_version": ANALYSER_VERSION,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "torch": version("torch").partition("+")[0],  # builds for CPU and GPU count as the same
    }


@contextlib.contextmanager
def own_pipes() -> Iterator[tuple[IO[str], IO[str]]]:
    """Yield standard input and output, and redirect the originals: what a library prints goes to standard error, and a
    child process of a task can neither read our requests nor write events."""
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    with requests, events:
        yield requests, events


def main(arguments: list[str] | None = None) -> None:
    protect_process()
    parser = argparse.ArgumentParser(prog="python -m jobs.worker", description=__doc__)
    parser.add_argument("--separator", default="auto")
    parser.add_argument("--weights", default=None, help="folder with weights for htdemucs_6s")
    parser.add_argument("--genre-model", type=Path, default=None, help="in place of the bundled one")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--htdemucs", type=json.loads, default=None, help="how it is to work, as JSON")
    parser.add_argument(
        "--warm", action="store_true", help="do the slow first steps before the first request"
    )
    parser.add_argument("--extra-tasks", default=None, help="a Python file with more tasks, for the tests")
    options = parser.parse_args(arguments)
    logs.configure_child()
    if hasattr(os, "nice"):
        os.nice(10)  # the bot's answers come before analyses
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # both go to the whole group; the parent decides
    with own_pipes() as (requests, events):
        Worker(requests, events, options).run()


if __name__ == "__main__":
    main()
