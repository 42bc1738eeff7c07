"""`moodstem`: the command line. Commands import what they need when they run, so that --help is quick."""

from bot.cli import journey, music, report, serve, setup, similar
from bot.cli.root import main

__all__ = ["journey", "main", "music", "report", "serve", "setup", "similar"]
