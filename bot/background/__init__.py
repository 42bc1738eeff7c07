"""Cogs that run beside the conversations: the schedule, the embedded worker, monitoring."""
