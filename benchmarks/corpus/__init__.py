"""Logs to measure with: real ones that this machine can produce now, and one that is made up, of any size."""
