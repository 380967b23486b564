"""Mirrors: what a name means, what a file says, and when the network is asked."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tailrace.domain.errors import Invalid, RevisionNotFound
from tailrace.sources.base import Commit
from tailrace.sources.mirror import LARGEST_FILE, Mirrors

from .conftest import Repository

TIME = datetime(2026, 11, 20, 9, 29, 58, tzinfo=UTC)


class TestResolve:
    async def test_without_a_revision_it_is_the_tip_of_the_default_branch(
        self, repository: Repository, mirrors: Mirrors
    ) -> None:
        repository.git("checkout", "--quiet", "-b", "trunk")
        first = repository.commit("Dig\n\nDeeper.")
        expected = Commit(first, "refs/heads/trunk", "trunk", "Dig", "Mia Miller", TIME, "Dig\n\nDeeper.")
        assert await mirrors.resolve(repository.address) == expected
        second = repository.commit("Flow")
        assert (await mirrors.resolve(repository.address)).revision == second
        assert (await mirrors.resolve(repository.address, "HEAD")).revision == second

    async def test_a_detached_head_is_a_commit_without_a_branch(
        self, repository: Repository, mirrors: Mirrors
    ) -> None:
        repository.commit("One")
        repository.git("checkout", "--quiet", "--detach")
        alone = repository.commit("Alone")
        commit = await mirrors.resolve(repository.address)
        assert (commit.revision, commit.ref, commit.branch) == (alone, None, None)

    async def test_a_ref_means_its_tip(self, repository: Repository, mirrors: Mirrors) -> None:
        tip = repository.commit("One")
        repository.git("branch", "feature/größer")
        repository.commit("Two")
        commit = await mirrors.resolve(repository.address, None, "refs/heads/feature/größer")
        assert (commit.revision, commit.branch) == (tip, "feature/größer")

    async def test_names_for_people(self, repository: Repository, mirrors: Mirrors) -> None:
        first = repository.commit("One")
        repository.git("tag", "light")
        repository.git("tag", "-a", "heavy", "-m", "A tag with a message")
        second = repository.commit("Two")
        for name, revision, branch in [
            ("main", second, "main"),
            ("light", first, "light"),
            ("heavy", first, "heavy"),
            ("refs/tags/heavy", first, "heavy"),
            (first[:8], first, None),
            (second[:8].upper(), second, None),
            (first, first, None),
        ]:
            commit = await mirrors.resolve(repository.address, name)
            assert (commit.revision, commit.branch) == (revision, branch), name

    async def test_a_branch_goes_before_a_tag_and_both_before_the_beginning_of_a_hash(
        self, repository: Repository, mirrors: Mirrors
    ) -> None:
        first = repository.commit("One")
        repository.git("tag", "same")
        second = repository.commit("Two")
        repository.git("branch", "same")
        assert (await mirrors.resolve(repository.address, "same")).revision == second
        repository.git("branch", first[:7], second)
        assert (await mirrors.resolve(repository.address, first[:7])).revision == second

    async def test_the_hash_of_a_tag_means_its_commit(self, repository: Repository, mirrors: Mirrors) -> None:
        first = repository.commit("One")
        repository.git("tag", "-a", "heavy", "-m", "A tag with a message")
        tag = repository.git("rev-parse", "heavy")
        commit = await mirrors.resolve(repository.address, tag, "refs/tags/heavy")
        assert (commit.revision, commit.branch) == (first, "heavy")

    async def test_a_pull_requests_head_is_fetched_by_its_hash(
        self, repository: Repository, mirrors: Mirrors
    ) -> None:
        repository.commit("One")
        await mirrors.resolve(repository.address)
        repository.git("checkout", "--quiet", "--detach")
        head = repository.commit("From a fork", {"new": b"!"})
        repository.git("update-ref", "refs/pull/7/head", head)
        repository.git("checkout", "--quiet", "main")
        commit = await mirrors.resolve(repository.address, head, "refs/pull/7/head")
        assert (commit.revision, commit.ref, commit.branch) == (head, "refs/pull/7/head", None)
        assert await mirrors.read_file(repository.address, head, "new") == b"!"
        assert (await mirrors.resolve(repository.address, "refs/pull/7/head")).revision == head

    async def test_a_branch_in_the_place_of_a_folder_of_branches(
        self, repository: Repository, mirrors: Mirrors, tmp_path: Path
    ) -> None:
        repository.commit("One")
        repository.git("branch", "a")
        await mirrors.resolve(repository.address)
        (mirror,) = (tmp_path / "mirrors").glob("*.git")
        (mirror / "mark").touch()
        repository.git("branch", "-D", "a")
        repository.git("branch", "a/b")
        second = repository.commit("Two")
        repository.git("branch", "-f", "a/b", second)
        assert (await mirrors.resolve(repository.address, "a/b")).revision == second
        assert (mirror / "mark").exists()  # brought up to date, not made anew

    async def test_a_forced_push_is_followed_and_what_it_removed_is_still_known(
        self, repository: Repository, mirrors: Mirrors
    ) -> None:
        repository.commit("One")
        gone = repository.commit("Two")
        await mirrors.resolve(repository.address)
        repository.git("reset", "--quiet", "--hard", "HEAD~1")
        other = repository.commit("Two, better")
        assert (await mirrors.resolve(repository.address, "main")).revision == other
        assert (await mirrors.resolve(repository.address, gone)).title == "Two"

    async def test_sha256_repositories(
        self, new_repository: Callable[..., Repository], mirrors: Mirrors
    ) -> None:
        repository = new_repository("long", object_format="sha256")
        tip = repository.commit("One", {"a": b"1"})
        assert len(tip) == 64
        assert (await mirrors.resolve(repository.address, tip)).revision == tip
        assert await mirrors.read_file(repository.address, tip, "a") == b"1"

    async def test_a_shallow_clone_is_a_repository_too(
        self, repository: Repository, new_repository: Callable[..., Repository], mirrors: Mirrors
    ) -> None:
        repository.commit("One")
        tip = repository.commit("Two", {"a": b"2"})
        shallow = new_repository("shallow")
        shallow.git("fetch", "--quiet", "--depth=1", f"file://{repository.place}", "main")
        shallow.git("reset", "--quiet", "--hard", "FETCH_HEAD")
        assert (await mirrors.resolve(shallow.address)).revision == tip
        assert await mirrors.read_file(shallow.address, tip, "a") == b"2"
        third = shallow.commit("Three", {"a": b"3"})
        assert (await mirrors.resolve(shallow.address, third)).title == "Three"
        shallow.git("fetch", "--quiet", "--unshallow", f"file://{repository.place}", "main")
        assert (await mirrors.resolve(shallow.address, "HEAD")).title == "Three"

    @pytest.mark.parametrize("revision", ["nowhere", "0123abc", "a" * 40, "refs/heads/none"])
    async def test_what_is_not_there_is_named(
        self, repository: Repository, mirrors: Mirrors, revision: str
    ) -> None:
        repository.commit("One")
        with pytest.raises(RevisionNotFound, match=f"{repository.place} has no .*{revision}"):
            await mirrors.resolve(repository.address, revision)

    async def test_the_hash_of_a_file_is_no_revision(self, repository: Repository, mirrors: Mirrors) -> None:
        repository.commit("One", {"a": b"1"})
        blob = repository.git("rev-parse", "HEAD:a")
        with pytest.raises(RevisionNotFound):
            await mirrors.resolve(repository.address, blob)

    async def test_an_empty_repository_has_no_revision(
        self, repository: Repository, mirrors: Mirrors
    ) -> None:
        with pytest.raises(RevisionNotFound, match=r"no .*'HEAD': nothing was pushed"):
            await mirrors.resolve(repository.address)

    @pytest.mark.parametrize(
        "name", ["-x", "--upload-pack=x", "main~1", "a b", "", "main^{commit}", "refs/heads/*"]
    )
    async def test_what_git_would_take_for_something_else_is_refused(
        self, repository: Repository, mirrors: Mirrors, name: str
    ) -> None:
        repository.commit("One")
        with pytest.raises(Invalid, match="expected a branch, a tag, or the hash"):
            await mirrors.resolve(repository.address, name)
        with pytest.raises(Invalid, match="expected a full ref"):
            await mirrors.resolve(repository.address, None, name)

    async def test_nothing_begins_with_a_refused_address(self, tmp_path: Path, mirrors: Mirrors) -> None:
        with pytest.raises(Invalid):
            await mirrors.resolve(f"ext::touch {tmp_path}/touched")
        assert list(tmp_path.iterdir()) == []


class TestReadFile:
    async def test_bytes_as_they_were_at_that_revision(
        self, repository: Repository, mirrors: Mirrors
    ) -> None:
        binary = bytes(range(256))
        first = repository.commit("One", {".tailrace.yml": b"a: 1\r\n", "größe/b [1]*": binary})
        second = repository.commit("Two", {".tailrace.yml": b"a: 2\n", "empty": b""})
        assert await mirrors.read_file(repository.address, first, ".tailrace.yml") == b"a: 1\r\n"
        assert await mirrors.read_file(repository.address, second, ".tailrace.yml") == b"a: 2\n"
        assert await mirrors.read_file(repository.address, first, "größe/b [1]*") == binary
        assert await mirrors.read_file(repository.address, second, "empty") == b""

    async def test_none_when_there_is_no_such_file(self, repository: Repository, mirrors: Mirrors) -> None:
        first = repository.commit("One", {"a": b"1"})
        second = repository.commit("Two", {"b": b"1"})
        assert await mirrors.read_file(repository.address, first, "b") is None
        assert await mirrors.read_file(repository.address, second, "b") == b"1"
        assert await mirrors.read_file(repository.address, first, "a/b") is None
        assert await mirrors.read_file(repository.address, first, "?") is None
        assert await mirrors.read_file(repository.address, first, ":/a") is None

    async def test_at_most_one_mebibyte(self, repository: Repository, mirrors: Mirrors) -> None:
        tip = repository.commit("One", {"fits": b"a" * LARGEST_FILE, "larger": b"a" * (LARGEST_FILE + 1)})
        assert await mirrors.read_file(repository.address, tip, "fits") == b"a" * LARGEST_FILE
        with pytest.raises(Invalid, match=r"larger at .* has 1048577 bytes: at most 1048576 are read"):
            await mirrors.read_file(repository.address, tip, "larger")

    async def test_only_files(self, repository: Repository, mirrors: Mirrors) -> None:
        (repository.place / "link").symlink_to(repository.place / "folder" / "a")
        tip = repository.commit("One", {"folder/a": b"1"})
        with pytest.raises(Invalid, match=r"link at .* is a symbolic link: expected a file"):
            await mirrors.read_file(repository.address, tip, "link")
        with pytest.raises(Invalid, match=r"folder at .* is a folder: expected a file"):
            await mirrors.read_file(repository.address, tip, "folder")

    @pytest.mark.parametrize("path", ["", ".", "/etc/passwd", "../a", "a/../../b", "a\0b"])
    async def test_paths_stay_inside(self, repository: Repository, mirrors: Mirrors, path: str) -> None:
        tip = repository.commit("One")
        with pytest.raises(Invalid, match="expected a path inside the repository"):
            await mirrors.read_file(repository.address, tip, path)

    async def test_a_revision_that_is_not_there(self, repository: Repository, mirrors: Mirrors) -> None:
        repository.commit("One")
        with pytest.raises(RevisionNotFound):
            await mirrors.read_file(repository.address, "a" * 40, "a")
        with pytest.raises(Invalid, match="expected a full hash"):
            await mirrors.read_file(repository.address, "--help", "a")


class TestKeeping:
    async def test_what_is_held_needs_no_network(self, repository: Repository, mirrors: Mirrors) -> None:
        tip = repository.commit("One", {"a": b"1"})
        known = await mirrors.resolve(repository.address, tip, "refs/heads/main")
        repository.vanish()
        assert await mirrors.resolve(repository.address, tip, "refs/heads/main") == known
        assert await mirrors.read_file(repository.address, tip, "a") == b"1"
        assert await mirrors.read_file(repository.address, tip, "b") is None

    async def test_another_process_finds_the_mirror(
        self, repository: Repository, mirrors: Mirrors, tmp_path: Path
    ) -> None:
        tip = repository.commit("One")
        await mirrors.resolve(repository.address, tip)
        repository.vanish()
        assert (await Mirrors(tmp_path / "mirrors").resolve(repository.address, tip)).revision == tip

    async def test_nobody_else_may_read_an_address_with_a_password(
        self, repository: Repository, mirrors: Mirrors, tmp_path: Path
    ) -> None:
        repository.commit("One")
        await mirrors.resolve(repository.address)
        (config,) = (tmp_path / "mirrors").glob("*.gitconfig")
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "mirrors").stat().st_mode) == 0o700

    async def test_addresses_with_odd_characters(
        self, new_repository: Callable[..., Repository], mirrors: Mirrors
    ) -> None:
        repository = new_repository('a "quoted" # back\\slash; größer')
        tip = repository.commit("One")
        assert (await mirrors.resolve(repository.address)).revision == tip

    async def test_a_users_configuration_and_a_hooks_environment_change_nothing(
        self, repository: Repository, mirrors: Mirrors, hostile_home: Path
    ) -> None:
        tip = repository.commit("One", {"a": b"1"})
        assert (await mirrors.resolve(repository.address)).title == "One"
        assert await mirrors.read_file(repository.address, tip, "a") == b"1"

    async def test_a_server_inside_a_checkout_does_not_use_that_repository(
        self, new_repository: Callable[..., Repository]
    ) -> None:
        outer, repository = new_repository("outer"), new_repository("inner")
        outer.commit("Outer")
        tip = repository.commit("Inner")
        outer.git("config", "remote.origin.uploadpack", "false")
        assert (
            await Mirrors(outer.place / ".tailrace" / "mirrors").resolve(repository.address)
        ).revision == tip

    async def test_many_at_once(self, repository: Repository, mirrors: Mirrors) -> None:
        revisions = [repository.commit(f"Commit {i}", {"a": str(i).encode()}) for i in range(10)]
        files = await asyncio.gather(*(mirrors.read_file(repository.address, r, "a") for r in revisions))
        assert files == [str(i).encode() for i in range(10)]
