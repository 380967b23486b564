"""Labels as people give them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/=+@-]{0,99}")


def _check(text: str) -> str:
    if _LABEL.fullmatch(text):
        return text
    raise PydanticCustomError(
        "label",
        "{found} cannot be a label; allowed: 1 to 100 letters, digits and _ . : / = + @ -, beginning with a letter or a digit",
        {"found": repr(text[:101])},
    )


Label = Annotated[
    str, AfterValidator(_check), WithJsonSchema({"type": "string", "pattern": f"^{_LABEL.pattern}$"})
]
"""A label; one that cannot be is refused with what was found and what is allowed."""
