"""Tailrace: a self-hosted CI/CD system in which every log is live."""

__version__ = "0.1.0"
