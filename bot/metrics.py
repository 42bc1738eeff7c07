"""What is counted and timed while the bot runs, in Prometheus' terms; bot/background/monitoring.py serves it.

Each bot has a registry of its own, so that two bots in one process (tests) do not add up.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

OPEN_AT_MOST = 5000
"""Interactions remembered until their answer; older ones were never answered."""

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 10.0, 60.0)
_CALLBACK = re.compile(r"/interactions/(\d+)/[^/]+/callback$")


class Metrics:
    """One bot's counters."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.acknowledged = Histogram(
            "moodstem_acknowledgement_seconds",
            "From an interaction's arrival to Discord's receipt of the first answer (Discord gives up after 3 s).",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.handled = Histogram(
            "moodstem_interaction_seconds",
            "From an interaction's arrival to the end of its handler.",
            ["name"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.interactions = Counter(
            "moodstem_interactions",
            "Commands, buttons and the like, by how they ended: ok, refused (a sentence), expired or error (a bug).",
            ["name", "outcome"], registry=registry,
        )  # fmt: skip
        self.requests = Counter(
            "moodstem_discord_requests", "Requests to Discord by status.", ["method", "status"], registry=registry
        )  # fmt: skip
        self.recommended = Counter(
            "moodstem_recommendations", "Lists of tracks that were recommended.", registry=registry
        )
        self.lag = Histogram(
            "moodstem_event_loop_lag_seconds", "How late a timer of the event loop fires.",
            buckets=(0.001, 0.005, *_SECONDS[:-2]), registry=registry,
        )  # fmt: skip
        self.longest_lag = Gauge(
            "moodstem_event_loop_longest_lag_seconds",
            "The longest lag since the last scrape.", registry=registry,
        )  # fmt: skip
        self._longest_lag_s = 0.0
        self._arrived: OrderedDict[int, float] = OrderedDict()

    def arrived(self, interaction: discord.Interaction[Any]) -> None:
        """Discord handed us an interaction, just now."""
        interaction.extras["arrived"] = self._arrived[interaction.id] = time.perf_counter()
        if len(self._arrived) > OPEN_AT_MOST:
            self._arrived.popitem(last=False)

    def ended(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Its handler has ended; `outcome` among its extras says how, when not well."""
        began = interaction.extras.pop("arrived", None)
        if began is None:  # counted already
            return
        self.handled.labels(name).observe(time.perf_counter() - began)
        self.interactions.labels(name, interaction.extras.get("outcome", "ok")).inc()

    def trace(self) -> aiohttp.TraceConfig:
        """For discord.py's HTTP client: counts requests, and times the first answer to each interaction."""
        config = aiohttp.TraceConfig()
        config.on_request_end.append(self._request_ended)
        config.on_request_exception.append(self._request_failed)
        return config

    async def _request_ended(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, ended: aiohttp.TraceRequestEndParams
    ) -> None:
        self.requests.labels(ended.method, str(ended.response.status)).inc()
        found = _CALLBACK.search(ended.url.path)
        if found and ended.response.status < 300:
            arrived = self._arrived.pop(int(found[1]), None)
            if arrived is not None:
                self.acknowledged.observe(time.perf_counter() - arrived)

    async def _request_failed(
        self,
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        failed: aiohttp.TraceRequestExceptionParams,
    ) -> None:
        self.requests.labels(failed.method, "none").inc()

    def lagged(self, seconds: float) -> None:
        """Record that the event loop woke up `seconds` late."""
        self.lag.observe(seconds)
        self._set_longest_lag(max(seconds, self._longest_lag_s))

    def reset_longest_lag(self) -> None:
        """Start a new interval for the longest lag."""
        self._set_longest_lag(0.0)

    def _set_longest_lag(self, seconds: float) -> None:
        self._longest_lag_s = seconds  # a Gauge cannot be read
        self.longest_lag.set(seconds)
