"""Artifacts: files that jobs keep, from a runner into the archive and from there to people and to other jobs."""
