"""Which code this is: the version, and the files as they lie on disk.

An upgrade need not change the version, and a parent that outlives it must not fork runners of yesterday's code for ever.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import tailrace


def this_edition() -> str:
    """The version, with a digest of the package's files (names, sizes, times). To be asked for when a process begins."""
    root = Path(tailrace.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found = path.stat()
        digest.update(f"{path.relative_to(root)} {found.st_size} {found.st_mtime_ns}\n".encode())
    return f"{tailrace.__version__}+{digest.hexdigest()[:12]}"
