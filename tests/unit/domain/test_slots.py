"""Slots: no host and no repository takes them all."""

from __future__ import annotations

from tailrace.domain.slots import Slots

FORGE = ("https://forge.example/a.git", "ssh://git@Forge.example:2222/b.git", "git@forge.example:c.git")


def test_a_host_is_one_by_whatever_protocol() -> None:
    slots = Slots(10, of_host=2, of_repository=2)
    assert slots.chosen(enumerate(FORGE)) == {0: FORGE[0], 1: FORGE[1]}


def test_repositories_of_this_machine_stand_for_themselves() -> None:
    local = ("/srv/a.git", "/srv/b.git", "file:///srv/c.git")
    assert len(Slots(10, of_host=1, of_repository=1).chosen(enumerate(local))) == 3


def test_an_address_that_cannot_be_read_takes_a_slot_like_any_other() -> None:
    """Who plans it says what is wrong; the others are planned all the same."""
    strange = ("https://[", "gopher://x/y", "/srv/a.git")
    assert len(Slots(10, 1, 1).chosen(enumerate(strange))) == 3


def test_when_all_are_taken_nobody_is_chosen() -> None:
    slots = Slots(2, 2, 2).taken(["/srv/a.git", "/srv/b.git"])
    assert (slots.free, slots.chosen([(1, "/srv/c.git")])) == (0, {})
