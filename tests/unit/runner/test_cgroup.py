"""Where control groups are made: read from the kernel's own description of its mounts, here of made-up ones.

A plain folder stands for a hierarchy that this machine may not have; `test_limits.py` and `test_family.py` use real ones.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.runner.cgroup import ControlGroups, name_for
from tailrace.runner.leaf import Leaf

GROUPS = {
    "v1": "4:memory:/ci/agent\n3:cpu,cpuacct:/\n2:pids:/ci\n1:name=systemd:/\n0::/ci\n",
    "v2": "0::/ci/agent\n",
}


class Machine:
    """A machine whose hierarchies are plain folders below `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.agent = place / "agent"
        self.proc = place / "proc"
        self.proc.mkdir()
        self._mounts: list[str] = []

    def mount(self, name: str, kind: str, options: str = "rw", root: str = "/") -> Path:
        point = self.place / name
        shown = str(point).replace(" ", "\\040")
        self._mounts.append(f"30 24 0:26 {root} {shown} rw,nosuid shared:9 - {kind} {kind} {options}")
        return point

    def found(self, groups: str) -> ControlGroups:
        (self.proc / "cgroup").write_text(groups)
        (self.proc / "mountinfo").write_text(
            "\n".join(["24 1 254:0 / / rw - ext4 /dev/vda rw", *self._mounts]) + "\n"
        )
        return ControlGroups.find(self.agent, self.proc)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    place = tmp_path / "with space"
    place.mkdir()
    return Machine(place)


def unit(path: Path, agent: Path, controllers: str) -> Path:
    """A group of version 2 with these controllers, in which the agent's folder stands already."""
    branch = path / name_for(agent)
    branch.mkdir(parents=True)
    for place in (path, branch):
        (place / "cgroup.controllers").write_text(controllers)
        (place / "cgroup.subtree_control").write_text("")
    return branch


def test_a_machine_without_control_groups(machine: Machine) -> None:
    """Each controller is missing, and says so."""
    found = machine.found("")
    assert found.branches == ()
    assert set(found.missing) == {"memory", "pids", "cpu"}
    assert set(found.missing.values()) == {"the kernel offers no control group with this controller here"}


def test_one_hierarchy_for_everything(machine: Machine) -> None:
    """Version 2: the controllers that are there are handed down to the agent's folder."""
    home = machine.mount("fs", "cgroup2") / "ci" / "agent"
    branch = unit(home, machine.agent, "cpuset cpu memory")
    found = machine.found(GROUPS["v2"])
    assert [(one.path, one.home, one.version) for one in found.branches] == [(branch, home, 2)]
    assert found.branches[0].controllers == {"memory", "cpu"}
    assert found.missing == {"pids": "the kernel offers no control group with this controller here"}
    for place in (home, branch):
        assert "+cpu" in (place / "cgroup.subtree_control").read_text()


def test_the_next_warm_parent_of_a_unit_uses_the_same_folder(machine: Machine) -> None:
    """It is started by the one before, in the group into which that one has stepped aside."""
    home = machine.mount("fs", "cgroup2") / "ci" / "agent"
    branch = unit(home, machine.agent, "memory")
    (branch / "warm").mkdir()
    found = machine.found(f"0::/ci/agent/{branch.name}/warm\n")
    assert [(one.path, one.home) for one in found.branches] == [(branch, branch / "warm")]
    assert found.branches[0].controllers == {"memory"}


def test_a_folder_that_another_warm_parent_removed_is_made_again(machine: Machine) -> None:
    """When it left: it saw no attempt in it."""
    (machine.mount("memory", "cgroup", "rw,memory") / "ci" / "agent").mkdir(parents=True)
    (branch,) = machine.found(GROUPS["v1"]).branches
    branch.path.rmdir()
    assert branch.make("7-ab").is_dir()


def test_limits_of_one_hierarchy_and_killing_of_the_other(machine: Machine) -> None:
    """Both versions, as many machines have them: the one that ends groups comes first."""
    for name, options, inner in (
        ("memory", "rw,memory", "ci/agent"),
        ("cpu", "rw,cpu,cpuacct", ""),
        ("pids", "rw,pids", "ci"),
    ):
        (machine.mount(name, "cgroup", options) / inner).mkdir(parents=True)
    machine.mount("systemd", "cgroup", "rw,name=systemd").mkdir()
    unit(machine.mount("unified", "cgroup2") / "ci", machine.agent, "hugetlb")
    found = machine.found(GROUPS["v1"])
    name = name_for(machine.agent)
    assert [(one.version, one.path.relative_to(machine.place)) for one in found.branches] == [
        (2, Path("unified/ci") / name),
        (1, Path("pids/ci") / name),
        (1, Path("memory/ci/agent") / name),
        (1, Path("cpu") / name),
    ]
    assert found.missing == {}
    assert not (machine.place / "systemd" / name).exists()
    found.leave()
    assert not (machine.place / "memory" / "ci" / "agent" / name).exists()


def test_a_part_of_the_tree_is_mounted_in_a_container(machine: Machine) -> None:
    """Paths count from what is mounted; what lies outside of it cannot be used."""
    inner = machine.mount("memory", "cgroup", "rw,memory", root="/ci")
    (inner / "agent").mkdir(parents=True)
    machine.mount("pids", "cgroup", "rw,pids", root="/other").mkdir()
    found = machine.found(GROUPS["v1"])
    assert [one.path for one in found.branches] == [inner / "agent" / name_for(machine.agent)]
    assert set(found.missing) == {"pids", "cpu"}


def test_a_place_that_cannot_be_changed_names_itself(machine: Machine) -> None:
    """With the cause."""
    home = machine.mount("fs", "cgroup2") / "ci" / "agent"
    home.parent.mkdir(parents=True)
    home.write_text("no folder")
    machine.mount("memory", "cgroup", "rw,memory")
    found = machine.found("1:memory:/\n" + GROUPS["v2"])
    assert found.branches == ()
    assert (
        found.missing["memory"] == f"{machine.place}/memory cannot be changed here: No such file or directory"
    )


@pytest.mark.parametrize(
    ("version", "files"),
    [
        (2, {"memory.max": "8388608", "memory.swap.max": "0", "pids.max": "20", "cpu.max": "150000 100000"}),
        (
            1,
            {
                "memory.limit_in_bytes": "8388608",
                "memory.memsw.limit_in_bytes": "8388608",
                "pids.max": "20",
                "cpu.cfs_period_us": "100000",
                "cpu.cfs_quota_us": "150000",
            },
        ),
    ],
)
def test_limits_are_written_in_the_words_of_each_version(
    tmp_path: Path, version: int, files: dict[str, str]
) -> None:
    """And read back."""
    leaf = Leaf(tmp_path, tmp_path)
    for controller, value in (("memory", 8 << 20), ("pids", 20), ("cpu", 1.5)):
        leaf.limit(controller, value, version)
        assert leaf.limited(controller, version) == value
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


def test_no_limit_reads_as_none(tmp_path: Path) -> None:
    """In the words of either version."""
    leaf = Leaf(tmp_path, tmp_path)
    for name, text in {"memory.max": "max\n", "pids.max": "max\n", "cpu.max": "max 100000\n"}.items():
        (tmp_path / name).write_text(text)
    assert [leaf.limited(name, 2) for name in ("memory", "pids", "cpu")] == [None] * 3
    (tmp_path / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (tmp_path / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n")
    assert [leaf.limited(name, 1) for name in ("memory", "pids", "cpu")] == [None] * 3
