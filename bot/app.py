"""The bot: what it is made of, how it starts and stops, and where its buttons and errors go."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import json
import logging
import pkgutil
from collections import OrderedDict
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.consent import Again, ConsentGate, from_short, must_ask, run_command, short_command, short_press
from bot.errors import name_of, report
from bot.metrics import Metrics
from bot.router import Handler, marked, route, typed
from bot.service.catalogs import Catalogs
from bot.service.job_cards import JobCards
from bot.service.listening import Listening
from bot.service.member_data import erase_again
from bot.service.notices import Notices
from bot.service.recommending import Recommending
from bot.service.uploading import Uploading
from bot.translator import Words, language_of
from bot.words.i18n import catalogue
from core.errors import Refusal
from core.library.command_sync import save_synced_commands, synced_commands
from core.library.consent import guard_writes
from core.library.database import Database
from core.library.feedback import Feedback
from core.library.history import History
from core.library.journeys import Journeys
from core.library.members import TABLES
from core.library.parties import Parties
from core.library.playlists import Playlists
from core.library.profiles import Moods
from core.library.recommendations import Recommendations
from core.library.schema import open_database
from core.library.scope import restrict_folders
from core.library.sources.samples import ensure_samples
from core.library.tracks import Library
from core.recommend.taste_term import Tastes
from core.settings import Settings
from core.spoken import LANGUAGES, speak
from jobs.configure import plan
from jobs.process import RunnerProcess
from jobs.queue import Queue
from jobs.schedule import Schedule

log = logging.getLogger(__name__)

LAST_ANSWERS_S = 1.5
"""For handlers that run while the bot stops, before its worker and after it."""

REMEMBERED = 2000
"""Interactions that are known to have come already."""

# This bot never speaks; without this, two warnings about voice libraries open every log.
discord.VoiceClient.warn_nacl = False
discord.VoiceClient.warn_dave = False


class Tree(app_commands.CommandTree["Moodstem"]):
    """Slash commands; every error takes the one path."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Before every command: may this member be answered, and did they consent? Reports errors itself."""
        try:
            if not await self.client.admit(interaction):
                return False
            command, given = interaction.command, interaction.namespace
            if interaction.type is discord.InteractionType.autocomplete or not must_ask(command, given):
                return True
            assert isinstance(command, app_commands.Command)  # menus ask by themselves
            options = dict(iter(given))  # a Namespace seems to have every attribute, keys() as well
            return await self.client.gate.lets_through(
                interaction,
                partial(run_command, command=command, options=options),
                short_command(command.qualified_name, options),
            )
        except Exception as error:  # of which discord.py expects none here: the member would get no answer
            await report(interaction, error)
            self.client.metrics.ended(interaction, name_of(interaction))
            return False

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError
    ) -> None:
        await report(interaction, error)
        self.client.metrics.ended(interaction, name_of(interaction))


class Moodstem(commands.Bot):
    """Least privilege: it sees servers and interactions, no messages, members or presences."""

    database: Database
    library: Library
    queue: Queue
    gate: ConsentGate
    catalogs: Catalogs
    moods: Moods
    history: History
    feedback: Feedback
    tastes: Tastes
    playlists: Playlists
    recommendations: Recommendations
    journeys: Journeys
    parties: Parties
    recommending: Recommending
    listening: Listening
    uploading: Uploading
    job_cards: JobCards
    notices: Notices
    schedule: Schedule
    worker: RunnerProcess | None = None  # the embedded one

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.metrics = Metrics()
        if settings.monitor.port is not None:
            options["http_trace"] = self.metrics.trace()
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            tree_cls=Tree,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_ratelimit_timeout=30,
            owner_ids=set(settings.discord.operators),  # none: discord.py asks who owns the application
            **options,
        )
        self.settings = settings
        self.handlers: dict[str, Handler] = {}
        self.closing = False
        self._answered: OrderedDict[int, None] = OrderedDict()
        self._answering: set[asyncio.Task[Any]] = set()
        self._resources = AsyncExitStack()

    async def setup_hook(self) -> None:
        """Before the gateway: database, samples, cogs, buttons, commands."""
        self.database = await self._resources.enter_async_context(await open_database(self.settings.database))
        await erase_again(self.database, self.settings.data)
        await guard_writes(self.database, [table for table in TABLES if table != "consent"])
        self.library = Library(self.database)
        self.queue = Queue(self.database)
        self.gate = ConsentGate(self.database, self.settings.retention)
        self.catalogs = Catalogs(self.database, self.library, uploads=self.settings.library.recommend_uploads)
        self.moods = Moods(self.database)
        self.history = History(self.database)
        self.feedback = Feedback(self.database)
        self.tastes = Tastes(self.feedback)
        self.playlists = Playlists(self.database)
        self.recommendations = Recommendations(self.database)
        self.journeys = Journeys(self.database)
        self.parties = Parties(self.database)
        self.recommending = Recommending(self.catalogs, self.moods, self.recommendations, self.tastes)
        self.listening = Listening(self.settings, self.database, self.history)
        self.uploading = Uploading(self.settings, self.database, self.queue, self.library)
        self.job_cards = JobCards(self.database, self.queue, self.serves)
        self.notices = Notices(self.database, self.queue, self.serves)
        self.schedule = Schedule(self.queue, plan(self.settings))
        await ensure_samples(self.library)
        await restrict_folders(self.database, self.settings.library.folders, self.settings.library.servers)
        for language in LANGUAGES:  # read now, so that no answer waits for it
            await asyncio.to_thread(catalogue, language)
        await self.tree.set_translator(Words())
        for feature in features():
            await self.add_cog(feature(self))
        await self._sync_commands()

    async def _sync_commands(self) -> None:
        """Send the commands to Discord when they have changed (it allows 200 creations a day)."""
        guild = discord.Object(self.settings.discord.test_guild) if self.settings.discord.test_guild else None
        if guild is not None:
            self.tree.copy_global_to(guild=guild)
        scope = str(guild.id) if guild else "global"
        words = Words()
        payload = [
            await command.get_translated_payload(self.tree, words)
            for command in self.tree.get_commands(guild=guild)
        ]
        digest = hashlib.sha256(
            json.dumps([self.application_id, payload], sort_keys=True).encode()
        ).hexdigest()
        known = await synced_commands(self.database, scope)
        registered = await self.tree.fetch_commands(guild=guild)
        if known != digest or len(registered) != len(payload):
            await self.tree.sync(guild=guild)
            await save_synced_commands(self.database, scope, digest)

    async def close(self) -> None:
        """Answer those who are being answered, then stop: the worker, Discord, the database."""
        self.closing = True
        await self._finish_handlers()
        await super().close()  # unloads the cogs, which still need the database
        await self._finish_handlers()
        await self._resources.aclose()

    async def _finish_handlers(self) -> None:
        if self._answering:
            await asyncio.wait(self._answering, timeout=LAST_ANSWERS_S)

    @property
    def runs_schedule(self) -> bool:
        """Of several processes that share the servers, true for the one that has direct messages, which is exactly one."""
        return self.settings.jobs.schedule and self.serves(None)

    def serves(self, guild_id: int | None) -> bool:
        """Is this server (None: direct messages) one of this process, where several share them?"""
        ids, shards = self.settings.discord.shard_ids, self.settings.discord.shards
        return ids is None or shards == "auto" or ((guild_id or 0) >> 22) % shards in ids

    def dispatch(self, event_name: str, /, *args: Any, **kwargs: Any) -> None:
        if event_name == "interaction":
            self.metrics.arrived(args[0])  # now, not when its task gets to run
        super().dispatch(event_name, *args, **kwargs)

    async def admit(self, interaction: discord.Interaction[Any]) -> bool:
        """Deduplicate, refuse while closing, and set the language in which the running task answers.

        Called first in the task of every interaction, which `close` then waits for.
        """
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        if interaction.id in self._answered:
            log.info("the same interaction came twice: %s", name_of(interaction))
            interaction.extras.pop("arrived", None)  # counted once
            return False
        self._answered[interaction.id] = None
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        speak(await language_of(self.database, interaction))
        if self.closing:
            await report(interaction, Refusal("restarting"))
        return not self.closing

    async def add_cog(self, cog: commands.Cog, /, **options: Any) -> None:
        await super().add_cog(cog, **options)
        for _, method in inspect.getmembers(cog, inspect.iscoroutinefunction):
            if (noted := marked(method)) is not None:
                assert noted.action not in self.handlers, f"two handlers for the button {noted.action!r}"
                self.handlers[noted.action] = method

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Answer buttons, lists and forms (commands go to the tree); an error takes the one path."""
        if interaction.type not in (discord.InteractionType.component, discord.InteractionType.modal_submit):
            return
        try:
            if await self.admit(interaction):
                pressed = route(interaction.data or {})
                if pressed is None:
                    raise Refusal("from-before-restart")
                await self.press(interaction, *pressed)
        except Exception as error:
            await report(interaction, error)
        finally:
            self.metrics.ended(interaction, name_of(interaction))

    async def press(
        self, interaction: discord.Interaction[Any], action: str, arguments: tuple[str, ...]
    ) -> None:
        """Run the handler, after its member has agreed that something is kept where it keeps something."""
        again = partial(self.handle, action=action, arguments=arguments)
        noted = marked(self.handlers.get(action))
        asks = noted is not None and noted.consent
        if not asks or await self.gate.lets_through(interaction, again, short_press(action, arguments)):
            await again(interaction)

    async def handle(
        self, interaction: discord.Interaction[Any], action: str, arguments: tuple[str, ...]
    ) -> None:
        """Run the handler. Raises UserError when this version of the bot knows no such button."""
        handler = self.handlers.get(action)
        if handler is None:
            raise Refusal("button-of-other-version")
        if (suiting := typed(handler, arguments)) is None:
            raise Refusal("card-of-other-version")
        await handler(interaction, *suiting)

    def again(self, short: str) -> Again | None:
        """What a consent card's own button says that waited; None when it says nothing that this version knows."""
        match from_short(short):
            case str(name), dict(options):
                found = (one for one in self.tree.walk_commands() if one.qualified_name == name)
                command = next(found, None)
                return (
                    partial(run_command, command=command, options=options)
                    if isinstance(command, app_commands.Command)
                    else None
                )
            case str(action), tuple(arguments):
                return partial(self.handle, action=action, arguments=arguments)
        return None


class ShardedMoodstem(Moodstem, commands.AutoShardedBot):
    """The same with several connections to Discord, or with some of those that several processes share."""


Interaction = discord.Interaction[Moodstem]
"""What commands, buttons and lists get."""


class Feature(commands.Cog):
    """The commands and buttons of one feature, or what runs beside them; the bot finds it by itself."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot


def features() -> list[type[Feature]]:
    """Return the features of all modules in bot.background and bot.features."""
    packages = [importlib.import_module(f"bot.{name}") for name in ("background", "features")]
    modules = [
        importlib.import_module(module.name)
        for package in packages
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return [
        one
        for module in modules
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Feature) and one.__module__ == module.__name__
    ]
