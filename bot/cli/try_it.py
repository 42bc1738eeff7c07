"""`moodstem try`: the real bot on a simulated Discord, in the browser. Nobody needs a token to see it work.

The only module that knows SimCord (beside the tests); the bot itself is unmodified.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import webbrowser
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from bot import create_bot
from bot.cli.instance import hold
from bot.cli.root import settings_of
from core.errors import UserError
from core.settings import Settings
from jobs.engines.registry import make_engine

if TYPE_CHECKING:
    import simcord

log = logging.getLogger(__name__)

STEP_S = 0.5
"""SimCord's time stands still unless told; this is how often it catches up with ours."""

WELCOME = (
    "Welcome! **/mood** asks how you feel, **/recommend** picks music for it, **/upload** takes a song apart, "
    "**/help** says what else there is. Above, *Viewing as* makes you the admin: try **/admin rules**."
)


async def run(settings: Settings, *, port: int | None, browser: bool) -> None:
    """Serve until Ctrl+C. Raises UserError when SimCord is missing or the port is taken."""
    # APScheduler reads the real clock while its timers run on the simulated one: it would never come to rest.
    bot = create_bot(
        settings.model_copy(update={"jobs": settings.jobs.model_copy(update={"schedule": False})})
    )
    library = logging.getLogger("discord")
    level = library.level
    library.setLevel(logging.ERROR)  # SimCord makes a client of its own while it is imported, which warns
    try:
        import simcord
    except ImportError as error:
        raise UserError("SimCord is not installed: run `pip install 'moodstem[try]'`.") from error
    finally:
        library.setLevel(level)

    env = simcord.Env(bot, check_errors=False, settle_timeout=30.0)
    env.backend.edit_bot_profile("Moodstem")  # SimCord calls every bot "TestBot"
    # People and places first, at the simulated clock's fixed beginning, so that "you" are the same person (and keep
    # your profile) whenever this is started; then on to today, so that messages and jobs never get an old id again.
    you, admin = env.create_user("you", global_name="You"), env.create_user("admin", global_name="Admin")
    guild = env.create_guild("Moodstem", owner=admin)
    channel = guild.create_text_channel("music")
    host = guild.add_member(admin)
    viewers = [guild.add_member(you), host]
    env.backend.clock.advance((datetime.now(UTC) - env.now()).total_seconds())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stop.set)
    await env.start()
    try:
        with env.time_context():
            await host.send(channel, WELCOME)
            try:
                preview = env.preview(channel, viewers=viewers, layout="channel", port=port)
                await preview.__aenter__()
            except OSError as error:
                raise UserError(
                    f"Port {port} cannot be used ({error.strerror}): choose another with --port."
                ) from error
            try:
                turns = take_turns(preview)
                announce(preview.url, browser)
                await keep_time(env, preview, turns, stop)
            finally:
                await preview.__aexit__(None, None, None)
    finally:
        await env.shutdown()
        await bot.close()  # SimCord detaches a bot, it does not close it


def announce(url: str, browser: bool) -> None:
    """The address alone on standard output, the rest on standard error."""
    print(f"Moodstem is running: {url}", flush=True)
    print("Type /mood, then /recommend, or /upload a song. Stop with Ctrl+C.", file=sys.stderr, flush=True)
    if browser:
        webbrowser.open(url)


def take_turns(preview: simcord.Preview) -> asyncio.Lock:
    """A lock that each click in the browser holds; SimCord refuses a click that comes while time moves on.

    SimCord 3 has no public hook for this, hence the private name (the dependency is pinned below 4).
    """
    turns = asyncio.Lock()
    act = preview._action

    async def in_turn(*arguments: Any) -> Any:
        async with turns:
            return await act(*arguments)

    preview._action = in_turn  # type: ignore[method-assign, unused-ignore]
    return turns


async def keep_time(
    env: simcord.Env, preview: simcord.Preview, turns: asyncio.Lock, stop: asyncio.Event
) -> None:
    """Let simulated time follow ours, between the viewer's clicks."""
    import simcord

    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), STEP_S)
            return
        async with turns:
            try:
                before = len(env.http_requests)
                await env.advance_time(STEP_S)
                if len(env.http_requests) > before:  # the bot did something by itself: show it
                    await preview.refresh()
            except (TimeoutError, simcord.SetupError) as error:  # the bot is still busy with the last click
                log.debug("time waits: %s", error)


@click.command("try")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the preview (a free one when not said).")
@click.option("--no-browser", is_flag=True, help="Print the address, open nothing.")
@click.pass_context
def try_(ctx: click.Context, port: int | None, no_browser: bool) -> None:
    """Try the real bot on a simulated Discord, in the browser."""
    settings = settings_of(ctx)
    make_engine(settings)  # says at once what its worker would miss
    with hold(settings):
        asyncio.run(run(settings, port=port, browser=not no_browser))
