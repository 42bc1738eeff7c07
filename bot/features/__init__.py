"""One folder a feature: the conversation (commands.py) beside what it shows (cards.py)."""
