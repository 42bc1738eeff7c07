"""/privacy: what I keep about a member, handed out or erased; and the two answers to 'may I keep something about you?'."""

from __future__ import annotations

import contextlib
import io
import json

import discord
from discord import app_commands
from discord.ext import tasks

from bot.app import Feature, Interaction
from bot.consent import Waiting, stores_nothing
from bot.errors import TROUBLE, slash
from bot.features.privacy.cards import erase_card, privacy_card
from bot.posted import take_down
from bot.router import on_press
from bot.service.member_data import erase_member
from bot.theme import GOOD
from bot.widgets import note_card
from bot.words.i18n import mark, tr
from core.library.consent import agree
from core.library.members import export_member

AGREED = mark(
    "Thank you. I was restarted meanwhile and have forgotten what you asked for: please do it once more."
)
NOT_NOW = mark(
    "All right, nothing was stored. `/help`, `/library track` and what others share work without it; I'll ask again when something needs it."
)


class Privacy(Feature):
    """Hands out, forgets, and remembers a yes."""

    @slash(description="What I keep about you; have it handed out or erased.", extras=stores_nothing)
    @app_commands.describe(action="Have it handed out or erased at once, without reading what it is.")
    @app_commands.choices(
        action=[
            app_commands.Choice(name="export", value="export"),
            app_commands.Choice(name="erase", value="erase"),
        ]
    )
    async def privacy(self, interaction: Interaction, action: str | None = None) -> None:
        match action:
            case "export":
                await self.export(interaction)
            case "erase":
                await self.ask(interaction)
            case _:
                card = privacy_card(self.bot.settings.retention)
                await interaction.response.send_message(view=card, ephemeral=True)

    @on_press("privacy_export", consent=False)
    async def export(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await export_member(self.bot.database, interaction.user.id)
        data = json.dumps(found, ensure_ascii=False, indent=1).encode()
        await interaction.edit_original_response(
            content=tr("Everything that I keep about you:"),
            attachments=[discord.File(io.BytesIO(data), filename="moodstem-export.json")],
        )

    @on_press("privacy_ask", consent=False)
    async def ask(self, interaction: Interaction) -> None:
        await interaction.response.send_message(view=erase_card(), ephemeral=True)

    @on_press("privacy_erase", consent=False)
    async def erase(self, interaction: Interaction) -> None:
        await interaction.response.defer()
        counts = await erase_member(self.bot.database, self.bot.settings.data, interaction.user.id)
        rows = sum(count for table, count in counts.items() if table != "file")
        await interaction.edit_original_response(
            view=note_card(
                tr(
                    "Erased: {entries} entries and {files} files. I know nothing about you now.",
                    entries=rows,
                    files=counts["file"],
                )
            )
        )
        await take_down(self.bot, self.bot.database)

    async def cog_load(self) -> None:
        self.take_down.start()

    async def cog_unload(self) -> None:
        self.take_down.cancel()

    @tasks.loop(minutes=1)
    async def take_down(self) -> None:
        """What was erased by the command line, or could not be taken down at once."""
        await take_down(self.bot, self.bot.database)

    @take_down.before_loop
    async def wait_for_discord(self) -> None:
        await self.bot.wait_until_ready()

    @on_press("consent_yes", consent=False)
    async def yes(self, interaction: Interaction, asked: str, *short: str) -> None:
        """Notes the consent, then does what waited for it: a command, a button, or nothing that is still known."""
        await agree(self.bot.database, interaction.user.id)
        waiting = self.bot.gate.take(asked, interaction.user.id)
        again = waiting.again if waiting is not None else self.bot.again(":".join(short))
        if again is not None:
            await again(interaction)
        else:
            await interaction.response.edit_message(view=note_card(tr(AGREED), colour=GOOD))
        await self.clear(interaction, waiting)

    async def clear(self, interaction: Interaction, waiting: Waiting | None) -> None:
        """Take the card away, unless the answer has taken its place."""
        kind = interaction.response.type
        in_place = (
            discord.InteractionResponseType.message_update,
            discord.InteractionResponseType.deferred_message_update,
            discord.InteractionResponseType.modal,  # what is sent with it takes the card's place
        )
        if waiting is not None and kind not in in_place and not waiting.interaction.is_expired():
            with contextlib.suppress(*TROUBLE):
                await waiting.interaction.delete_original_response()

    @on_press("consent_no", consent=False)
    async def no(self, interaction: Interaction) -> None:
        await interaction.response.edit_message(view=note_card(tr(NOT_NOW)))
