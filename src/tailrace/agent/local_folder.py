"""Where a local run works: a folder for temporary files of its own, which goes when the run does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from tailrace.agent.lock import hold_folder
from tailrace.domain.errors import Conflict
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.recover import finish_dead
from tailrace.runner.trees import Undeletable, remove_tree

_NAME = "tailrace-exec-"


@contextmanager
def local_folder() -> Generator[Path]:
    """A new folder, held while the context lasts; what runs left that were killed is removed first."""
    folder = Path(tempfile.gettempdir()).resolve()  # it may be a link, which nothing is removed through
    _remove_abandoned(folder)
    new = Path(tempfile.mkdtemp(prefix=f".{_NAME}", dir=folder))
    place = new.with_name(new.name[1:])
    with hold_folder(new):
        new.rename(place)  # nobody sees it before it is held
        try:
            yield place
        finally:
            with suppress(Undeletable):  # said when its attempt was removed
                remove_tree(place)


def _remove_abandoned(folder: Path) -> None:
    for place in folder.glob(f"{_NAME}*"):
        with suppress(OSError, Conflict, Undeletable):
            if place.lstat().st_uid != os.getuid() or place.is_symlink():
                continue
            with hold_folder(place):
                attempts = AttemptFolder.all(place / "attempts")
                if any(attempt.is_alive() for attempt in attempts):
                    continue  # it is being aborted
                for attempt in attempts:
                    finish_dead(attempt, 0)  # ends what its runner may have left alive
                remove_tree(place)
