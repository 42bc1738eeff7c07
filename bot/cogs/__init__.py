"""One conversation per module; the bot loads every module in here."""
