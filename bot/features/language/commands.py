"""/language: the language in which I answer a member, wherever they are."""

from __future__ import annotations

from discord import app_commands

from bot.app import Feature, Interaction
from bot.errors import slash
from bot.translator import language_of
from bot.widgets import note_card
from bot.words.i18n import tr
from core.library import languages
from core.spoken import LANGUAGES, speak, spoken

AUTOMATIC = "auto"

CHOICES = [
    *(app_commands.Choice(name=name, value=code) for code, name in LANGUAGES.items()),
    app_commands.Choice(name="no choice of its own", value=AUTOMATIC),
]


class Language(Feature):
    """Lets each member choose."""

    @slash(description="The language in which I answer you, on every server.")
    @app_commands.describe(language="Without a choice of yours: the server's, or that of your Discord")
    @app_commands.choices(language=CHOICES)
    async def language(self, interaction: Interaction, language: str) -> None:
        own = None if language == AUTOMATIC else language
        await languages.choose(self.bot.database, interaction.user.id, own)
        speak(await language_of(self.bot.database, interaction))
        sentence = (
            tr("From now on I answer you in {language}.", language=LANGUAGES[spoken()])
            if own
            else tr(
                "You have no choice of your own now; here that means {language}.",
                language=LANGUAGES[spoken()],
            )
        )
        await interaction.response.send_message(view=note_card(sentence), ephemeral=True)
