"""The only place that makes sentences for people, in the reader's language, from the facts of core and jobs."""
