"""Monitoring, when a port is set: /health and /metrics on loopback, for service managers, container engines and
Prometheus; and how late the event loop's timers fire."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable
from typing import Any

import discord
from aiohttp import web
from discord import app_commands
from discord.ext import commands
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from bot.app import Feature, Moodstem
from bot.errors import name_of
from core.errors import UserError
from jobs.totals import Totals, totals

SAMPLE_S = 0.1
"""Between two looks at the event loop's lag."""

RUNNER_ALIVE_S = 60.0
"""Runners say every 15 s that they are there."""


class Monitoring:
    """Serves one bot's state; `start` and `stop` go with the bot."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.state = _State()
        self.bot.metrics.registry.register(self.state)
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Raises UserError when the port cannot be used."""
        app = web.Application()
        app.router.add_get("/health", self.health)
        app.router.add_get("/metrics", self.metrics)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise UserError(
                f"{host}:{port} cannot be used for monitoring ({error.strerror}): choose another port under [monitor]."
            ) from error
        self._runner = runner

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def health(self, request: web.Request) -> web.Response:
        """200 while members are answered, else 503; the body says what is wrong."""
        bot = self.bot
        problems = []
        if bot.closing:
            problems.append("stopping")
        elif not bot.is_ready():
            problems.append("not connected to Discord")
        try:
            runners = await bot.queue.runners()
        except Exception as error:  # whatever it is, members are not served
            problems.append(f"the database cannot be read: {error}")
            runners = []
        alive = sum(runner["seen_at"] > time.time() - RUNNER_ALIVE_S for runner in runners)
        report = {
            "ok": not problems,
            "problems": problems,
            "servers": len(bot.guilds),
            "gateway_latency_s": round(bot.latency, 4) if math.isfinite(bot.latency) else None,
            "workers": alive,
        }
        return web.json_response(report, status=503 if problems else 200)

    async def metrics(self, request: web.Request) -> web.Response:
        """Return the metrics page; the longest lag is the one since the previous request."""
        await self.state.look(self.bot)
        page = generate_latest(self.bot.metrics.registry)
        self.bot.metrics.reset_longest_lag()
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE_LATEST})


class _State(Collector):
    """What is read when somebody asks, not counted on the way."""

    def __init__(self) -> None:
        self.latencies: list[tuple[int, float]] = []
        self.servers = 0
        self.jobs: dict[str, int] = {}
        self.workers: list[dict[str, Any]] = []
        self.totals = Totals({}, {})

    async def look(self, bot: Moodstem) -> None:
        self.latencies = getattr(bot, "latencies", None) or [(0, bot.latency)]
        self.servers = len(bot.guilds)
        self.jobs = await bot.queue.counts()
        self.workers = await bot.queue.runners()
        self.totals = await totals(bot.database)

    def collect(self) -> Iterable[Metric]:
        latency = GaugeMetricFamily(
            "moodstem_gateway_latency_seconds", "Between a heartbeat and its echo.", labels=["shard"]
        )
        for shard, seconds in self.latencies:
            if math.isfinite(seconds):
                latency.add_metric([str(shard)], seconds)
        yield latency
        yield GaugeMetricFamily("moodstem_servers", "Servers that this process serves.", self.servers)
        jobs = GaugeMetricFamily("moodstem_jobs", "Jobs in the queue's table by state.", labels=["state"])
        for state, count in self.jobs.items():
            jobs.add_metric([state], count)
        yield jobs
        now = time.time()
        alive = [runner for runner in self.workers if runner["seen_at"] > now - RUNNER_ALIVE_S]
        yield GaugeMetricFamily("moodstem_workers", "Workers that were heard of within a minute.", len(alive))
        ended = CounterMetricFamily(
            "moodstem_jobs_ended", "Jobs that ended, by kind and how.", labels=["kind", "state"]
        )
        for (kind, state), count in self.totals.ended.items():
            ended.add_metric([kind, state], count)
        yield ended
        stages = SummaryMetricFamily(
            "moodstem_stage_seconds", "Time of a finished job's stages.", labels=["kind", "stage"]
        )
        for (kind, stage), (count, seconds) in self.totals.stages.items():
            stages.add_metric([kind, stage], count_value=count, sum_value=seconds)
        yield stages


class Watch(Feature):
    """Counts commands that went well, and serves what was counted."""

    def __init__(self, bot: Moodstem) -> None:
        super().__init__(bot)
        self.monitoring = Monitoring(bot)
        self.sampler: asyncio.Task[None] | None = None

    async def cog_load(self) -> None:
        where = self.bot.settings.monitor
        if where.port is not None:
            await self.monitoring.start(where.host, where.port)
            self.sampler = asyncio.create_task(self.sample(), name="event-loop-lag")

    async def cog_unload(self) -> None:
        if self.sampler is not None:
            self.sampler.cancel()
        await self.monitoring.stop()

    async def sample(self) -> None:
        """How late the event loop wakes up, in seconds, again and again."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + SAMPLE_S
            await asyncio.sleep(SAMPLE_S)
            self.bot.metrics.lagged(max(0.0, loop.time() - due))

    @commands.Cog.listener()
    async def on_app_command_completion(
        self,
        interaction: discord.Interaction[Any],
        command: app_commands.Command[Any, ..., Any] | app_commands.ContextMenu,
    ) -> None:
        self.bot.metrics.ended(interaction, name_of(interaction))
