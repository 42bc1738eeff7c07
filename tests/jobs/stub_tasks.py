"""Tasks for a worker in the tests: each does one thing that real work may do. Loaded by path (see conftest)."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from core.errors import UserError


def echo(arguments, context):
    for step in range(arguments.get("steps", 3)):
        context.report("echo", step / 3)
        time.sleep(arguments.get("pause", 0))
    return {"pid": os.getpid(), "said": arguments.get("say"), "separator": context.separator.name}


def wait(arguments, context):
    """Report until the file `until` is there; says that it began by writing `began`."""
    Path(arguments["began"]).write_text(str(os.getpid()))
    while not Path(arguments["until"]).exists():
        context.report("wait", 0.5)
        time.sleep(0.002)
    return {"pid": os.getpid()}


def open_files(arguments, context):
    folder = Path("/proc/self/fd")
    return {"names": [str(link.readlink()) for link in folder.iterdir() if link.exists()]}


def deaf(arguments, context):
    """Neither report nor listen: only killing ends it."""
    context.report("deaf", 0.1)
    time.sleep(600)


def refuse(arguments, context):
    raise UserError("This file is not music: send another one.")


def bug(arguments, context):
    raise ValueError("a bug of ours")


def die(arguments, context):
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(arguments, context):
    marker = Path(arguments["marker"])
    if not marker.exists():
        marker.write_text("died")
        os.kill(os.getpid(), signal.SIGKILL)
    return {"pid": os.getpid()}


def eat(arguments, context):
    """Take memory until somebody objects."""
    held = []
    for step in range(1000):
        held.append(b"x" * 10_000_000)
        context.report("eat", step / 1000)
        time.sleep(0.005)
    return {}


def chatter(arguments, context):
    """What careless libraries do to standard output, and a child that reads standard input."""
    print("printed", flush=True)
    os.write(1, b"written\n")
    heard = subprocess.run(
        [sys.executable, "-c", "import sys; print('from a child'); sys.exit(len(sys.stdin.read()))"],
        timeout=30,
    )
    return {"heard": heard.returncode}


def environment(arguments, context):
    return {"value": os.environ.get(arguments["name"])}


def die_with_parent(arguments, context):
    """Take the process along that started this one, as running out of memory may."""
    context.report("die", 0.5)
    time.sleep(0.3)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
