"""Thousands of watchers in one process, which must never be what is waited for.

One epoll loop reads all sockets; identical bytes are looked at once. Every byte of the log is checked at every watcher.
"""
