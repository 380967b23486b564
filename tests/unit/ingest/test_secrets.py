"""Opening a job's secrets: all of them, or a sentence that says what to do."""

from __future__ import annotations

from tailrace.domain.lease import Lease
from tailrace.domain.plan import JobSpec
from tailrace.domain.secrets import MAX_VALUE_BYTES
from tailrace.ingest.secrets import open_secrets
from tailrace.store.sealing import SealingKey
from tailrace.store.secrets import SealedSecret

KEY = SealingKey(bytes(32))


def lease(*wanted: str) -> Lease:
    return Lease(
        attempt=9, number=2, cookie="ab12", log=7, run=12, run_number=5, project="acme", plan="default",
        repository="/r", job=JobSpec(name="test", secrets=wanted),
    )  # fmt: skip


def sealed(name: str, value: str = "the value", key: SealingKey = KEY, row: str = "row") -> SealedSecret:
    return SealedSecret(name, row, key.seal(value, "row"))


def test_all_that_are_wanted_are_opened() -> None:
    opened = open_secrets(KEY, lease("A", "B"), [sealed("A"), sealed("B", "another")])
    assert (opened.values, opened.refused) == ({"A": "the value", "B": "another"}, None)
    assert open_secrets(KEY, lease(), []).values == {}


def test_every_missing_one_is_named_with_what_to_do() -> None:
    """And none is handed out: the job cannot do its work without all."""
    refused = open_secrets(KEY, lease("A", "B", "C"), [sealed("B")])
    assert refused.values == {}
    assert refused.refused is not None
    assert "not set: A, C;" in refused.refused
    assert "tailrace secret set NAME --project acme" in refused.refused


def test_what_does_not_open_is_said() -> None:
    """Another key, or a value that was moved from another row."""
    other = open_secrets(KEY, lease("A"), [sealed("A", key=SealingKey(bytes(31) + b"x"))])
    assert "sealed with another secret_key" in str(other.refused)
    moved = open_secrets(KEY, lease("A"), [sealed("A", row="other row")])
    assert "belong to another row" in str(moved.refused)


def test_too_much_for_a_pipe_is_refused() -> None:
    big = "x" * MAX_VALUE_BYTES
    many = [sealed(name, big) for name in "ABCDE"]
    assert "327680 bytes together" in str(open_secrets(KEY, lease(*"ABCDE"), many).refused)
