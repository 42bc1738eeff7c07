"""Join and leave a Ray cluster, and call Ray's blocking functions in threads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from core.errors import UserError
from jobs.engines.base import Unavailable

CALL_S = 60.0
"""Time limit of Ray's blocking calls, some of which wait for ever if the head is gone."""

T = TypeVar("T")


class Membership:
    """This process's connection to a cluster; `join` makes one."""

    def __init__(self) -> None:
        self._leave = threading.Event()
        self._left: Future[None] = Future()

    @classmethod
    async def join(cls, address: str) -> Membership:
        """Join the cluster at `address` (see jobs.engines.cluster.actors.Cluster).

        Raises Unavailable if it is unreachable or has other versions of Ray or Python, UserError for an invalid address.
        """
        if address.startswith("ray://"):
            raise UserError("[jobs] ray_address must be host:port of the head, not a ray:// address.")
        host, colon, port = address.rpartition(":")
        where = {"auto": "on this machine", "local": "here"}.get(address, f"at {address}")
        nobody = f"No Ray cluster answers {where}: start one with `ray start --head`, or correct [jobs] ray_address."
        if colon and not (port.isdigit() and await in_thread(lambda: _answers(host, int(port)))):
            raise Unavailable(nobody)
        self, joined = cls(), Future[None]()
        threading.Thread(target=self._stay, args=[address, joined], daemon=True).start()
        try:
            await _wait(joined)
        except (ConnectionError, TimeoutError) as error:
            self._leave.set()
            if "Could not find" not in str(error):
                raise Unavailable(
                    f"The Ray cluster {where} does not let us in: set RAY_AUTH_MODE=token, and the same token, on every"
                    " machine (docs/cluster.md)."
                ) from error
            raise Unavailable(nobody) from error
        except Exception as error:  # Ray raises bare ones
            if "mismatch" in str(error):
                said = " ".join(str(error).split()).removeprefix("Version mismatch: ")
                raise Unavailable(f"The Ray cluster has other versions: install the same. {said}") from error
            raise Unavailable(
                f"The Ray cluster {where} cannot be joined ({last_line(error)}): look at its head, then try again."
            ) from error
        _take_back_sigterm()
        return self

    async def leave(self) -> None:
        """Leave the cluster; one that `join` started here ends."""
        self._leave.set()
        with contextlib.suppress(TimeoutError):
            await _wait(self._left)

    def _stay(self, address: str, joined: Future[None]) -> None:
        """Hold the connection in one thread: the processes of a local cluster are killed with the thread that started
        them (PR_SET_PDEATHSIG), and in the main thread Ray would replace our handler of SIGTERM."""
        _settle(joined, lambda: _init(address))
        if joined.exception() is None:
            import ray

            self._leave.wait()
            _settle(self._left, ray.shutdown)


def _init(address: str) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "local":  # on 127.0.0.1 and nowhere else; read when Ray is imported
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    here: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    ray.init(
        address=address,
        ignore_reinit_error=True,
        log_to_driver=False,
        configure_logging=False,
        **(here if address == "local" else {}),
    )


def _take_back_sigterm() -> None:
    """Ray's C++ handler of SIGTERM aborts the process after three seconds, in the middle of its last job."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def kill(actor: Any) -> None:
    """End an actor at once."""
    import ray

    with contextlib.suppress(Exception):  # it is gone already, or we are not connected any more
        ray.kill(actor, no_restart=True)


def last_line(error: BaseException) -> str:
    """Return the last line of one of Ray's long errors, which names the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")


async def in_thread(function: Callable[[], T], timeout_s: float = CALL_S) -> T:
    """Call a blocking function of Ray in a thread, which is abandoned if it does not return. Raises TimeoutError."""
    future: Future[T] = Future()
    threading.Thread(target=_settle, args=[future, function], daemon=True).start()
    return await _wait(future, timeout_s)


def _settle(future: Future[T], function: Callable[[], T]) -> None:
    future.set_running_or_notify_cancel()
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)


async def _wait(future: Future[T], timeout_s: float = CALL_S) -> T:
    return await asyncio.wait_for(asyncio.wrap_future(future), timeout_s)
