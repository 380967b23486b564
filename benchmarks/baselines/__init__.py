"""What others would build: servers that do nothing but hand chunks to watchers, each a process of its own.

Each is started as `python -m benchmarks.baselines.NAME …`, prints the port that it listens on, and runs until it is ended.
"""
