"""Heads: a change is told once, whether a webhook or a poll tells it first, and a late webhook moves nothing back."""

from __future__ import annotations

import asyncio
import random
import secrets

import pytest
from sqlalchemy import Connection

from tailrace.store import Store
from tailrace.store.heads import MOVES_KEPT, Head, find_head, forget_head, list_heads, move_head
from tests.unit.store.world import a_project

MAIN = "refs/heads/main"


class Told:
    """A project's main branch, and who tells of it; each answer says whether it is a change."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._project = a_project(connection, "heads")

    def webhook(self, before: str | None, revision: str, made: int | None = None) -> bool:
        return move_head(self._connection, self._project, MAIN, revision, before, by="webhook", made=made)

    def poll(self, revision: str, made: int | None = None) -> bool:
        return move_head(self._connection, self._project, MAIN, revision, by="git", made=made)

    @property
    def head(self) -> str | None:
        return find_head(self._connection, self._project, MAIN)

    def forget(self) -> None:
        forget_head(self._connection, self._project, MAIN)

    @property
    def heads(self) -> list[Head]:
        return list_heads(self._connection, self._project)


def test_pushes_in_order_are_changes_each_and_the_poll_behind_them_finds_nothing(
    connection: Connection,
) -> None:
    told = Told(connection)
    assert told.webhook("0" * 40, "a")
    assert told.webhook("a", "b")
    assert not told.poll("b")
    assert told.heads == [Head(MAIN, "b")]


def test_there_and_back_is_two_changes(connection: Connection) -> None:
    told = Told(connection)
    told.poll("a")
    assert told.webhook("a", "b")
    assert told.webhook("b", "a")
    assert told.webhook("a", "b")
    assert told.head == "b"


def test_there_and_back_that_only_polls_saw_is_two_changes(connection: Connection) -> None:
    told = Told(connection)
    assert told.poll("a")
    assert told.poll("b")
    assert told.poll("a")
    assert told.head == "a"


def test_the_webhook_of_what_a_poll_found_first_is_no_change(connection: Connection) -> None:
    told = Told(connection)
    told.poll("a")
    assert told.poll("b")
    assert not told.webhook("a", "b")
    assert told.webhook("b", "c"), "the next push is one"


def test_late_webhooks_of_there_and_back_do_not_move_what_polls_saw_of_it(connection: Connection) -> None:
    told = Told(connection)
    told.webhook(None, "a")
    told.poll("b")
    told.poll("a")
    assert not told.webhook("a", "b")
    assert told.head == "a"
    assert not told.webhook("b", "a")
    assert told.head == "a"
    assert told.webhook("a", "b"), "a third change is one again"


def test_a_late_webhook_of_a_commit_that_the_poll_passed_over_is_a_change_and_moves_nothing_back(
    connection: Connection,
) -> None:
    told = Told(connection)
    told.webhook(None, "a")
    assert told.poll("c")
    assert told.webhook("a", "b"), "nobody has made a run of it"
    assert told.head == "c"
    assert not told.webhook("b", "c")
    assert not told.poll("c")


def test_what_a_lost_webhook_did_not_tell_the_next_one_passes_over(connection: Connection) -> None:
    told = Told(connection)
    told.webhook(None, "a")
    assert told.webhook("b", "c"), "that of b was lost"
    assert told.head == "c"


def test_two_webhooks_of_one_push_are_one_change(connection: Connection) -> None:
    told = Told(connection)
    assert told.webhook("a", "b")
    assert not told.webhook("a", "b")
    assert told.webhook("b", "c")
    assert not told.webhook("a", "b"), "also when it comes after the next one"
    assert told.head == "c"


def test_two_webhooks_of_a_push_after_one_that_was_lost_are_one_change(connection: Connection) -> None:
    """As those of a repository and its organisation, or a forge that tries again, tell it."""
    told = Told(connection)
    told.webhook(None, "a")
    assert told.webhook("b", "c"), "that of b was lost"
    assert not told.webhook("b", "c")
    assert not told.webhook("b", "c")
    assert told.webhook("c", "d")
    assert not told.webhook("b", "c"), "also when it comes after the next one"
    assert told.head == "d"


def test_two_webhooks_that_overtook_the_one_before_them_are_one_change(connection: Connection) -> None:
    """And the late one is a change too, once, and moves nothing back."""
    told = Told(connection)
    told.webhook(None, "a")
    assert told.webhook("b", "c")
    assert told.webhook("a", "b")
    assert not told.webhook("a", "b")
    assert told.head == "c"


def test_what_comes_late_after_something_that_was_lost_moves_nothing_back(connection: Connection) -> None:
    told = Told(connection)
    told.webhook(None, "a")
    assert told.webhook("c", "d"), "that of b was lost, that of c is late"
    assert told.webhook("b", "c")
    assert not told.webhook("b", "c")
    assert told.head == "d"


def test_there_and_back_of_which_only_the_end_was_told_is_one_change(connection: Connection) -> None:
    told = Told(connection)
    told.poll("0")
    told.webhook("0", "a")
    assert told.webhook("b", "a"), "that of b was lost"
    assert not told.webhook("b", "a")
    assert told.head == "a"


def test_webhooks_sent_again_by_hand_in_their_order_move_nothing_back(connection: Connection) -> None:
    """As somebody does at the forge when the server was away for three pushes and the fourth came first."""
    told = Told(connection)
    told.webhook(None, "r0")
    assert told.webhook("r3", "r4")
    for number in (1, 2, 3):
        assert told.webhook(f"r{number - 1}", f"r{number}"), "nobody ran it"
        assert told.head == "r4"


def test_one_of_those_alone_is_known_by_the_time_of_its_commit(connection: Connection) -> None:
    told = Told(connection)
    told.webhook(None, "r0", made=1)
    assert told.webhook("r3", "r4", made=5)
    assert told.webhook("r1", "r2", made=3), "nobody ran it"
    assert told.head == "r4"
    assert not told.webhook("r1", "r2", made=3)
    assert not told.poll("r4")


def test_what_a_poll_found_is_newer_than_an_older_commit_that_a_webhook_tells_of(
    connection: Connection,
) -> None:
    told = Told(connection)
    told.poll("r0", made=1)
    assert told.poll("r4", made=5)
    assert told.webhook("r1", "r2", made=3)
    assert told.head == "r4"


def test_a_clock_that_is_wrong_keeps_the_head_for_one_push_and_no_longer(connection: Connection) -> None:
    told = Told(connection)
    told.webhook(None, "h", made=100)
    assert told.webhook("i", "j", made=60), "that of i was lost"
    assert told.head == "h"
    assert told.webhook("j", "k", made=120)
    assert told.head == "k", "it is newer than the head, whatever it begins at"
    assert told.webhook("k", "l", made=50)
    assert told.head == "l"


def test_pushes_behind_one_that_was_late_by_its_clock_move_the_head_in_the_end(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where every clock is behind that of the head's commit."""
    told = Told(connection)
    told.webhook(None, "h", made=100)
    assert told.webhook("i", "j", made=60)
    assert told.webhook("j", "k", made=61), "it is taken for the next of those that come late"
    assert told.head == "h"
    monkeypatch.setattr("tailrace.store.heads.CHAIN_MS", -1)
    assert told.webhook("k", "l", made=62)
    assert told.head == "l", "a while later it is not"


def test_a_branch_that_was_forced_back_to_where_it_was_moves_although_the_commit_is_older(
    connection: Connection,
) -> None:
    """The webhook before it was lost; GitLab does not say that it was forced."""
    told = Told(connection)
    for before, revision, made in ((None, "a", 1), ("a", "b", 2), ("b", "c", 3)):
        told.webhook(before, revision, made=made)
    assert told.webhook("d", "b", made=2)
    assert told.head == "b"
    assert told.webhook("b", "e", made=9)
    assert told.head == "e"


def test_who_pushes_an_older_commit_over_the_head_moves_it(connection: Connection) -> None:
    told = Told(connection)
    told.webhook(None, "b", made=5)
    assert told.webhook("b", "a", made=1), "it begins where the head is"
    assert told.head == "a"
    assert told.webhook("x", "c", made=None), "a webhook was lost, and nobody knows the time"
    assert told.head == "c"


def test_a_branch_that_begins_anew_at_an_older_commit_moves_the_head(connection: Connection) -> None:
    """The webhook of its deletion was lost."""
    told = Told(connection)
    told.webhook(None, "b", made=5)
    assert told.webhook("0" * 40, "a", made=1)
    assert told.head == "a"


def test_so_does_one_whose_beginning_is_long_forgotten(connection: Connection) -> None:
    told = Told(connection)
    for number in range(MOVES_KEPT + 5):
        told.webhook(f"r{number}", f"r{number + 1}", made=number + 5)
    assert told.webhook(None, "a", made=1)
    assert told.head == "a"


def test_revisions_of_subversion_tell_by_themselves_which_is_older(connection: Connection) -> None:
    told = Told(connection)
    assert told.webhook(None, "9")
    assert told.webhook(None, "11")
    assert told.webhook(None, "10"), "nobody ran it"
    assert told.head == "11"
    assert not told.webhook(None, "10")
    assert told.webhook(None, "12")


@pytest.mark.parametrize("seed", range(20))
def test_the_newest_commit_stays_the_head_however_late_the_others_come(
    connection: Connection, seed: int
) -> None:
    """Without a poll that would put it right."""
    chance = random.Random(seed)
    told = Told(connection)
    told.webhook(None, "r0", made=0)
    late = [number for number in range(1, 30) if chance.random() < 0.7]
    chance.shuffle(late)
    assert told.webhook("r29", "r30", made=30)
    ran = [
        number
        for number in late
        for _ in range(2)
        if told.webhook(f"r{number - 1}", f"r{number}", made=number)
    ]
    assert sorted(ran) == sorted(late)
    assert told.head == "r30"


@pytest.mark.parametrize("seed", range(20))
def test_however_webhooks_are_lost_late_and_doubled_a_commit_runs_once(
    connection: Connection, seed: int
) -> None:
    """With a poll beside them now and then, and where the branch is never pushed over."""
    chance = random.Random(seed)
    told = Told(connection)
    told.webhook(None, "r0")
    news = [
        (number + chance.random() * 4 * (chance.random() < 0.3), f"r{number - 1}", f"r{number}")
        for number in range(1, 31)
        if chance.random() > 0.2
        for _ in range(chance.choice((1, 2, 3)))
    ]
    ran: list[str] = []
    for at, before, revision in sorted(news):
        if told.webhook(before, revision):
            ran.append(revision)
        if chance.random() < 0.2 and told.poll(f"r{int(at)}"):
            ran.append(f"r{int(at)}")
    assert sorted(ran) == sorted(set(ran))
    assert {revision for _, _, revision in news} <= set(ran)


def test_a_branch_that_was_deleted_and_comes_again_is_a_change(connection: Connection) -> None:
    told = Told(connection)
    told.webhook(None, "a")
    told.forget()
    assert told.head is None
    assert told.webhook(None, "a")


def test_the_webhook_of_a_new_branch_that_a_poll_found_first_is_no_change(connection: Connection) -> None:
    told = Told(connection)
    assert told.poll("a")
    told.poll("b")
    assert not told.webhook("0" * 40, "a")
    assert told.head == "b"


async def test_pushes_and_deletions_of_one_branch_at_the_same_time_all_come_to_an_end(store: Store) -> None:
    """Who finds the head there may find it gone a moment later."""
    project = await store.write(a_project, "heads")

    def push(connection: Connection, revision: str) -> bool:
        return move_head(connection, project, MAIN, revision, by="webhook")

    def remove(connection: Connection) -> None:
        forget_head(connection, project, MAIN)

    told = [store.write(push, secrets.token_hex(4)) for _ in range(100)]
    gone = [store.write(remove) for _ in range(100)]
    await asyncio.gather(*(one for both in zip(told, gone, strict=True) for one in both))


def test_a_webhook_that_does_not_say_what_was_before_moves_the_head(connection: Connection) -> None:
    told = Told(connection)
    assert told.webhook(None, "a")
    assert not told.webhook(None, "a")
    assert told.webhook(None, "b")
    assert told.head == "b"
