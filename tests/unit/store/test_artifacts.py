"""Artifacts in the store: announced, kept when their bytes are there, offered to jobs that need them, removed."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, update

from tailrace.domain.artifacts import Announcement, FileSpec
from tailrace.domain.errors import ArtifactRemoved, LeaseLost, NotFound, TooLarge
from tailrace.domain.states import AttemptState
from tailrace.store.artifact_retention import ArtifactRules, find_expired_artifacts
from tailrace.store.artifacts import (
    Carrier,
    announce,
    begin_upload,
    find_carrier,
    find_in_attempt,
    find_offered,
    find_stored,
    finish_upload,
    forget_unfinished,
    list_artifacts,
    list_for_zip,
    offer,
    remove_artifact,
)
from tailrace.store.clock import read_clock
from tailrace.store.runs import get_run
from tailrace.store.segments import archive_in_use, find_orphans, forget_orphans
from tailrace.store.tables import artifact, run
from tests.unit.store.world import a_job, a_run, an_agent, finish, lease, start

MOST = 10_000
DAY = 24 * 3600 * 1000


def a_file(path: str, text: str = "x", size: int = 10) -> FileSpec:
    return FileSpec(path=path, size=size, sha256=(text * 64)[:64].replace("x", "0"))


def carried(connection: Connection, agent: int, *needs: str) -> Carrier:
    """The runner of the next job in the queue."""
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    carrier = find_carrier(connection, held.attempt)
    assert carrier is not None
    return carrier


def say(connection: Connection, carrier: Carrier, *files: FileSpec, keep_s: int | None = None) -> list[int]:
    """The ids of those that are wanted."""
    said = announce(connection, carrier, Announcement(files=files, keep_s=keep_s), MOST)
    assert [kept.path for kept in said] == [file.path for file in files]
    return [kept.id for kept in said if kept.wanted]


def bring(connection: Connection, carrier: Carrier, id: int) -> str:
    key = begin_upload(connection, carrier.attempt_id, id).key
    assert key is not None
    assert finish_upload(connection, carrier.attempt_id, id, key)[0]
    return key


def keep(connection: Connection, carrier: Carrier, *files: FileSpec, keep_s: int | None = None) -> list[int]:
    ids = say(connection, carrier, *files, keep_s=keep_s)
    for id in ids:
        bring(connection, carrier, id)
    return ids


def test_what_was_announced_counts_when_it_is_there(connection: Connection) -> None:
    """Before, nobody sees it, and its object is an orphan; announced again, what is there is not wanted again."""
    run_id = a_run(connection)
    agent = an_agent(connection)
    carrier = carried(connection, agent)
    one, two = say(connection, carrier, a_file("a"), a_file("b"))
    assert not archive_in_use(connection)
    key = begin_upload(connection, carrier.attempt_id, one).key
    assert key is not None
    assert find_orphans(connection, 10, -1) == [key]
    with pytest.raises(NotFound):
        find_stored(connection, one)
    assert finish_upload(connection, carrier.attempt_id, one, key) == (True, False)
    assert find_orphans(connection, 10, -1) == []
    assert archive_in_use(connection)
    assert begin_upload(connection, carrier.attempt_id, one).key is None
    assert say(connection, carrier, a_file("a"), a_file("b")) == [two]
    key = begin_upload(connection, carrier.attempt_id, two).key
    assert key is not None
    assert finish_upload(connection, carrier.attempt_id, two, key) == (True, True)
    assert [(view.path, view.job_name, view.attempt) for view in list_artifacts(connection, run_id)] == [
        ("a", "test", 1),
        ("b", "test", 1),
    ]
    assert get_run(connection, run_id).jobs[0].artifacts == 2


def test_two_tries_at_one_file_leave_one_object(connection: Connection) -> None:
    """The slower one's becomes an orphan; one that was swept meanwhile does not count."""
    a_run(connection)
    carrier = carried(connection, an_agent(connection))
    (id,) = say(connection, carrier, a_file("a"))
    keys = [begin_upload(connection, carrier.attempt_id, id).key or "" for _ in range(3)]
    forget_orphans(connection, [keys[2]])
    assert finish_upload(connection, carrier.attempt_id, id, keys[2]) == (False, False)
    assert finish_upload(connection, carrier.attempt_id, id, keys[0])[0]
    assert finish_upload(connection, carrier.attempt_id, id, keys[1]) == (True, False)
    assert find_stored(connection, id).key == keys[0]
    assert find_orphans(connection, 10, 1000) == [keys[1]], "at once"


def test_another_file_of_a_name_replaces_the_first(connection: Connection) -> None:
    run_id = a_run(connection)
    carrier = carried(connection, an_agent(connection))
    (first,) = keep(connection, carrier, a_file("a", "1"))
    old = find_stored(connection, first).key
    (second,) = keep(connection, carrier, a_file("a", "2"))
    assert [view.id for view in list_artifacts(connection, run_id)] == [second]
    assert find_orphans(connection, 10, 1000) == [old]
    with pytest.raises(ArtifactRemoved, match="a later step of its job"):
        find_stored(connection, first)
    found = find_in_attempt(connection, carrier.attempt_id, "a")
    assert found is not None
    assert found.id == second


def test_limits_hold_for_all_steps_together(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be too much is refused whole."""
    run_id = a_run(connection)
    carrier = carried(connection, an_agent(connection))
    keep(connection, carrier, a_file("a", size=MOST - 10))
    with pytest.raises(TooLarge, match="a job may keep 10,000"):
        say(connection, carrier, a_file("b", size=5), a_file("c", size=6))
    assert len(say(connection, carrier, a_file("b", size=5), a_file("c", size=5))) == 2
    monkeypatch.setattr("tailrace.store.artifacts.MAX_FILES", 3)
    with pytest.raises(TooLarge, match="4 files"):
        say(connection, carrier, a_file("d", size=0))
    assert len(list_artifacts(connection, run_id)) == 1


def test_a_job_is_offered_what_the_last_attempt_of_a_needed_job_kept(connection: Connection) -> None:
    """Not those of other jobs, and nothing by an id that it guesses."""
    run_id = a_run(connection, a_job("build"), a_job("other"), a_job("use", needs=["build"]))
    agent = an_agent(connection)
    build, other = carried(connection, agent), carried(connection, agent)
    (mine,) = keep(connection, build, a_file("b"))
    (foreign,) = keep(connection, other, a_file("o"))
    finish(connection, agent, build.attempt_id)
    use = carried(connection, agent)
    assert [(file.id, file.path) for file in offer(connection, use, "build")] == [(mine, "b")]
    assert find_offered(connection, use, mine).path == "b"
    for job in ("other", "use", "none"):
        with pytest.raises(NotFound):
            offer(connection, use, job)
    with pytest.raises(NotFound):
        find_offered(connection, use, foreign)
    assert [(one.job_name, one.stored.path) for one in list_for_zip(connection, run_id, None)] == [
        ("build", "b"),
        ("other", "o"),
    ]
    assert [one.stored.path for one in list_for_zip(connection, run_id, "other")] == ["o"]


def test_an_attempt_that_has_ended_keeps_nothing_more(connection: Connection) -> None:
    """What it announced and did not bring is forgotten."""
    a_run(connection)
    agent = an_agent(connection)
    carrier = carried(connection, agent)
    say(connection, carrier, a_file("a"))
    assert forget_unfinished(connection) == 0
    carrier.check_held()
    finish(connection, agent, carrier.attempt_id)
    ended = find_carrier(connection, carrier.attempt_id)
    assert ended is not None
    assert ended.state is AttemptState.PASSED
    with pytest.raises(LeaseLost, match="is passed"):
        ended.check_held()
    assert forget_unfinished(connection) == 1


def test_lists_go_on_after_what_was_removed(connection: Connection) -> None:
    """The cursor is an artifact's id, which stays good."""
    run_id = a_run(connection)
    carrier = carried(connection, an_agent(connection))
    keep(connection, carrier, *(a_file(f"{number}") for number in range(5)))
    first = list_artifacts(connection, run_id, limit=2)
    assert [view.path for view in first] == ["0", "1"]
    assert remove_artifact(connection, first[1].id, "why") == run_id
    assert remove_artifact(connection, first[1].id, "why") is None
    rest = list_artifacts(connection, run_id, after=first[1].id)
    assert [view.path for view in rest] == ["2", "3", "4"]


def test_retention_takes_what_its_rule_names_and_nothing_of_a_run_that_goes_on(
    connection: Connection,
) -> None:
    """A plan's own time wins over the settings' days; the limit of bytes takes the oldest run's first."""
    kept: dict[str, int] = {}
    for name, days in (("old", 40), ("young", 10), ("running", 90)):
        run_id = a_run(connection)
        agent = an_agent(connection)
        carrier = carried(connection, agent)
        for path, keep_s in (("plain", None), ("short", 1), ("long", 3600 * 24 * 365)):
            (kept[f"{name} {path}"],) = keep(connection, carrier, a_file(path, size=100), keep_s=keep_s)
        back = {
            "created_at": artifact.c.created_at - days * DAY,
            "keep_until": artifact.c.keep_until - days * DAY,
        }
        connection.execute(update(artifact).where(artifact.c.run_id == run_id).values(**back))
        if name != "running":
            finish(connection, agent, carrier.attempt_id)
            ended = read_clock(connection) - days * DAY
            connection.execute(update(run).where(run.c.id == run_id).values(finished_at=ended))
    names = {id: name for name, id in kept.items()}

    def taken(rules: ArtifactRules) -> list[str]:
        return [names[one.id] for one in find_expired_artifacts(connection, rules)]

    assert taken(ArtifactRules()) == ["old short", "young short"]
    assert taken(ArtifactRules(days=30)) == ["old plain", "old short", "young short"]
    assert taken(ArtifactRules(bytes=650)) == ["old plain", "old short", "young short"]
    assert taken(ArtifactRules(bytes=10)) == [
        "old plain", "old short", "old long", "young plain", "young short", "young long",
    ]  # fmt: skip
