"""Engines only compute: each maps the same tasks over the processors it has. The queue holds the truth."""
