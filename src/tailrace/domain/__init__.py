"""The words of Tailrace as values and pure functions: no I/O, nothing but stdlib, pydantic and PyYAML."""
