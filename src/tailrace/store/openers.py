"""The secrets that open projects' repositories: found by the name that a project gives, opened where they are used."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from tailrace.domain.credentials import Credentials, Opener, Remote, secret_in_words
from tailrace.domain.errors import Invalid
from tailrace.store.polls import secrets_of_project
from tailrace.store.projects import credentials_of
from tailrace.store.sealing import SealingKey
from tailrace.store.secrets import SealedSecret
from tailrace.store.tables import project as projects


class SealedOpener(NamedTuple):
    """What a project says of its repository's login, and the secret that it names, None where there is none of that name."""

    project: str
    credentials: Credentials
    secret: SealedSecret | None

    @property
    def row(self) -> str:
        """What the store calls the secret; empty where there is none."""
        return "" if self.secret is None else self.secret.row

    def open(self, key: SealingKey, address: str) -> Remote:
        """The repository with what opens it. Raises Invalid, which names project and secret, where nothing can."""
        what = secret_in_words(self.credentials, self.project)
        if self.secret is None:
            raise Invalid(
                f"{what} is not set: `tailrace secret set {self.credentials.secret} --project {self.project}`,"
                " or without --project for all projects"
            )
        try:
            value = key.open(self.secret.value, self.secret.row)
        except Invalid as error:
            raise Invalid(f"{what} cannot be opened: {error}") from None
        remote = Remote(address, Opener(self.credentials, self.project, self.secret.row, value))
        remote.check()
        return remote


def find_opener(connection: Connection, project_id: int) -> SealedOpener | None:
    """What opens this project's repository, where it says anything of that."""
    row = connection.execute(
        select(projects.c.name, projects.c.credentials).where(projects.c.id == project_id)
    ).one_or_none()
    credentials = None if row is None else credentials_of(row.credentials)
    if row is None or credentials is None:
        return None
    found = secrets_of_project(connection, project_id, [credentials.secret])
    return SealedOpener(row.name, credentials, found.get(credentials.secret))
