"""Values of parameters, as whoever starts a run gives them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from tailrace.domain.parameters import MAX_PARAMETERS, as_text
from tailrace.domain.secrets import NAME_RULE, is_name
from tailrace.store.run_secrets import SealedValue, run_secret_row
from tailrace.store.sealing import SealingKey
from tailrace.triggers.manual import Given

MAX_BYTES = 64 * 1024

Value = StrictStr | StrictBool | StrictInt | StrictFloat


def _checked(value: dict[str, Value]) -> dict[str, Value]:
    for name, one in value.items():
        if not is_name(name):
            raise ValueError(f"{name!r} is not a parameter's name: {NAME_RULE}")
        text = as_text(one)
        if "\0" in text or len(text.encode(errors="replace")) > MAX_BYTES:
            raise ValueError(f"the value of {name} has a NUL or more than 64 KiB")
    return value


Parameters = Annotated[dict[str, Value], Field(max_length=MAX_PARAMETERS), AfterValidator(_checked)]
"""By name: texts, numbers, true and false."""


def seal_parameters(values: Mapping[str, Value], key: SealingKey) -> dict[str, Given]:
    """The values as texts, each sealed too: whether it is secret is known when the plan is."""
    given: dict[str, Given] = {}
    for name, value in values.items():
        seal, text = secrets.token_hex(16), as_text(value)
        given[name] = Given(text, SealedValue(seal, key.seal(text, run_secret_row(seal))))
    return given
