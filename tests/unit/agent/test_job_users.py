"""Jobs of an agent that is root run as users of their own: nothing of the agent's or of another job's is open to them."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tailrace.agent.job_users import JobUsers
from tailrace.domain.credentials import Credentials
from tailrace.domain.errors import Invalid
from tailrace.domain.lease import Lease
from tailrace.domain.plan import JobSpec, RunStep
from tailrace.domain.spans import Stream
from tailrace.domain.states import AttemptState
from tailrace.domain.wire import JobSecrets
from tests.support.folders import remove
from tests.support.git_http import ANYBODY, git_http
from tests.support.ssh import needs_ssh, ssh_server
from tests.support.svn import SvnRepository
from tests.unit.agent.bench import Bench
from tests.unit.agent.peer import Held, Peer, lease_of, until
from tests.unit.runner.bench import git

FIRST, SECOND = "games", "news"  # users of every Debian, of whom nobody runs a process


def known(name: str) -> bool:
    try:
        return pwd.getpwnam(name).pw_uid != 0
    except KeyError:
        return False


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run jobs as other users")
with_users = pytest.mark.skipif(
    not (known(FIRST) and known(SECOND)), reason=f"this machine has no users {FIRST} and {SECOND}"
)


@pytest.fixture
def place() -> Generator[Path]:
    """A folder that every user can reach, which pytest's own is not."""
    made = Path(tempfile.mkdtemp(prefix="tailrace-users-"))
    made.chmod(0o755)
    yield made
    remove(made)


async def completed(bench: Bench, held: Held) -> AttemptState:
    """How it ended; nothing of it is left on the agent's disk then."""
    await until(lambda: held.complete, f"attempt {held.lease.attempt} to be complete")
    await bench.gone(held.lease)
    assert held.finished is not None
    return held.finished.outcome.state


def words(held: Held) -> list[str]:
    return held.output(Stream.STDOUT).decode().split()


@as_root
@with_users
async def test_a_job_is_its_user_in_everything(place: Path, peer: Peer) -> None:
    """Its ids, groups, home and files; its output can be opened by name; what is not its own is closed."""
    user = pwd.getpwnam(FIRST)
    script = (
        "id -un; id -u; id -G | tr ' ' ,; echo $HOME $USER; touch file; stat -c %U file $TMPDIR;"
        " echo named > /dev/stdout; umask"
    )
    async with Bench(place / "agent", peer, capacity=1, users=(FIRST,)) as bench:
        held = await peer.lease(lease_of(1, script))
        assert await completed(bench, held) is AttemptState.PASSED, held.data
        groups = ",".join(map(str, os.getgrouplist(FIRST, user.pw_gid)))
        assert words(held) == [
            FIRST, str(user.pw_uid), groups, user.pw_dir, FIRST, FIRST, FIRST, "named", "0022",
        ]  # fmt: skip
        closed = "; ".join(
            f"{command} >/dev/null 2>&1 && echo open: {command}"
            for command in (
                "cat ../lease.json", "cat ../spool", "ls ..", "ls ../..", "ls ../../..", "ls ../../../mirrors",
                "touch ../x", "cat ../../../credential", "kill -0 $PPID", "cat /proc/$PPID/environ",
            )
        )  # fmt: skip
        held = await peer.lease(lease_of(2, f"{closed}; echo done"))
        assert await completed(bench, held) is AttemptState.PASSED
        assert words(held) == ["done"]


@as_root
@with_users
async def test_two_jobs_at_once_are_two_users(place: Path, peer: Peer) -> None:
    """Also after the agent was restarted; a user is given again when its job has ended, and not before."""
    gates = [place / "one", place / "two", place / "three"]
    script = "echo $PWD > {0}.path; echo $USER; until [ -e {0} ]; do sleep 0.01; done; ls $(cat {1}.path) 2>&1 | wc -l || true"
    async with Bench(place / "agent", peer, capacity=2, users=(FIRST, SECOND)) as bench:
        place.chmod(0o777)
        first = await peer.lease(lease_of(1, script.format(gates[0], gates[1])))
        await until(lambda: words(first), "the first to begin")
        await bench.stop()
        await bench.start()
        second = await peer.lease(lease_of(2, f"touch own; {script.format(gates[1], gates[0])}"))
        await until(lambda: words(second), "the second to begin")
        third = await peer.lease(lease_of(3, script.format(gates[2], gates[0])))
        assert (words(first)[0], words(second)[0]) == (FIRST, SECOND)
        gates[0].touch()
        assert await completed(bench, first) is AttemptState.PASSED
        await until(lambda: words(third), "the third to begin")
        assert words(third)[0] == FIRST
        gates[2].touch()
        gates[1].touch()
        assert await completed(bench, second) is AttemptState.PASSED
        assert await completed(bench, third) is AttemptState.PASSED
        assert words(first)[1] == "1"  # the error alone: the other's workspace is closed


@as_root
@with_users
async def test_a_checkout_belongs_to_the_jobs_user(place: Path, peer: Peer) -> None:
    """What the workspace borrows is the agent's; git works in it as anywhere."""
    repository = place / "repository"
    repository.mkdir()
    git(repository, "init", "-q")
    (repository / "file").write_text("content\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "first")
    revision = git(repository, "rev-parse", "HEAD")
    script = (
        "cat file; stat -c %U . file .git .git/config; git status --porcelain | wc -l; git rev-parse HEAD"
    )
    commit = (
        "git -c user.name=x -c user.email=x@example.org commit -q --allow-empty -m more && echo committed"
    )
    async with Bench(place / "agent", peer, capacity=1, users=(FIRST,)) as bench:
        job = JobSpec(name="job", steps=(RunStep(name="step", run=f"{script}; {commit}"),))
        lease = lease_of(1, repository=str(repository), revision=revision, job=job)
        held = await peer.lease(lease)
        assert await completed(bench, held) is AttemptState.PASSED, held.data
        assert words(held) == ["content", FIRST, FIRST, FIRST, FIRST, "0", revision, "committed"]
        mirrors = list((place / "agent" / "mirrors").glob("*.git"))
        assert [mirror.stat().st_uid for mirror in mirrors] == [0]


@as_root
@with_users
async def test_links_do_not_lead_the_agent_astray(place: Path, peer: Peer) -> None:
    """A job that puts a link where the next step's script will be written changes no file of root's."""
    target = place / "target"
    target.write_text("untouched")
    async with Bench(place / "agent", peer, capacity=1, users=(FIRST,)) as bench:
        held = await peer.lease(lease_of(1, f"ln -s {target} $TMPDIR/step-1.sh", "echo second"))
        assert await completed(bench, held) is AttemptState.PASSED
        assert words(held) == ["second"]
        assert target.read_text() == "untouched"
        assert target.stat().st_uid == 0


@as_root
def test_what_cannot_work_is_said(place: Path) -> None:
    """At the start, with what is allowed."""
    for names, places, words in (
        (("nobody-has-this-name",), 1, "there is no user 'nobody-has-this-name'"),
        (("root",), 1, "jobs need users without rights"),
        ((FIRST, FIRST), 1, "names a user twice"),
        ((FIRST,), 2, "1 users are too few for 2 jobs at once"),
    ):
        with pytest.raises(Invalid, match=words):
            JobUsers.named(names, places, place)
    place.chmod(0o700)
    with pytest.raises(Invalid, match=f"{place} lets nobody through to {place}/agent"):
        JobUsers.named((FIRST,), 1, place / "agent")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can")
def test_only_root_can(place: Path) -> None:
    """An agent that is not root names the setting."""
    with pytest.raises(Invalid, match="job_users: only an agent that runs as root"):
        JobUsers.named((FIRST,), 1, place)


@as_root
@with_users
async def test_a_checkout_of_subversion_belongs_to_the_user_and_no_workspace_is_kept(
    place: Path, peer: Peer
) -> None:
    """Nobody else may look into it, and svn works there; files of one user are not given to the next."""
    repository = SvnRepository(place / "wheels")
    repository.commit("First", {"trunk/file": "first", "trunk/inner/file": "x"})
    script = "id -un; stat -c %U.%a . | tail -1; stat -c %U file .svn inner/file; svn status; ls; touch built"
    async with Bench(place / "agent", peer, capacity=1, users=(FIRST,)) as bench:
        for number in (1, 2):
            job = JobSpec(
                name="test", workspace="keep", timeout_s=60, steps=(RunStep(name="one", run=script),)
            )
            lease = lease_of(number, script).model_copy(
                update={"job": job, "repository": repository.address, "revision": "2", "ref": "trunk"}
            )
            held = await peer.lease(lease)
            assert await completed(bench, held) is AttemptState.PASSED, held.data
            assert words(held) == [FIRST, f"{FIRST}.700", FIRST, FIRST, FIRST, "file", "inner"]
            assert b"the workspace is not kept: this agent runs each job as a user of its own" in held.data
    assert not (place / "agent" / "workspaces").exists()


def with_submodule(served: Path, address: str) -> None:
    """Repositories `inner` and `shop`, of which shop has the other as a submodule at an address."""
    for name in ("inner", "shop"):
        (served / name).mkdir(parents=True)
        git(served / name, "init", "-q")
        (served / name / "file").write_text(name)
    (served / "shop" / ".gitmodules").write_text(f'[submodule "inner"]\n\tpath = inner\n\turl = {address}\n')
    for name in ("inner", "shop"):
        git(served / name, "add", ".")
        if name == "shop":
            commit = git(served / "inner", "rev-parse", "HEAD")
            git(served / name, "update-index", "--add", "--cacheinfo", f"160000,{commit},inner")
        git(served / name, "commit", "-q", "-m", name)


def opening(number: int, repository: str) -> Lease:
    """A lease of a job that checks out with submodules, from a repository that DEPLOY opens."""
    steps = (
        RunStep(
            name="step", run="cat file inner/file; echo >> ../../../mirrors/known_hosts && echo written; true"
        ),
    )
    job = JobSpec(name="job", submodules="recursive", steps=steps)
    return lease_of(number, job=job, repository=repository, credentials=Credentials(secret="DEPLOY"))


@as_root
@with_users
async def test_a_password_opens_submodules_that_are_checked_out_as_the_jobs_user(
    place: Path, peer: Peer
) -> None:
    with git_http(place / "served", {ANYBODY: "hush-hush"}) as web:
        with_submodule(place / "served", web.address("inner"))
        async with Bench(place / "agent", peer, capacity=1, users=(FIRST,)) as bench:
            held = await peer.lease(opening(1, web.address("shop")), JobSecrets(opener="hush-hush"))
            assert await completed(bench, held) is AttemptState.PASSED, held.data
            assert words(held) == ["shopinner"]


@as_root
@with_users
@needs_ssh
async def test_a_key_opens_submodules_that_are_checked_out_as_the_jobs_user(place: Path, peer: Peer) -> None:
    """The key is in memory, for its git too; what machines the agent knows it cannot change."""
    with ssh_server() as ssh:
        address = f"ssh://git@127.0.0.1:{ssh.port}{place}/served"
        with_submodule(place / "served", f"{address}/inner")
        async with Bench(place / "agent", peer, capacity=1, users=(FIRST,)) as bench:
            held = await peer.lease(opening(1, f"{address}/shop"), JobSecrets(opener=ssh.new_key()))
            assert await completed(bench, held) is AttemptState.PASSED, held.data
            assert words(held) == ["shopinner"]
