"""An attempt's control group: its limits, its processes however they hid, and what the kernel did to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from tailrace.domain.plan.model import NO_LIMITS, LimitsSpec
from tailrace.domain.sizes import size_words
from tailrace.runner.cgroup import Branch, ControlGroups
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.leaf import BORN, Leaf

_PAGE = 4096
_BATCH = 1 << 20  # the kernel counts in larger steps than pages


class Strain(NamedTuple):
    """How many processes of an attempt the kernel killed for lack of memory, and how many it refused to start."""

    killed: int = 0
    refused: int = 0

    def since(self, before: Strain) -> Strain:
        """What has happened since then."""
        return Strain(*(now - then for now, then in zip(self, before, strict=True)))


class Door:
    """The way into a group and back, for this process and those that it starts; `inside`: this process is in the group.

    Both ends are opened once and by this process: the kernel asks who opened them, and a job's own user may not.
    """

    def __init__(self, leaf: Leaf, *, inside: bool = False) -> None:
        self.inside = inside
        self._in = os.open(leaf.path / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            self._out = os.open(leaf.home / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            os.close(self._in)
            raise

    def enter(self) -> None:
        """The calling process goes in."""
        if not self.inside:
            os.write(self._in, b"0")

    def leave(self) -> None:
        """The calling process goes home, unless the group is where it lives."""
        if not self.inside:
            os.write(self._out, b"0")

    def move_out(self) -> None:
        """The calling process goes home for good."""
        self.inside = False
        self.leave()

    def close(self) -> None:
        """Nobody goes in any more."""
        for file in (self._in, self._out):
            os.close(file)


class Group:
    """The groups of one attempt, one in each hierarchy that has a use for it; none where the machine offers none.

    `held` are the limits that hold, as the kernel reads them back; `lacking` says what could not be set, and why.
    """

    def __init__(
        self,
        leaves: tuple[Leaf, ...] = (),
        doors: tuple[Door, ...] = (),
        held: LimitsSpec = NO_LIMITS,
        lacking: tuple[str, ...] = (),
    ) -> None:
        self._leaves = leaves
        self._doors = doors
        self._by_child = held != NO_LIMITS
        self._bearer = os.getppid()
        self.held = held
        self.lacking = lacking

    @classmethod
    def make(
        cls, groups: ControlGroups, folder: AttemptFolder, limits: LimitsSpec, born_in: Leaf | None = None
    ) -> Self:
        """Make them, and note where, so that whoever finishes a dead runner's attempt finds them.

        `born_in` is the one in which this process began its life, and in which its attempts' processes are, one attempt's after
        the other's; whoever bore it there removes it.
        """
        wanted = {"memory": limits.memory, "pids": limits.processes, "cpu": limits.cpu}
        wanted = {controller: value for controller, value in wanted.items() if value is not None}
        used = [
            branch for branch in groups.branches if branch.version == 2 or branch.controllers & wanted.keys()
        ]
        used = used or list(groups.branches[:1])
        places = {branch: _place(branch, folder, born_in) for branch in used}
        leaves: list[Leaf] = []
        doors: list[Door] = []
        held: dict[str, float] = {}
        causes = dict(groups.missing)
        try:
            _note(folder, places.values())
        except OSError as error:  # a group that nobody could find would outlive its runner
            causes |= dict.fromkeys(wanted, f"{folder.groups} cannot be written: {error.strerror}")
            places = {}
        for branch, place in places.items():
            leaf = Leaf(place, branch.home)
            inside = leaf == born_in
            try:
                branch.make(place.name)
                doors.append(Door(leaf, inside=inside))
                if inside and branch.controllers & wanted.keys():
                    doors[-1].move_out()  # it would be among those that a limit hits
            except OSError as error:
                causes |= dict.fromkeys(branch.controllers, f"{place} cannot be used: {error.strerror}")
                leaf.remove()
                continue
            leaves.append(leaf)
            held |= _limit(leaf, branch, wanted, causes)
        lacking = [
            f"no limit of {_words(controller, value)} could be set, the job runs without it: {causes.get(controller)}"
            for controller, value in wanted.items()
            if controller not in held
        ]
        return cls(tuple(leaves), tuple(doors), _spec(held), tuple(lacking))

    @classmethod
    def left_in(cls, folder: AttemptFolder) -> Self:
        """Those that a dead runner made, as far as they are still there."""
        ours = (
            path
            for path in noted(folder)
            if (path.name == folder.path.name or path.name.startswith(BORN))
            and path.parent.name.startswith("tailrace-")
        )
        return cls(tuple(Leaf(path, path.parent.parent) for path in ours if path.exists()))

    @property
    def words(self) -> str:
        """The limits that hold, for people; empty where there is none."""
        held = {"memory": self.held.memory, "pids": self.held.processes, "cpu": self.held.cpu}
        return ", ".join(_words(name, value) for name, value in held.items() if value is not None)

    @property
    def entry(self) -> Callable[[], None] | None:
        """What a new process must call before it executes its program, where it has to enter by itself.

        A process in a group with limits may be killed or refused at any moment: the runner itself must not be in one.
        """
        return self._enter if self._by_child else None

    @contextmanager
    def starting(self) -> Generator[None]:
        """While this lasts, processes that this one starts begin in the group, where they do not enter by themselves."""
        if self._by_child:
            yield
            return
        try:
            self._enter()
            yield
        finally:
            for door in self._doors:
                door.leave()

    def members(self) -> set[int]:
        """The process ids of all that are in it, but this one."""
        return {pid for leaf in self._leaves for pid in leaf.members()} - {os.getpid()}

    def kill(self) -> None:
        """SIGKILL to all of them."""
        self._move_out()
        for leaf in self._leaves:
            leaf.kill()

    def remove(self) -> list[Path]:
        """Remove them; returns those in which something lives on. Nothing can be started in them any more.

        One in which this process still is goes with it: whoever bore it there removes that, unless it is dead.
        """
        if os.getppid() != self._bearer:
            self._move_out()
        home = {leaf for leaf, door in zip(self._leaves, self._doors, strict=False) if door.inside}
        for door in self._doors:
            door.close()
        self._doors = ()
        return [leaf.path for leaf in self._leaves if leaf not in home and not leaf.remove()]

    def strain(self) -> Strain:
        """What the kernel has refused so far."""
        counts = Strain()
        for leaf in self._leaves:
            killed = leaf.count("memory.events", "oom_kill") + leaf.count("memory.oom_control", "oom_kill")
            counts = Strain(counts.killed + killed, counts.refused + leaf.count("pids.events", "max"))
        return counts

    @property
    def filled(self) -> bool:
        """Whether the attempt has ever had all the memory that it may have."""
        limit = self.held.memory
        return limit is not None and any(leaf.most_memory() > limit - _BATCH for leaf in self._leaves)

    def _move_out(self) -> None:
        for door in self._doors:
            if door.inside:
                with suppress(OSError):
                    door.move_out()

    def _enter(self) -> None:
        for door in self._doors:
            door.enter()


def noted(folder: AttemptFolder) -> list[Path]:
    """The groups that an attempt's runner has noted, none where it has not come to that."""
    try:
        text = folder.groups.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    return [Path(line) for line in text.splitlines()]


def used_by_living(attempts: Path, group: Path) -> bool:
    """Whether the group is one of a living runner's attempt, or may be: a runner that begins has noted nothing yet."""
    for folder in map(AttemptFolder, attempts.iterdir() if attempts.exists() else ()):
        if folder.is_alive():
            groups = noted(folder)
            if not groups or group in groups:
                return True
    return False


def _place(branch: Branch, folder: AttemptFolder, born_in: Leaf | None) -> Path:
    if born_in is not None and born_in.path.parent == branch.path:
        return born_in.path
    return branch.path / folder.path.name


def _note(folder: AttemptFolder, places: Collection[Path]) -> None:
    if places:
        with folder.groups.open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{place}\n" for place in places)


def _limit(leaf: Leaf, branch: Branch, wanted: dict[str, float], causes: dict[str, str]) -> dict[str, float]:
    """Set what this branch can limit; what holds then. `causes` gets why something does not."""
    held: dict[str, float] = {}
    for controller in branch.controllers & wanted.keys():
        try:
            leaf.limit(controller, wanted[controller], branch.version)
        except OSError as error:
            causes[controller] = f"{leaf.path} does not take it: {error.strerror}"
            continue
        value = leaf.limited(controller, branch.version)
        if value is None:
            causes[controller] = f"{leaf.path} has none after it was set"
        else:
            held[controller] = wanted[controller] if _same(controller, value, wanted[controller]) else value
    return held


def _same(controller: str, value: float, wanted: float) -> bool:
    """Whether what the kernel made of a limit is what was meant: whole pages, whole microseconds."""
    return abs(value - wanted) < (_PAGE if controller == "memory" else 0.001)


def _spec(held: dict[str, float]) -> LimitsSpec:
    memory, processes = held.get("memory"), held.get("pids")
    return LimitsSpec.model_construct(
        memory=None if memory is None else int(memory),
        processes=None if processes is None else int(processes),
        cpu=held.get("cpu"),
    )


def _words(controller: str, value: float) -> str:
    match controller:
        case "memory":
            return f"{size_words(int(value))} of memory"
        case "pids":
            return f"{int(value):,} processes"
        case _:
            return f"{value:g} processors"


NO_GROUP = Group()
"""For attempts on machines without control groups."""
