"""Training data and training runs for the bundled models; nothing here is needed to use them."""
