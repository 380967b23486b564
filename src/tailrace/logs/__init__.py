"""Logs: bytes at offsets, and the spans that tell where they came from."""
