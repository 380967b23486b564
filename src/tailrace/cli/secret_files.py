"""Secrets for `tailrace exec`: from the environment and from files, never from the arguments, which others can list."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tailrace.cli.client import CallFailed
from tailrace.domain.errors import Invalid
from tailrace.domain.secrets import NAME_RULE, check_value, is_name, warnings_of


class Secrets(NamedTuple):
    """The values by name, and sentences about what masking cannot hide of them."""

    values: dict[str, str]
    warnings: list[str]


def read_secrets(names: Sequence[str], files: Sequence[Path]) -> Secrets:
    """Those that the environment has under `names`, and those in `files`; the last one of a name counts.

    Raises CallFailed, which quotes no value.
    """
    values: dict[str, str] = {}
    for file in files:
        values |= _read(file)
    for name in names:
        if name not in os.environ:
            raise CallFailed(
                f"--secret {name.partition('=')[0]}: expected the name of a variable of this command's environment"
            )
        values[name] = os.environ[name]
    warnings: list[str] = []
    for name, value in values.items():
        if not is_name(name):
            raise CallFailed(f"{name!r} is not a secret's name: {NAME_RULE}")
        try:
            check_value(value)
        except Invalid as error:
            raise CallFailed(f"secret {name}: {error}") from None
        warnings += [f"secret {name}: {warning}" for warning in warnings_of(value)]
    return Secrets(values, warnings)


def _read(file: Path) -> dict[str, str]:
    """The file's NAME=VALUE lines. Empty lines and those that begin with # say nothing.

    A value between double quotes is a JSON string, so that it may have several lines (`"a\\nb"`); between single quotes it is what
    stands there; else it is the rest of the line as it is.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CallFailed(f"--secret-file {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CallFailed(f"--secret-file {file}: it is not UTF-8") from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip().removeprefix("export ").strip()
        if not equals or not is_name(name):
            raise CallFailed(f"--secret-file {file}: line {number} is not NAME=VALUE; NAME: {NAME_RULE}")
        found[name] = _unquoted(value, f"--secret-file {file}: line {number}")
    return found


def _unquoted(value: str, place: str) -> str:
    bare = value.strip()
    if len(bare) > 1 and bare[0] == bare[-1] == "'":
        return bare[1:-1]
    if not bare.startswith('"'):
        return value
    try:
        return str(json.loads(bare))
    except ValueError:
        raise CallFailed(
            f"{place}: what stands between double quotes is no JSON string; single quotes take it as it is"
        ) from None
