"""`tailrace cron` asks no server: it prints the next ticks, there and in UTC."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from tailrace.cli.client import CallFailed
from tailrace.cli.cron import cron
from tailrace.domain.errors import TailraceError


def test_the_next_ticks_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """By the clock of the zone: Berlin is one or two hours ahead."""
    assert cron("30 2 * * *", zone="Europe/Berlin", count=400, json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["expression"], told["zone"], told["fixed"]) == ("30 2 * * *", "Europe/Berlin", True)
    ticks = [
        (datetime.fromisoformat(one["at"]), datetime.fromisoformat(one["local"])) for one in told["ticks"]
    ]
    assert len(ticks) == 400
    assert all(at == local for at, local in ticks)
    assert ticks == sorted(ticks)
    assert {at.hour for at, _ in ticks} >= {0, 1}
    assert cron("0 12 * * 1", count=2) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["DAY", "Mon", "Mon"]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(TailraceError, match="minute '61': expected 0 to 59"):
        cron("61 * * * *")
    with pytest.raises(TailraceError, match="Mars"):
        cron("* * * * *", zone="Mars")
    with pytest.raises(CallFailed, match="--count 0: allowed: 1 to 1000"):
        cron("* * * * *", count=0)
