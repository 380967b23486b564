"""Heads: a change is told once, whether a webhook or a poll tells it first, and a late webhook moves nothing back."""

from __future__ import annotations

from sqlalchemy import Connection

from tailrace.store.heads import Head, find_head, forget_head, list_heads, move_head
from tests.unit.store.world import a_project

MAIN = "refs/heads/main"


class Told:
    """A project's main branch, and who tells of it; each answer says whether it is a change."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._project = a_project(connection, "heads")

    def webhook(self, before: str | None, revision: str) -> bool:
        return move_head(self._connection, self._project, MAIN, revision, before, by="webhook")

    def poll(self, revision: str) -> bool:
        return move_head(self._connection, self._project, MAIN, revision, by="git")

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


def test_a_webhook_that_does_not_say_what_was_before_moves_the_head(connection: Connection) -> None:
    told = Told(connection)
    assert told.webhook(None, "a")
    assert not told.webhook(None, "a")
    assert told.webhook(None, "b")
    assert told.head == "b"
