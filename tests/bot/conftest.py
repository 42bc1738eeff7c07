"""A simulated Discord with the real bot in it."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import discord
import pytest
import simcord

from bot import create_bot
from core.errors import UserError
from core.library.consent import agree
from core.library.schema import open_database
from core.moods.profile import Profile
from core.settings import JobSettings, LimitSettings, Settings
from jobs.engines.base import WorkerOptions
from jobs.engines.local import LocalEngine
from jobs.kinds.base import TaskSettings
from jobs.queue import Queue
from jobs.runner import Runner

MAX_COMPONENTS, MAX_TEXT, MAX_BYTES = 40, 4000, 9500  # Discord's budget for one message


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    config = tmp_path / "config.toml"
    config.touch()
    monkeypatch.setenv("MOODSTEM_CONFIG", str(config))
    return Settings(
        data=tmp_path / "data",
        jobs=JobSettings(embedded_worker=False, schedule=False),
        limits=LimitSettings(upload_mb=2),
    )


@dataclass
class World:
    """One server with a channel, two members and an admin who owns it."""

    env: simcord.Env
    settings: Settings
    channel: Any
    alice: simcord.MemberActor
    bob: simcord.MemberActor
    admin: simcord.MemberActor
    expected: tuple[type[BaseException], ...] = ()
    """Errors that this test provokes; members are told of them in a sentence."""

    @property
    def bot(self) -> Any:
        return self.env.bot

    async def restart(self) -> None:
        """The bot's process ends and another one starts on the same data."""
        before = self.bot
        await self.env.restart_bot(create_bot(self.settings))
        await before.close()


# SimCord looks every 50 ms whether the bot has come to rest, which is where most of these tests' time went.
simcord.Env._settle_internal.__kwdefaults__["idle"] = 0.002
simcord.Env.settle.__defaults__ = (None, 0.002)


@pytest.fixture
def simcord_bot(settings: Settings) -> Any:
    return create_bot(settings)


@pytest.fixture
async def world(simcord_env: simcord.Env, settings: Settings) -> AsyncIterator[World]:
    simcord_env.settle_timeout = 150.0  # children and threads decode and draw, on machines that may be busy
    owner = simcord_env.create_user("admin")
    guild = simcord_env.create_guild("Moodstem", owner=owner)
    channel = guild.create_text_channel("music")
    alice, bob = (guild.add_member(simcord_env.create_user(name)) for name in ("alice", "bob"))
    world = World(simcord_env, settings, channel, alice, bob, guild.add_member(owner))
    for member in (alice, bob, world.admin):  # test_consent is about those who have not agreed yet
        await agree(world.bot.database, member.id)
    yield world
    # What members are told in a sentence is no fault; anything else that a command raised is.
    told = (UserError, *world.expected)
    faults = [error for error in simcord_env.errors if not isinstance(error.__cause__ or error, told)]
    assert not faults, faults
    await simcord_env.shutdown()
    await simcord_env.bot.close()  # SimCord detaches a bot, it does not close it


@pytest.fixture(scope="session")
def engines() -> Iterator[Callable[[str], LocalEngine]]:
    """A worker process for each separator, which all tests of this process share: starting one costs seconds."""
    made: dict[str, LocalEngine] = {}

    def engine(separator: str) -> LocalEngine:
        return made.setdefault(separator, LocalEngine(WorkerOptions(separator), recycle_after=1000))

    yield engine
    for one in made.values():
        asyncio.run(one.stop())


@pytest.fixture
def separator() -> str:
    """What the worker of `runner` separates with; modules that need stems say "unet"."""
    return "none"


@pytest.fixture
async def runner(
    world: World, engines: Callable[[str], LocalEngine], separator: str
) -> AsyncIterator[Runner]:
    """A worker with its own connection, as the worker process has; it computes in a real child."""
    settings = TaskSettings(world.settings.data, upload_seconds=60)
    async with await open_database(world.settings.database) as database:
        yield Runner(Queue(database), engines(separator), settings)


@contextmanager
def discord_set_to(locale: str) -> Iterator[None]:
    """SimCord's members all have theirs set to English."""
    read = discord.Interaction._from_data

    def reading(interaction: Any, data: Any) -> None:
        read(interaction, {**data, "locale": locale})

    with mock.patch.object(discord.Interaction, "_from_data", reading):
        yield


async def previews_ready(world: World) -> None:
    """Short previews for all tracks, as if each had been played before: for tests that are not about decoding."""
    import io

    import numpy as np
    import soundfile

    sound = io.BytesIO()
    soundfile.write(sound, np.zeros((4410, 2)), 44_100, format="OGG", subtype="VORBIS")
    world.settings.previews.mkdir(parents=True, exist_ok=True)
    for track in await world.bot.library.tracks():
        (world.settings.previews / f"{track.content_hash}.ogg").write_bytes(sound.getvalue())


@pytest.fixture
def drawn_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn in a thread instead of a process each that loads matplotlib first: for tests that are not
    about those processes, as those of tests/core/pictures/test_drawing.py are."""

    from core.pictures import child

    def run(order: bytes, given_up: threading.Event) -> bytes:
        made = child.pictures(json.loads(order))
        return json.dumps({name: base64.b64encode(png).decode() for name, png in made.items()}).encode()

    monkeypatch.setattr("core.pictures.drawing.run_child", run)


async def picks(world: World, who: Any = None, **options: Any) -> Any:
    """Return the card of /recommend."""
    shown = await (who or world.alice).slash(world.channel, "recommend", **options)
    assert shown.response is not None and shown.ephemeral
    within_budget(shown.response)
    return shown.response


async def calm_picks(world: World, who: Any, **options: Any) -> Any:
    """Return the card of /recommend for a calm member."""
    await world.bot.moods.finish(who.id, Profile({"peacefulness": 1.0}))
    return await picks(world, who, **options)


async def upload(world: World, name: str, data: bytes) -> Any:
    return await world.alice.slash(world.channel, "upload", track=(name, data))


async def card(world: World) -> Any:
    """The newest message in the channel: the job's card."""
    return world.channel.last_message


async def tick(world: World, seconds: float = 1.5) -> None:
    await world.env.advance_time(seconds)


async def uploads(world: World) -> list[Path]:
    folder = world.settings.uploads
    return sorted(folder.iterdir()) if folder.is_dir() else []


def walk(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for component in components:
        yield component
        yield from walk(component.get("components") or [])
        if component.get("accessory"):
            yield component["accessory"]


def words(message: Any) -> str:
    """All text of a card."""
    texts = [part["content"] for part in walk(raw(message)) if part.get("type") == 10]
    return "\n".join(texts) or getattr(message, "content", "")


def labels(message: Any) -> list[str]:
    """The labels of the buttons that can be pressed."""
    return [
        part.get("label") or (part.get("emoji") or {}).get("name", "")
        for part in walk(raw(message))
        if part.get("type") == 2 and not part.get("disabled")
    ]


def press_ids(message: Any, action: str) -> list[str]:
    """The custom ids of the buttons of one action, in order."""
    return [
        part["custom_id"]
        for part in walk(raw(message))
        if part.get("type") == 2 and part.get("custom_id", "").startswith(f"ms:{action}:")
    ]


def raw(message: Any) -> list[dict[str, Any]]:
    components = message.components
    return [part if isinstance(part, dict) else part.to_dict() for part in components]


def within_budget(message: Any) -> None:
    """Discord refuses a message that is larger than this."""
    parts = list(walk(raw(message)))
    texts = [part["content"] for part in parts if part.get("type") == 10]
    assert len(parts) <= MAX_COMPONENTS
    assert sum(map(len, texts)) <= MAX_TEXT
    assert sum(len(text.encode()) + 12 for text in texts) <= MAX_BYTES
    ids = [part["custom_id"] for part in parts if "custom_id" in part]
    assert len(ids) == len(set(ids)) and all(len(one) <= 100 for one in ids)
