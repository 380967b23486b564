"""The tables of what a run was given for the parameters of its plan."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table

from tailrace.store.columns import metadata, reference

run_secret = Table(
    "run_secret",
    metadata,
    reference("run_id", "run", primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("seal", String(32), nullable=False, comment="random: the row identity for which it was sealed"),
    Column("value", LargeBinary, nullable=False, comment="sealed"),
)
