"""Names in git: hashes, refs and their short forms; and of files in any repository."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from tailrace.domain.errors import Invalid

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ABBREVIATION = re.compile(r"[0-9a-f]{4,63}")
# What `git check-ref-format` refuses.
_UNFIT = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[./-]|[./]$|^@$|[\ud800-\udfff]")
_SPACES = {"refs/heads/": "branch", "refs/tags/": "tag"}


def is_hash(text: str) -> bool:
    """Whether this is a full hash, SHA-1 or SHA-256, in lower case."""
    return _HASH.fullmatch(text) is not None


def is_abbreviation(text: str) -> bool:
    """Whether this could be the beginning of a hash, in lower case."""
    return _ABBREVIATION.fullmatch(text) is not None


def is_null(revision: str) -> bool:
    """Whether this is the hash that stands for "nothing there"."""
    return not revision.strip("0")


def is_ref_name(text: str) -> bool:
    """Whether git allows this as the name of a branch, a tag or a full ref; it can never be taken for an option."""
    return 0 < len(text) <= 1000 and _UNFIT.search(text) is None


def short_name(ref: str) -> str | None:
    """The branch or tag that a full ref names, or None for any other ref."""
    for space in _SPACES:
        if ref.startswith(space):
            return ref.removeprefix(space)
    return None


def inner_path(path: str) -> str:
    """The path of a file inside a repository, in its plainest form; raises Invalid for one that leads elsewhere."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in path:
        raise Invalid(f"path {path!r}: expected a path inside the repository such as .tailrace.yml")
    return str(pure)
