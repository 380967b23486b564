"""What is removed by and by."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from tailrace import passes
from tailrace.passes import pass_every_hour


async def test_a_pass_that_fails_is_told_and_the_next_one_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "FIRST_S", 0.0)
    monkeypatch.setattr(passes, "PASS_S", 0.0)
    came = asyncio.Event()
    number = 0

    async def apply() -> None:
        nonlocal number
        number += 1
        if number == 1:
            raise OSError("the disk is away")
        came.set()

    with capture_logs() as logs:
        passing = asyncio.create_task(pass_every_hour(apply, "logs"))
        await came.wait()
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)
    assert [(one["event"], one["error"]) for one in logs] == [
        ("logs could not be removed; trying again", "the disk is away")
    ]
