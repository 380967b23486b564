"""Plans whose text can be read."""

from __future__ import annotations

from sqlalchemy import Connection

from tailrace.store.plans import create_plan

DEFINITION = "jobs: {make: {steps: [{run: make}]}}"


def a_plan(connection: Connection, project: int, name: str = "default", definition: str = DEFINITION) -> int:
    return create_plan(connection, project, name, definition=definition).id
