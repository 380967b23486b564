"""How git and svn are let in: what their environment says, and whom ssh shows the key."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tailrace.domain.credentials import Credentials, Opener, Remote
from tailrace.domain.unlock import NOTHING, Unlocked, both, unlock, with_git_settings
from tailrace.memory import in_memory, names_of

KNOWN = Path("/data/mirrors/known_hosts")


def opened(address: str, value: str = "hush-hush", **said: str) -> Remote:
    credentials = Credentials.model_validate({"secret": "KEY", **said})
    return Remote(address, Opener(credentials, "shop", "secret/1/KEY", value))


def test_a_password_is_in_the_environment_alone() -> None:
    """Git gets it from a helper, for that host only; other helpers are not told of it, as they might keep it."""
    key = unlock(opened("https://example.org:8443/r.git", "sésame", user="kim"), KNOWN)
    assert (key.env["TAILRACE_GIT_USER"], key.env["TAILRACE_GIT_PASSWORD"]) == ("kim", "sésame")
    helper = "credential.https://example.org:8443.helper"
    assert (key.env["GIT_CONFIG_KEY_0"], key.env["GIT_CONFIG_VALUE_0"]) == (helper, "")
    assert key.env["GIT_CONFIG_KEY_1"] == helper
    assert "sésame" not in key.env["GIT_CONFIG_VALUE_1"]
    assert key.held == ()


def test_git_gives_the_login_to_that_host_alone(tmp_path: Path) -> None:
    """As the real one does, whatever helpers its user has: those hear nothing of it."""
    told = tmp_path / "told"
    (tmp_path / ".gitconfig").write_text(f'[credential]\n\thelper = "!cat >> {told}; true"\n')
    key = unlock(opened("https://example.org/r.git"), KNOWN)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_TERMINAL_PROMPT": "0", **key.env}

    def ask(word: str, asked: str) -> str:
        done = subprocess.run(["git", "credential", word], env=env, input=asked.encode(), capture_output=True)
        return done.stdout.decode()

    filled = ask("fill", "protocol=https\nhost=example.org\n\n")
    assert "username=x-access-token\npassword=hush-hush\n" in filled
    ask("approve", filled + "\n")
    assert not told.exists()
    assert "hush-hush" not in ask("fill", "protocol=https\nhost=example.com\n\n")
    assert "hush-hush" not in ask("fill", "protocol=http\nhost=example.org\n\n")


def test_nothing_is_needed_where_nothing_opens() -> None:
    assert unlock(Remote("https://example.org/r"), KNOWN) == NOTHING
    assert unlock(Remote("git@example.org:r"), KNOWN) == NOTHING
    assert unlock(opened("svn://example.org/r", user="kim"), KNOWN).env == {}


def test_settings_come_behind_those_that_there_are() -> None:
    one = with_git_settings({"GIT_CONFIG_GLOBAL": "/x"}, [("http.proxy", "p")])
    other = with_git_settings({"A": "b", "GIT_CONFIG_NOSYSTEM": "1"}, [("c.helper", ""), ("c.helper", "h")])
    assert both(one, other) == {
        "GIT_CONFIG_GLOBAL": "/x", "A": "b", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": "http.proxy", "GIT_CONFIG_VALUE_0": "p",
        "GIT_CONFIG_KEY_1": "c.helper", "GIT_CONFIG_VALUE_1": "",
        "GIT_CONFIG_KEY_2": "c.helper", "GIT_CONFIG_VALUE_2": "h",
    }  # fmt: skip
    assert both({"A": "b"}, {}) == {"A": "b"}


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A stand-in for ssh that prints its arguments, and the file that -i names."""
    place = tmp_path / "bin"
    place.mkdir()
    program = place / "ssh"
    program.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@"\nfor w do [ "$last" = -i ] && cat "$w"; last=$w; done\n'
    )
    program.chmod(0o755)
    return place


def called(key: Unlocked, stand_in: Path, *arguments: str) -> list[str]:
    """What the stand-in for ssh is called with when git or svn calls ssh."""
    with in_memory(key.held) as fds:
        path = f"{stand_in}:{os.environ['PATH']}"
        env = {"PATH": path, **key.env, **names_of(fds)}
        shell = ["sh", "-c", f'{key.env["GIT_SSH_COMMAND"]} "$@"', "git", *arguments]
        done = subprocess.run(shell, env=env, pass_fds=fds, capture_output=True, check=True)
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize(
    ("address", "arguments", "own"),
    [
        ("git@example.org:r.git", ("git@example.org", "git-upload-pack 'r.git'"), True),
        (
            "ssh://git@example.org:2222/r",
            ("-p", "2222", "-o", "SendEnv=GIT_PROTOCOL", "git@example.org", "x"),
            True,
        ),
        ("ssh://git@Example.org/r", ("git@Example.org", "x"), True),
        ("ssh://git@[::1]:2222/r", ("-p", "2222", "git@::1", "x"), True),
        ("svn+ssh://kim@example.org/r", ("kim@example.org", "svnserve", "-t"), True),
        ("svn+ssh://kim@example.org:2222/r", ("kim@example.org:2222", "svnserve", "-t"), True),
        ("git@example.org:r.git", ("git@example.com", "x example.org"), False),
        ("git@example.org:r.git", ("-o", "example.org", "git@example.com", "x"), False),
        ("git@example.org:r.git", ("evil.example.org", "x"), False),
        ("git@example.org:r.git", ("example.org.evil", "x"), False),
    ],
)
def test_ssh_shows_the_key_to_that_machine_alone(
    stand_in: Path, address: str, arguments: tuple[str, ...], own: bool
) -> None:
    """Submodules and externals may name any other. The arguments are left as they were."""
    key = unlock(opened(address, "-----BEGIN PRIVATE KEY-----\nhush"), KNOWN)
    said = called(key, stand_in, *arguments)
    assert ("hush" in said, {"-oIdentitiesOnly=yes", "-oIdentityAgent=none"} <= set(said)) == (own, own)
    assert "-oBatchMode=yes" in said
    end = said.index("-----BEGIN PRIVATE KEY-----") if own else len(said)
    assert tuple(said[end - len(arguments) : end]) == arguments


def test_a_machine_is_believed_once_or_known(stand_in: Path) -> None:
    """Whom the project names is asked for in memory; a process of another user has the agent's file there too."""
    value = "-----BEGIN PRIVATE KEY-----\nhush"
    once = unlock(opened("git@example.org:r", value), Path("/a b/100%/known_hosts"))
    said = called(once, stand_in, "git@example.org", "x")
    assert "-oStrictHostKeyChecking=accept-new" in said
    assert '-oUserKnownHostsFile="/a b/100%%/known_hosts" ~/.ssh/known_hosts' in said
    line = "example.org ssh-ed25519 AAAA\n"
    known = unlock(opened("git@example.org:r", value, known_hosts=line), KNOWN)
    for strict in (known, once.knowing(line.encode()), known.knowing(b"another")):
        assert strict.held[1] == line.encode()
        said = called(strict, stand_in, "git@example.org", "x")
        assert "-oStrictHostKeyChecking=yes" in said
        assert any(word.startswith("-oUserKnownHostsFile=/proc/") for word in said)
    assert NOTHING.knowing(b"x") == NOTHING


def test_no_secret_is_in_an_argument_or_the_environment_of_ssh() -> None:
    key = unlock(opened("git@example.org:r", "-----BEGIN PRIVATE KEY-----\nhush"), KNOWN)
    assert not [value for value in key.env.values() if "hush" in value]
    assert "hush" in key.held[0].decode()
