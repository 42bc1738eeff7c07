"""The bot's token at Discord: where it is kept, and read without ever being shown."""

from __future__ import annotations

import os
import string
from pathlib import Path

from core import logs
from core.errors import UserError
from core.folders import replace_file

ANEW = "copy it anew (developer portal, Bot, Reset Token)"


def token_file(data: Path) -> Path:
    """DISCORD_TOKEN_FILE, else `token` in the data folder (which may be absent)."""
    return Path(os.environ.get("DISCORD_TOKEN_FILE") or data / "token")


def read_token(data: Path) -> str:
    """DISCORD_TOKEN, else what the token's file holds; "" if there is neither. Logs hide it from then on.

    Raises UserError when the file cannot be read or holds something that cannot be a token.
    """
    if text := os.environ.get("DISCORD_TOKEN", "").strip():
        return cleaned(text, "DISCORD_TOKEN")
    file = token_file(data)
    try:
        return cleaned(file.read_text("utf-8"), str(file))
    except FileNotFoundError:
        if os.environ.get("DISCORD_TOKEN_FILE"):
            raise UserError(f"DISCORD_TOKEN_FILE names {file}, which is not there.") from None
        return ""
    except OSError as error:
        raise UserError(f"The token's file {file} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError:
        raise UserError(f"The token's file {file} holds something else: {ANEW}.") from None


def cleaned(text: str, origin: str) -> str:
    """The token without what often comes along with it: line ends, quotes, 'Bot '. Logs hide it from then on.

    Raises UserError, which names `origin` and never the text, if something is left that no token has.
    """
    around = string.whitespace + "\"'"
    token = text.strip(around).removeprefix("Bot ").strip(around)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(f"The token in {origin} has a line break, a space or another foreign sign: {ANEW}.")
    logs.hide(token)
    return token


def keep_token(data: Path, token: str) -> Path:
    """Write the token into its file, which only its owner can read; returns the file. Raises OSError."""
    file = token_file(data)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(file, f"{token}\n", mode=0o600)
    return file
