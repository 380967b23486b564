"""What tables are made of: names of constraints, kinds of columns, checks."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")
Ms = BigInteger


def row_id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def reference(name: str, table: str, **options: Any) -> Column[int]:
    return Column(name, Id, ForeignKey(f"{table}.id"), **options)


def among(column: str, states: Iterable[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(state.value) for state in sorted(states))})"


def ends(column: str, ended: Iterable[StrEnum]) -> CheckConstraint:
    return CheckConstraint(f"({column} IS NOT NULL) = ({among('state', ended)})", name="end")
