"""Values that a run was given for parameters of its plan, sealed: secret ones for good, the others until the plan is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select

from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import run_secret


class SealedValue(NamedTuple):
    """A value that was sealed for the row called `row`, which `seal` (32 random hexadecimal digits) tells from all others."""

    seal: str
    value: bytes

    @property
    def row(self) -> str:
        return run_secret_row(self.seal)


_OF_ATTEMPTS = (
    select(attempts.c.id, run_secret.c.name, run_secret.c.seal, run_secret.c.value)
    .join(run_secret, run_secret.c.run_id == attempts.c.run_id)
    .where(attempts.c.id.in_(bindparam("attempts", expanding=True)))
)


def run_secret_row(seal: str) -> str:
    """The row identity under which a value is sealed; it is random, as the run has no id yet."""
    return f"run_secret/{seal}"


def keep_run_secrets(connection: Connection, run_id: int, values: Mapping[str, SealedValue]) -> None:
    """Keep sealed values with a run that is new."""
    if values:
        rows = [{"run_id": run_id, "name": name, **value._asdict()} for name, value in values.items()]
        connection.execute(insert(run_secret), rows)


def run_secrets(connection: Connection, run_id: int) -> dict[str, SealedValue]:
    """The sealed values of a run, by name."""
    rows = connection.execute(select(run_secret).where(run_secret.c.run_id == run_id))
    return {row.name: SealedValue(row.seal, row.value) for row in rows}


def secrets_of_attempts(
    connection: Connection, attempt_ids: Collection[int]
) -> dict[int, dict[str, SealedValue]]:
    """For each of these attempts, the sealed values of its run, by name."""
    found: dict[int, dict[str, SealedValue]] = {}
    for row in connection.execute(_OF_ATTEMPTS, {"attempts": list(attempt_ids)}):
        found.setdefault(row.id, {})[row.name] = SealedValue(row.seal, row.value)
    return found


def keep_only(connection: Connection, run_id: int, names: Collection[str]) -> None:
    """Forget the sealed values of a run but for these."""
    connection.execute(
        delete(run_secret).where(run_secret.c.run_id == run_id, run_secret.c.name.not_in(list(names)))
    )
