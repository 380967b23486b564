"""Channels: settings change, and the secrets that are kept go nowhere else by that."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from tailrace.domain.channels import (
    CHANNEL_SETTINGS,
    EmailSettings,
    GitHubSettings,
    MessageSettings,
    TelegramSettings,
)
from tailrace.domain.errors import Conflict, Invalid
from tailrace.domain.notifications import ChannelView
from tailrace.store import Store
from tailrace.store.channels import add_channel, change_channel, get_channel
from tailrace.store.projects import create_project
from tests.unit.store.conftest import overlapping

MAIL = EmailSettings(host="mail.example", sender="ci@example.org", to=("ada@example.org",))
SIGNED_IN = MAIL.model_copy(update={"user": "ci"})


def _seal(row: str) -> bytes:
    return row.encode()


def _mail(connection: Connection, settings: MessageSettings = MAIL, **secrets: str) -> ChannelView:
    return add_channel(connection, None, "mail", settings, secrets, _seal, author="Ada")


@pytest.mark.parametrize(
    ("kept", "wanted"),
    [
        (GitHubSettings(repository="acme/shop"), {"repository": "acme/wages"}),
        (GitHubSettings(repository="acme/shop"), {"api": "https://evil.example"}),
        (TelegramSettings(chat="@acme"), {"chat": "@evil"}),
    ],
)
def test_what_a_token_is_used_for_wants_it_again(
    connection: Connection, kept: GitHubSettings | TelegramSettings, wanted: dict[str, str]
) -> None:
    """Who may change settings alone would else write to another repository, or another chat, in the token's name."""
    project = create_project(connection, "shop", "/srv/shop").id
    made = add_channel(connection, project, "c", kept, {"token": "t"}, _seal, author="Ada")
    other = CHANNEL_SETTINGS.validate_python({**kept.model_dump(), **wanted})
    with pytest.raises(Conflict, match="give them again"):
        change_channel(connection, made.id, settings=other)
    assert get_channel(connection, made.id).settings == kept
    assert change_channel(connection, made.id, settings=kept, enabled=False).settings == kept
    again = change_channel(connection, made.id, settings=other, secrets=({"token": "t"}, _seal))
    assert again.settings == other


def test_settings_that_want_a_secret_which_is_not_kept_are_refused(connection: Connection) -> None:
    """The channel would send nothing from then on."""
    made = _mail(connection)
    with pytest.raises(Invalid, match="password is missing: with a user the channel signs in"):
        change_channel(connection, made.id, settings=SIGNED_IN)
    assert get_channel(connection, made.id).settings == MAIL
    secrets = {"password": "p"}, _seal
    assert change_channel(connection, made.id, settings=SIGNED_IN, secrets=secrets).secrets == ("password",)
    other = SIGNED_IN.model_copy(update={"sender": "builds@example.org"})
    assert change_channel(connection, made.id, settings=other).settings == other


async def test_no_other_place_slips_in_while_a_secret_is_given(store: Store) -> None:
    """Who moves a channel without secrets meanwhile would be sent the one that is given."""
    made = await store.write(_mail)

    def give(connection: Connection) -> None:
        change_channel(connection, made.id, settings=SIGNED_IN, secrets=({"password": "p"}, _seal))

    def move(connection: Connection) -> None:
        evil = SIGNED_IN.model_copy(update={"host": "evil.example"})
        with pytest.raises(Conflict, match="sent elsewhere"):
            change_channel(connection, made.id, settings=evil)

    await overlapping(store, give, move)
    assert (await store.read(get_channel, made.id)).settings == SIGNED_IN
