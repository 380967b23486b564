"""What the server asks of Subversion repositories, real ones."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tailrace.domain.errors import Invalid, RevisionNotFound, SourceUnreachable
from tailrace.sources.repositories import Repositories
from tailrace.sources.subversion import Subversion
from tests.support.svn import PASSWORD, USER, SvnRepository, served, with_login


@pytest.fixture
def repository(tmp_path: Path) -> SvnRepository:
    """2: a file on trunk; 3: a branch; 4: a change on it; 5: a tag of the trunk."""
    made = SvnRepository(tmp_path / "wheels")
    made.commit("First light\n\nand more", {"trunk/a file @1": "one", "trunk/.tailrace.yml": "jobs: {}"})
    made.copy("trunk", "branches/topic")
    made.commit("On topic", {"branches/topic/a file @1": "two"})
    made.copy("trunk", "tags/v1")
    return made


@pytest.fixture
def subversion(tmp_path: Path) -> Subversion:
    return Subversion(tmp_path / "svn", timeout=60)


@pytest.mark.parametrize(
    ("revision", "ref", "expected"),
    [
        (None, None, ("2", "trunk", "trunk", "First light")),
        ("HEAD", None, ("2", "trunk", "trunk", "First light")),
        ("trunk", None, ("2", "trunk", "trunk", "First light")),
        ("branches/topic", None, ("4", "branches/topic", "topic", "On topic")),
        ("topic", None, ("4", "branches/topic", "topic", "On topic")),
        (None, "branches/topic", ("4", "branches/topic", "topic", "On topic")),
        ("3", "branches/topic", ("3", "branches/topic", "topic", "Make branches/topic")),
        ("topic@3", None, ("3", "branches/topic", "topic", "Make branches/topic")),
        ("topic@3", "trunk", ("3", "branches/topic", "topic", "Make branches/topic")),
        ("v1", None, ("5", "tags/v1", "v1", "Make tags/v1")),
        ("r3", None, ("3", "trunk", "trunk", "First light")),
        ("branches", None, ("4", "branches", "branches", "On topic")),
    ],
)
async def test_a_revision_is_a_number_and_a_folder(
    repository: SvnRepository,
    subversion: Subversion,
    revision: str | None,
    ref: str | None,
    expected: tuple[str, str, str, str],
) -> None:
    """Without a number it is the folder's last change, and the main folder is the trunk."""
    commit = await subversion.resolve(repository.address, revision, ref)
    assert (commit.revision, commit.ref, commit.branch, commit.title) == expected
    assert commit.author == "mia"
    assert abs(commit.time - datetime.now(UTC)) < timedelta(hours=1)


async def test_an_address_without_a_trunk_is_meant_itself(
    repository: SvnRepository, subversion: Subversion
) -> None:
    """So one can name the trunk, or a project that knows no branches."""
    commit = await subversion.resolve(f"{repository.address}/trunk/")
    assert (commit.revision, commit.ref, commit.branch) == ("2", None, None)
    assert await subversion.read_file(f"{repository.address}/trunk/", "2", "a file @1") == b"one"


async def test_a_folder_that_was_moved_is_read_where_it_is(
    repository: SvnRepository, subversion: Subversion
) -> None:
    """Its last change is the move: before that there was nothing of that name."""
    moved = repository.copy("trunk", "branches/moved")
    repository.svn("mkdir", "-m", "A shelf", f"{repository.url}/shelf")
    repository.svn("move", "-m", "To the shelf", f"{repository.url}/branches", f"{repository.url}/shelf/b")
    commit = await subversion.resolve(repository.address, "shelf/b/moved")
    assert int(commit.revision) == int(moved) + 2
    assert await subversion.read_file(repository.address, commit.revision, "a file @1", commit.ref) == b"one"


async def test_a_file_is_read_as_it_was(repository: SvnRepository, subversion: Subversion) -> None:
    """In that folder at that revision; a folder is no file, and a missing one is None."""
    address = repository.address
    assert await subversion.read_file(address, "4", "a file @1", "branches/topic") == b"two"
    assert await subversion.read_file(address, "3", "a file @1", "branches/topic") == b"one"
    assert await subversion.read_file(address, "3", "./.tailrace.yml", "trunk") == b"jobs: {}"
    assert await subversion.read_file(address, "4", "none", "trunk") is None
    assert await subversion.read_file(address, "2", "a file @1", "branches/topic") is None
    with pytest.raises(Invalid, match=r"branches/topic at 4 is a folder"):
        await subversion.read_file(address, "4", "branches/topic")
    with pytest.raises(Invalid, match="expected a path inside"):
        await subversion.read_file(address, "4", "../tags/v1/a file @1", "trunk")


async def test_a_file_that_is_too_large_is_not_read(
    repository: SvnRepository, subversion: Subversion
) -> None:
    """A plan file has at most a mebibyte."""
    number = repository.commit("Large", {"trunk/large": "x" * (1024 * 1024 + 1)})
    with pytest.raises(Invalid, match="has 1048577 bytes: at most 1048576 are read"):
        await subversion.read_file(repository.address, number, "large", "trunk")


@pytest.mark.parametrize("name", ["nope", "99", "topic@2", "branches/nope", "trunk/a file @1@2"])
async def test_what_the_repository_has_not_is_said(
    repository: SvnRepository, subversion: Subversion, name: str
) -> None:
    """With what was asked for."""
    with pytest.raises(RevisionNotFound, match=f"no revision, branch or tag '{name}': "):
        await subversion.resolve(repository.address, name)


@pytest.mark.parametrize("name", ["../wheels", "/etc", "a//b", "", "branches/../../x", "a\nb"])
async def test_names_that_lead_elsewhere_are_refused(
    repository: SvnRepository, subversion: Subversion, name: str
) -> None:
    """Before svn sees them."""
    with pytest.raises(Invalid, match="expected a number, or the name of a branch"):
        await subversion.resolve(repository.address, name)


async def test_an_empty_repository_has_nothing_to_run(tmp_path: Path, subversion: Subversion) -> None:
    """Nothing was committed: it answers, and has no revision."""
    process = await asyncio.create_subprocess_exec("svnadmin", "create", str(tmp_path / "empty"))
    assert await process.wait() == 0
    with pytest.raises(RevisionNotFound, match="nothing was committed there yet"):
        await subversion.resolve(f"svn+file://{tmp_path}/empty")


async def test_a_repository_that_does_not_answer_is_unreachable(
    repository: SvnRepository, subversion: Subversion
) -> None:
    """svn's own words say why."""
    with pytest.raises(SourceUnreachable, match="Connection refused"):
        await subversion.resolve("svn://127.0.0.1:1/wheels")
    repository.vanish()
    with pytest.raises(SourceUnreachable, match="Unable to open repository"):
        await subversion.resolve(repository.address)
    with pytest.raises(SourceUnreachable, match="Unable to open repository"):
        await subversion.read_file(repository.address, "1", "x", "trunk")


async def test_a_login_in_the_address_lets_in(repository: SvnRepository, tmp_path: Path) -> None:
    """Any characters; without it, or with another, nobody is let in, and no message shows it."""
    repositories = Repositories(tmp_path / "svn")
    with served(repository) as address:
        right = with_login(address)
        commit = await repositories.resolve(right, None, None)
        assert commit.revision == "2"
        assert await repositories.read_file(right, "2", "a file @1", commit.ref) == b"one"
        wrong = right.replace(f"{USER}:", f"{USER}:x")
        for refused in (address, wrong):
            with pytest.raises(SourceUnreachable) as caught:
                await repositories.resolve(refused, None, None)
            assert PASSWORD not in str(caught.value)
            assert "ss%20w" not in str(caught.value)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "svn").rglob("*") if path.is_file())
    assert PASSWORD.encode() not in kept
    assert b"ss%20w" not in kept


async def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    """After the time that a command may take; svn is gone then."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        address = f"svn://127.0.0.1:{server.sockets[0].getsockname()[1]}/r"
        with pytest.raises(SourceUnreachable, match=r"svn info did not end within 0\.3 s"):
            await Subversion(tmp_path, timeout=0.3).resolve(address)


async def test_a_machine_without_svn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceUnreachable, match="there is no svn on this machine's PATH: install subversion"):
        await Subversion(tmp_path).resolve("svn://127.0.0.1/r")


async def test_files_are_listed_as_they_were(repository: SvnRepository, subversion: Subversion) -> None:
    """One, and those in a folder, but not below; what is not there is left out."""

    async def listed(revision: str, ref: str) -> tuple[str, ...]:
        return await subversion.list_files(repository.address, revision, ref, ".tailrace.yml", ".tailrace")

    assert await listed("2", "trunk") == (".tailrace.yml",)
    repository.commit("More", {"trunk/.tailrace/a b@1.yml": "x", "trunk/.tailrace/deep/c.yml": "x"})
    assert await listed("6", "trunk") == (".tailrace.yml", ".tailrace/a b@1.yml")
    assert await listed("4", "branches/topic") == (".tailrace.yml",)
