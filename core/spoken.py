"""The languages that members are spoken to in."""

LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español"}
"""{code: its own name}."""
