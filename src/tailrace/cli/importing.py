"""Imports of commands that stay: what they bring is there for good, and looking for garbage in it takes a sixth of a start."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def for_good() -> Generator[None]:
    """No garbage is looked for meanwhile, and never among what is there afterwards."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
