"""A stand-in for a Python that has Apprise: a script which answers as it is told, in place of what Apprise would have done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TAKEN: dict[str, Any] = {
    "service": "Stand-in",
    "refused": None,
    "ok": True,
    "words": "",
    "exchanges": [{"method": "POST", "host": "x", "status": 200}],
}


def stand_in(folder: Path, script: str = "", says: dict[str, Any] | None = None) -> Path:
    """An executable that keeps what it was told, runs `script` (sh's) and prints `says`.

    Beside it lie then `asked` (its standard input), `arguments` and `environment`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "python-stand-in"
    answer = folder / "answer"
    answer.write_text("" if says is None else json.dumps(says))
    program.write_text(
        f'#!/bin/sh\ncat > "{folder}/asked"\necho "$@" > "{folder}/arguments"\nenv > "{folder}/environment"\n'
        f'{script}\ncat "{answer}"\n'
    )
    program.chmod(0o700)
    return program
