"""Monitoring, when a port is set: /health and /metrics on loopback, for service managers, container engines and
Prometheus; and how late the event loop's timers fire."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any, cast

import discord
from aiohttp import web
from aiohttp.typedefs import Handler
from discord import app_commands
from discord.ext import commands
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from bot.app import Feature, Moodstem
from bot.condition import look
from bot.errors import name_of
from core.errors import UserError
from jobs.disk import usage
from jobs.totals import totals

log = logging.getLogger(__name__)

SAMPLE_S = 0.1
"""Between two looks at the event loop's lag."""


def _family(kind: Any, name: str, meaning: str, labels: Sequence[str], values: Iterable[Any]) -> Metric:
    """`values` are pairs of the labels' values and a number."""
    family: Any = kind(f"moodstem_{name}", meaning, labels=labels)
    for of, value in values:
        family.add_metric(of, value)
    return cast(Metric, family)


class _Read(Collector):
    """What is read when somebody asks, not counted on the way."""

    metrics: Sequence[Metric] = ()

    def collect(self) -> Iterable[Metric]:
        return self.metrics


class Monitoring(Feature):
    """Serves one bot's state, and counts commands that went well."""

    def __init__(self, bot: Moodstem) -> None:
        super().__init__(bot)
        self._read = _Read()
        bot.metrics.registry.register(self._read)
        self._runner: web.AppRunner | None = None
        self._sampler: asyncio.Task[None] | None = None

    async def cog_load(self) -> None:
        """Raises UserError when the port cannot be used."""
        where = self.bot.settings.monitor
        if where.port is None:
            return
        app = web.Application(middlewares=[self.refuse_names])
        app.router.add_get("/health", self.health)
        app.router.add_get("/metrics", self.metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, where.host, where.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise UserError(
                f"{where.host}:{where.port} cannot be used for monitoring ({error.strerror}): choose another port under [monitor]."
            ) from error
        self._sampler = asyncio.create_task(self.sample(), name="event-loop-lag")

    async def cog_unload(self) -> None:
        if self._sampler is not None:
            self._sampler.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def refuse_names(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse pages of a browser whose own domain was made to point here (DNS rebinding): addresses, and names
        without a dot such as localhost or a container's, are nobody's to register."""
        name = request.host.partition(":")[0].lower()
        if re.search(r"\.[a-z]", name) and name != self.bot.settings.monitor.host.lower():
            raise web.HTTPForbidden(text="ask by an address, or name this host under [monitor]")
        return await handler(request)

    async def health(self, request: web.Request) -> web.Response:
        """200 while members are answered and uploads analysed, else 503; the body says what an operator must mend."""
        bot = self.bot
        problems, workers = [], 0
        if bot.closing:
            problems.append("stopping")
        elif not bot.is_ready():
            problems.append("not connected to Discord")
        try:
            now = await look(bot)
            workers = now.workers
            problems += now.problems(bot)
        except Exception as error:  # whatever it is, members are not served
            problems.append(f"the database or its disk cannot be read: {error}")
        report = {
            "ok": not problems,
            "problems": problems,
            "servers": len(bot.guilds),
            "gateway_latency_s": round(bot.latency, 4) if math.isfinite(bot.latency) else None,
            "workers": workers,
        }
        return web.json_response(report, status=503 if problems else 200)

    async def metrics(self, request: web.Request) -> web.Response:
        """Return the metrics page; the longest lag is the one since the previous request."""
        self._read.metrics = await self._state()
        page = generate_latest(self.bot.metrics.registry)
        self.bot.metrics.reset_longest_lag()
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _state(self) -> list[Metric]:
        bot, now = self.bot, await look(self.bot)
        sizes = {"database": now.database_bytes, **await asyncio.to_thread(usage, bot.settings.data)}
        latencies = getattr(bot, "latencies", None) or [(0, bot.latency)]
        counts, passed = await bot.queue.counts(), await totals(bot.database)
        gauge, counter = GaugeMetricFamily, CounterMetricFamily
        stages = SummaryMetricFamily(
            "moodstem_stage_seconds", "Time of a finished job's stages.", labels=["kind", "stage"]
        )
        for of, (count, seconds) in passed.stages.items():
            stages.add_metric(of, count_value=count, sum_value=seconds)
        return [
            stages,
            _family(gauge, "gateway_latency_seconds", "Between a heartbeat and its echo.", ["shard"],
                    [([str(shard)], seconds) for shard, seconds in latencies if math.isfinite(seconds)]),
            _family(gauge, "servers", "Servers that this process serves.", [], [([], len(bot.guilds))]),
            _family(gauge, "jobs", "Jobs in the queue's table by state.", ["state"],
                    [([state], count) for state, count in counts.items()]),
            _family(gauge, "queue_age_seconds", "Age of the oldest job that waits.", [],
                    [([], time.time() - now.waiting_since if now.waiting_since else 0)]),
            _family(gauge, "workers", "Workers that are ready.", [], [([], now.workers)]),
            _family(counter, "worker_restarts", "Workers that ended by themselves.", [], [([], now.restarts)]),
            _family(counter, "jobs_ended", "Jobs that ended, by kind and how.", ["kind", "state"],
                    passed.ended.items()),
            _family(gauge, "disk_free_bytes", "Free on the data folder's disk.", [], [([], now.free_bytes)]),
            _family(gauge, "data_bytes", "What the data folder holds.", ["part"],
                    [([part], size) for part, size in sizes.items()]),
            _family(gauge, "backup_age_seconds", "Age of the newest backup.", [],
                    [([], time.time() - now.backup_at)] if now.backup_at else []),
            _family(gauge, "schedule_last_success_timestamp_seconds", "When a scheduled task last ended well.",
                    ["task"], [([one["name"]], one["last_success"]) for one in now.schedule if one["last_success"]]),
        ]  # fmt: skip

    async def sample(self) -> None:
        """How late the event loop wakes up, in seconds, again and again."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + SAMPLE_S
            await asyncio.sleep(SAMPLE_S)
            self.bot.metrics.lagged(max(0.0, loop.time() - due))

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        tracks = (await self.bot.library.counts())["total"]
        log.info("Ready: %d servers, %d tracks", len(self.bot.guilds), tracks)

    @commands.Cog.listener()
    async def on_app_command_completion(
        self,
        interaction: discord.Interaction[Any],
        command: app_commands.Command[Any, ..., Any] | app_commands.ContextMenu,
    ) -> None:
        self.bot.metrics.ended(interaction, name_of(interaction))
