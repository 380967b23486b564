"""Forking a process that begins in a control group: clone3(2).

To move a process that lives costs a grace period of the kernel, about ten milliseconds in which no process of the machine can be
started; one that is born in the group costs nothing. Python has no word for it, and the C library's fork does not either: this
does what both do around the system call, for a process with a single thread.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal

_CLONE3 = 435
"""The same on all architectures but alpha."""
_CHILD_CLEARTID = 0x00200000
_CHILD_SETTID = 0x01000000
_INTO_CGROUP = 0x200000000
_GET_TID_ADDRESS = 40
# With the interpreter's lock held, as its own fork is.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _Arguments(ctypes.Structure):
    """struct clone_args, up to `cgroup`."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            *("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack"),
            *("stack_size", "tls", "set_tid", "set_tid_size", "cgroup"),
        )
    ]


def fork_into(group: int) -> int:
    """As `os.fork`, with the child in the control group (version 2) whose folder this descriptor is.

    Raises OSError where this machine cannot do it: another C library, an old kernel, a filter of system calls.
    """
    if platform.libc_ver()[0] != "glibc":
        raise OSError("the C library of this machine is not known to survive it")
    own_id = ctypes.c_void_p()
    if _libc.prctl(_GET_TID_ADDRESS, ctypes.byref(own_id), 0, 0, 0) != 0 or not own_id.value:
        raise OSError("this kernel does not tell where the C library keeps a thread's id")
    arguments = _Arguments(
        # The C library remembers its thread's id: the child gets its own in that place, as from fork(3).
        flags=_INTO_CGROUP | _CHILD_SETTID | _CHILD_CLEARTID,
        child_tid=own_id.value,
        exit_signal=signal.SIGCHLD,
        cgroup=group,
    )
    ctypes.pythonapi.PyOS_BeforeFork()
    pid: int = _libc.syscall(_CLONE3, ctypes.byref(arguments), ctypes.sizeof(arguments))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    error = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(error, f"clone3: {os.strerror(error)}")
    return pid
