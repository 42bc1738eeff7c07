"""The bot: what it is made of, how it starts and stops, and where its buttons and errors go."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import logging
import pkgutil
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot import cogs
from bot.errors import report
from bot.ui.buttons import Handler, Press
from core.errors import UserError
from core.library.bundled import ensure_samples
from core.library.catalog import Catalog
from core.library.loading import load_catalog
from core.library.store import Database
from core.library.tracks import Library
from jobs.queue import Queue

if TYPE_CHECKING:
    from bot.cogs.jobs import JobCards
    from core.settings import Settings

log = logging.getLogger(__name__)

# This bot never speaks; without this, two warnings about voice libraries open every log.
discord.VoiceClient.warn_nacl = False
discord.VoiceClient.warn_dave = False


class Tree(app_commands.CommandTree["Moodstem"]):
    """Slash commands; every error takes the one path."""

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError
    ) -> None:
        await report(interaction, error)


class Moodstem(commands.Bot):
    """Least privilege: it sees servers and interactions, no messages, members or presences."""

    database: Database
    library: Library
    queue: Queue
    job_cards: JobCards

    def __init__(self, settings: Settings) -> None:
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
        )
        self.settings = settings
        self.handlers: dict[str, Handler] = {}
        self._resources = AsyncExitStack()
        self._catalog: tuple[int, Catalog] | None = None
        self._catalog_lock = asyncio.Lock()

    async def setup_hook(self) -> None:
        """Before the gateway: database, samples, cogs, buttons, commands."""
        self.database = await self._resources.enter_async_context(await Database.open(self.settings.database))
        self.library = Library(self.database)
        self.queue = Queue(self.database)
        await ensure_samples(self.library)
        for module in pkgutil.iter_modules(cogs.__path__, f"{cogs.__name__}."):
            await self.load_extension(module.name)
        self.add_dynamic_items(Press)
        await self._sync_commands()

    async def _sync_commands(self) -> None:
        """Send the commands to Discord when they have changed (it allows 200 creations a day)."""
        guild = discord.Object(self.settings.discord.test_guild) if self.settings.discord.test_guild else None
        if guild is not None:
            self.tree.copy_global_to(guild=guild)
        scope = str(guild.id) if guild else "global"
        payload = [command.to_dict(self.tree) for command in self.tree.get_commands(guild=guild)]
        digest = hashlib.sha256(
            json.dumps([self.application_id, payload], sort_keys=True).encode()
        ).hexdigest()
        known = await self.database.fetch_one("SELECT hash FROM command_sync WHERE scope=?", (scope,))
        registered = await self.tree.fetch_commands(guild=guild)
        if known is None or known["hash"] != digest or len(registered) != len(payload):
            await self.tree.sync(guild=guild)
            await self.database.write(
                "INSERT INTO command_sync (scope, hash) VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET hash=excluded.hash",
                (scope, digest),
            )

    async def close(self) -> None:
        await super().close()  # unloads the cogs, which still need the database
        await self._resources.aclose()

    async def add_cog(self, cog: commands.Cog, /, **options: Any) -> None:
        await super().add_cog(cog, **options)
        for _, method in inspect.getmembers(cog, inspect.iscoroutinefunction):
            action = getattr(method, "__button_action__", None)
            if action is not None:
                assert action not in self.handlers, f"two handlers for the button {action!r}"
                self.handlers[action] = method

    async def press(
        self, interaction: discord.Interaction[Any], action: str, arguments: tuple[str, ...]
    ) -> None:
        """Run a button's handler; an error takes the one path, since discord.py would only log it."""
        try:
            handler = self.handlers.get(action)
            if handler is None:
                raise UserError("This button is from another version of me; run the command again.")
            try:
                inspect.signature(handler).bind(interaction, *arguments)
            except TypeError:
                raise UserError("This card is from another version of me; run the command again.") from None
            await handler(interaction, *arguments)
        except Exception as error:
            await report(interaction, error)

    async def catalog(self) -> Catalog:
        """The library in memory, as of now; rebuilt in a thread when tracks have changed."""
        async with self._catalog_lock:
            version = await self.library.version()
            if self._catalog is None or self._catalog[0] != version:
                uploads = self.settings.library.recommend_uploads
                self._catalog = version, await load_catalog(self.database, uploads=uploads)
            return self._catalog[1]
