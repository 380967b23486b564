"""Benchmarks of a real Tailrace, each beside its baseline in the same run."""
