"""Giving back the disk space of a file's beginning while the rest of it stays where it is."""

from __future__ import annotations

import ctypes
import errno
import os

_KEEP_SIZE = 1
_PUNCH_HOLE = 2
_NOT_HERE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV)

_fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)  # Linux has it, others do not
if _fallocate is not None:
    _fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
    _fallocate.restype = ctypes.c_int


def punch(file: int, start: int, stop: int) -> bool:
    """Free the blocks of an open file that lie wholly in the bytes [start, stop); these read as zeros afterwards.

    The file's size and its other bytes stay. False, and nothing changed, where the system or the file system cannot do
    it. Raises OSError for anything else.
    """
    if start >= stop:
        return True
    if _fallocate is None:
        return False
    while _fallocate(file, _PUNCH_HOLE | _KEEP_SIZE, start, stop - start) != 0:
        code = ctypes.get_errno()
        if code in _NOT_HERE:
            return False
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))
    return True
