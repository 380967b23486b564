"""Control groups: the kernel's own grouping of processes, below this process's own group, where attempts get theirs.

Version 2 has one hierarchy for everything. Version 1 has one for each controller, and many machines have both: then limits are
in version 1, and version 2 ends all processes of a group at once (`cgroup.kill`). See cgroups(7).
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tailrace.runner.leaf import Leaf, folders_in

CONTROLLERS = ("memory", "pids", "cpu")
"""Those whose limits a plan can set."""
_ASIDE = "warm"


@dataclass(frozen=True)
class Branch:
    """A folder of a hierarchy in which attempts' groups are made.

    `home` is the group in which this process itself is; `controllers` are those whose limits groups made here can have.
    """

    path: Path
    home: Path
    controllers: frozenset[str]
    version: int

    def make(self, name: str) -> Path:
        """Make a group in it; raises OSError. Another warm parent of this agent may have removed the folder when it left."""
        place = self.path / name
        try:
            place.mkdir(exist_ok=True)
        except FileNotFoundError:
            self.path.mkdir(exist_ok=True)
            for controller in self.controllers if self.version == 2 else ():
                _write(self.path / "cgroup.subtree_control", f"+{controller}")
            place.mkdir(exist_ok=True)
        return place


@dataclass(frozen=True)
class ControlGroups:
    """Where the attempts of one agent get their groups; `missing` says of controllers why they cannot have a limit."""

    branches: tuple[Branch, ...]
    missing: Mapping[str, str]

    @classmethod
    def find(cls, agent_folder: Path, proc: Path = Path("/proc/self")) -> ControlGroups:
        """Make the agent's own folder in each hierarchy that lets this process do so.

        Where version 2 demands it, this process moves into a group below the one that it was started in.
        """
        name = name_for(agent_folder)
        branches: list[Branch] = []
        missing: dict[str, str] = dict.fromkeys(
            CONTROLLERS, "the kernel offers no control group with this controller here"
        )
        for version, controllers, home in _homes(proc):
            if version == 1 and not controllers & set(CONTROLLERS):
                continue
            try:
                branch, refused = (
                    _Unified(home, name).grow() if version == 2 else _legacy(home, name, controllers)
                )
            except OSError as error:
                why = f"{home} cannot be changed here: {error.strerror}"
                missing |= dict.fromkeys(controllers & missing.keys(), why)
                continue
            missing |= refused
            branches.append(branch)
            for controller in branch.controllers:
                missing.pop(controller, None)
        branches.sort(key=lambda branch: (-branch.version, "pids" not in branch.controllers))
        return cls(tuple(branches), missing)

    @classmethod
    @contextmanager
    def of_agent(cls, agent_folder: Path, used: Callable[[Path], bool]) -> Generator[ControlGroups]:
        """As `find`, without what dead runners left there; in the end the folders are removed, unless attempts live.

        `used` tells of a group whether a living runner's attempt has it.
        """
        groups, owner = cls.find(agent_folder), os.getpid()
        groups.sweep(used)
        try:
            yield groups
        finally:
            if os.getpid() == owner:  # not a process that was forked meanwhile
                groups.sweep(used)
                groups.leave()

    def sweep(self, used: Callable[[Path], bool]) -> None:
        """End and remove the groups that no living runner's attempt has, and idle runners with them."""
        for branch in self.branches:
            for path in folders_in(branch.path):
                if path.name != _ASIDE and not used(path):
                    leaf = Leaf(path, branch.home)
                    leaf.kill()
                    leaf.remove()

    def birthplace(self, name: str) -> Leaf | None:
        """A new group in which a process can be born (version 2 only); None where this machine has no such."""
        for branch in self.branches:
            if branch.version == 2:
                with suppress(OSError):
                    return Leaf(branch.make(name), branch.home)
        return None

    def leave(self) -> None:
        """Remove the agent's own folders, where no attempt is left."""
        for branch in self.branches:
            with suppress(OSError):
                branch.path.rmdir()


NO_CONTROL_GROUPS = ControlGroups((), dict.fromkeys(CONTROLLERS, "control groups are not used here"))


def name_for(agent_folder: Path) -> str:
    """What an agent's folder in each hierarchy is called: agents of one machine have one each."""
    return "tailrace-" + hashlib.sha256(os.fsencode(agent_folder.absolute())).hexdigest()[:12]


def _legacy(home: Path, name: str, controllers: frozenset[str]) -> tuple[Branch, dict[str, str]]:
    path = home / name
    path.mkdir(exist_ok=True)
    return Branch(path, home, controllers & set(CONTROLLERS), 1), {}


class _Unified:
    """Version 2: a controller must be handed down from group to group, and a group that hands down holds no processes."""

    def __init__(self, home: Path, name: str) -> None:
        self._home = home
        self._root = home.parent if _is_delegated(home.parent) else home
        if (
            home == home.parents[1] / name / _ASIDE
        ):  # where the warm parent stepped aside that started this one
            self._root = home.parents[1]
        self._path = self._root / name

    def grow(self) -> tuple[Branch, dict[str, str]]:
        """The branch, and of the controllers that it could have why it does not. Raises OSError when there can be none."""
        self._path.mkdir(exist_ok=True)
        offered = [name for name in CONTROLLERS if name in _words(self._root / "cgroup.controllers")]
        refused: dict[str, str] = {}
        for controller in offered:
            try:
                self._hand_down(controller)
            except OSError as error:
                refused[controller] = self._cause(error)
        if refused and self._home == self._path / _ASIDE:
            self._step_back()
        return Branch(self._path, self._home, frozenset(offered).difference(refused), 2), refused

    def _hand_down(self, controller: str) -> None:
        if controller not in _words(self._root / "cgroup.subtree_control"):
            try:
                _write(self._root / "cgroup.subtree_control", f"+{controller}")
            except OSError as error:
                if error.errno != errno.EBUSY or self._home != self._root:
                    raise
                self._step_aside()
                _write(self._root / "cgroup.subtree_control", f"+{controller}")
        if controller not in _words(self._path / "cgroup.subtree_control"):
            _write(self._path / "cgroup.subtree_control", f"+{controller}")

    def _step_aside(self) -> None:
        aside = self._path / _ASIDE
        aside.mkdir(exist_ok=True)
        _write(aside / "cgroup.procs", "0")
        self._home = aside

    def _step_back(self) -> None:
        with suppress(OSError):
            _write(self._root / "cgroup.procs", "0")
            self._home.rmdir()
            self._home = self._root

    def _cause(self, error: OSError) -> str:
        if error.errno == errno.EBUSY:
            return (
                f"{self._root} holds other processes; as a unit of its own with Delegate=yes the agent could"
            )
        return f"{self._root} cannot be changed here: {error.strerror}"


def _is_delegated(group: Path) -> bool:
    """Whether systemd has handed this group over (`Delegate=yes`)."""
    for name in ("trusted.delegate", "user.delegate"):
        with suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    return False


def _homes(proc: Path) -> Iterator[tuple[int, frozenset[str], Path]]:
    """Of each hierarchy that is mounted: its version, its controllers (of version 1), and this process's group in it."""
    own: dict[frozenset[str], str] = {}
    try:
        groups = (proc / "cgroup").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        mounts = (proc / "mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in groups:
        _, controllers, path = line.split(":", 2)
        own[frozenset(controllers.split(",")) - {""}] = path
    seen: set[frozenset[str]] = set()
    for line in mounts:
        fields, _, (kind, _, options) = _parts(line)
        known = (
            frozenset[str]()
            if kind == "cgroup2"
            else _controllers_of(options, own)
            if kind == "cgroup"
            else None
        )
        if known is None or known in seen or known not in own:
            continue
        root, point = (_unescaped(field) for field in fields[3:5])
        path = own[known]
        if root != "/":  # a part of the tree is mounted, as in containers
            if path != root and not path.startswith(f"{root}/"):
                continue
            path = path[len(root) :]
        seen.add(known)
        yield (2 if kind == "cgroup2" else 1), known, Path(point + path.rstrip("/"))


def _parts(line: str) -> tuple[list[str], str, list[str]]:
    """A line of mountinfo (proc_pid_mountinfo(5)): what stands before the dash, the dash, and what stands after it."""
    before, dash, after = line.partition(" - ")
    return before.split(), dash, [*after.split(), "", "", ""][:3]


def _controllers_of(options: str, own: Mapping[frozenset[str], str]) -> frozenset[str] | None:
    named = set(options.split(","))
    return next((controllers for controllers in own if controllers and controllers <= named), None)


def _unescaped(field: str) -> str:
    return field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")


def _words(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").split()


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
