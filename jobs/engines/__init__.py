"""Engines run the same tasks on different hardware; only the queue keeps state."""
