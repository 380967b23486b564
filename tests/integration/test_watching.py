"""Following a log as it grows, over SSE: exact, from any offset, to the end."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

from tests.integration.test_restarts import counting_run
from tests.support.house import House


def events(house: House, log: int, **options: Any) -> Generator[tuple[str, int | None, dict[str, Any]]]:
    """(event, id, data), one after the other, until the stream ends."""
    with house.client.stream("GET", f"/api/logs/{log}/stream", timeout=60, **options) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif "data" in fields:
                place = int(fields["id"]) if "id" in fields else None
                yield fields.get("event", "message"), place, json.loads(fields["data"])
                fields = {}


def test_a_log_is_followed_live_and_resumed_exactly(house: House, tmp_path: Path) -> None:
    """Cut after some events, resumed by `Last-Event-ID`, followed to the end: what the process wrote, no more, no fewer."""
    house.up()
    run, gate, kept = counting_run(house, tmp_path)
    log = house.attempt(run)["log"]
    text, place = "", 0
    first = events(house, log, params={"from": 0})
    for event, at, data in first:
        place = at
        assert event == "chunk"
        text += data["text"] if data["stream"] == "stdout" else ""
        if len(text) > 1000:
            break
    first.close()
    gate.touch()
    end = None
    for event, _, data in events(house, log, headers={"Last-Event-ID": str(place)}):
        if event == "end":
            end = data
        elif data["stream"] == "stdout":
            text += data["text"]
    assert text.encode() == kept.read_bytes()
    whole = house.output(log, None)
    assert end is not None
    assert end["size"] == len(whole)
    assert end["state"] in ("closed", "sealed")
    again = house.client.get(f"/api/logs/{log}/stream", headers={"Last-Event-ID": str(len(whole))})
    assert again.status_code == 204, "a browser stops asking"


def test_any_range_of_a_log_can_be_read(home: House) -> None:
    """By `Range`, by `from` and `to`, by its last lines; what cannot be is named."""
    run = home.run(home.script_plan("seq 1 1000"))
    home.wait_state(run, "passed")
    log = home.wait_log(run)["log"]
    whole = home.output(log, None)
    address = f"/api/logs/{log}"
    part = home.client.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert home.client.get(address, params={"from": 100, "to": 200}).content == whole[100:200]
    assert home.client.get(address, params={"tail": 3}).content == b"".join(whole.splitlines(True)[-3:])
    assert part.headers["x-log-state"] in ("closed", "sealed")
    assert part.headers["x-log-size"] == str(len(whole))
    wrong = home.client.get(address, params={"from": "ten"})
    assert wrong.status_code == 400
    assert "from" in wrong.json()["detail"]
    assert home.client.get("/api/logs/999999").status_code == 404


def test_the_stream_is_described_with_the_rest(home: House) -> None:
    """Although it is no route of FastAPI's."""
    follow = home.get("/openapi.json")["paths"]["/api/logs/{log}/stream"]["get"]
    names = {parameter["name"] for parameter in follow["parameters"]}
    assert {"log", "from", "tail", "whole", "Last-Event-ID"} <= names
    assert "text/event-stream" in follow["responses"]["200"]["content"]
