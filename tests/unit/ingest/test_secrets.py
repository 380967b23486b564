"""Opening a job's secrets: all of them, or a sentence that says what to do."""

from __future__ import annotations

from tailrace.domain.credentials import Credentials
from tailrace.domain.lease import Lease
from tailrace.domain.plan import JobSpec
from tailrace.domain.secrets import MAX_VALUE_BYTES
from tailrace.domain.wire import JobSecrets
from tailrace.ingest.handovers import hand_over
from tailrace.ingest.secrets import open_secrets
from tailrace.store.leases import Handover
from tailrace.store.openers import SealedOpener
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


def opener(value: str = "hush", key: SealingKey = KEY) -> SealedOpener:
    return SealedOpener("acme", Credentials(secret="DEPLOY"), sealed("DEPLOY", value, key))


def handed(opener: SealedOpener, *wanted: str, from_fork: bool = False) -> JobSecrets:
    checked_out = lease(*wanted).model_copy(
        update={"repository": "https://example.org/r.git", "from_fork": from_fork}
    )
    return hand_over(KEY, 1, Handover(checked_out, () if from_fork else (sealed("A"),), opener))


def test_what_opens_the_repository_goes_beside_the_jobs_secrets() -> None:
    """It is none of them."""
    secrets = handed(opener(), "A")
    assert (secrets.values, secrets.opener, secrets.refused) == ({"A": "the value"}, "hush", None)
    assert "hush" not in repr(secrets)


def test_a_run_from_a_fork_can_be_checked_out_too() -> None:
    """It is the repository itself that is asked; of secrets the job gets none."""
    secrets = handed(opener(), from_fork=True)
    assert (secrets.values, secrets.opener) == ({}, "hush")


def test_what_opens_nothing_ends_the_job() -> None:
    """With words that name project and secret; the job's other secrets are not handed out."""
    missing = opener()._replace(secret=None)
    for given, why in (
        (missing, "is not set"),
        (opener(key=SealingKey(b"x" * 32)), "cannot be opened"),
        (opener("hush\nhush"), "several lines"),
    ):
        refused = handed(given, "A")
        assert (refused.values, refused.opener) == ({}, None)
        assert refused.refused is not None
        named = "cannot check out https://example.org/r.git: secret DEPLOY, which project acme names"
        assert refused.refused.startswith(named)
        assert why in refused.refused
