"""How git and svn are let into a repository: by their environment, and by what they find in memory. Nothing is on a disk or in a
command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tailrace.domain.address import Login
from tailrace.domain.credentials import Remote

_HELPER = (
    '!f() { test "$1" = get && '
    'printf "username=%s\\npassword=%s\\n" "$TAILRACE_GIT_USER" "$TAILRACE_GIT_PASSWORD"; }; f'
)
# For the one machine: its key, and what it is known by. By the parent, as each has inherited the files in memory: ssh itself
# closes what it inherits. For other machines ssh is as it is, and asks nobody. svn gives it HOST:PORT for a host.
_SSH = r"""
o= h=
for w do
  if [ "$o" ]; then o=; continue; fi
  case "$w" in -[opliF]) o=1 ;; -*) ;; *) h=${w##*@}; break ;; esac
done
if [ "$h" = "$TAILRACE_SSH_HOST:$TAILRACE_SSH_PORT" ]; then
  set -- -p "$TAILRACE_SSH_PORT" -oHostName="$TAILRACE_SSH_HOST" "$@"
  h=$TAILRACE_SSH_HOST
fi
if [ "$h" = "$TAILRACE_SSH_HOST" ]; then
  m=/proc/$PPID/fd
  if [ "$TAILRACE_HELD_1" ]; then
    set -- -oUserKnownHostsFile="$m/$TAILRACE_HELD_1" -oGlobalKnownHostsFile=/dev/null -oStrictHostKeyChecking=yes "$@"
  else
    set -- -oUserKnownHostsFile="\"$TAILRACE_KNOWN_HOSTS\" ~/.ssh/known_hosts" -oStrictHostKeyChecking=accept-new "$@"
  fi
  set -- -i "$m/$TAILRACE_HELD_0" -oIdentitiesOnly=yes -oIdentityAgent=none -oUpdateHostKeys=no "$@"
fi
exec ssh -oBatchMode=yes -oControlMaster=no -oControlPath=none -oConnectTimeout=15 \
  -oServerAliveInterval=15 -oServerAliveCountMax=4 "$@"
"""
_SETTINGS = ("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")
_RUN_SSH = "sh -c 'eval \"$TAILRACE_SSH\"' ssh"


class Unlocked(NamedTuple):
    """What a program gets that is let in: `env` beside its environment, `held` in memory (`tailrace.memory.in_memory`).

    `shown` says for messages, in brackets, which secret it was.
    """

    env: Mapping[str, str] = {}
    held: tuple[bytes, ...] = ()
    shown: str = ""

    def knowing(self, known_hosts: bytes) -> Unlocked:
        """For a process that could not note a machine: it is given the bytes of what is known, and believes no other."""
        return self._replace(held=(*self.held, known_hosts)) if len(self.held) == 1 else self


NOTHING = Unlocked()


def unlock(remote: Remote, known_hosts: Path) -> Unlocked:
    """For git, and for svn over ssh; svn's own password goes another way (`Remote.login`).

    `known_hosts` is where machines are kept that were believed the first time.
    """
    shown = "" if remote.opener is None else f" ({remote.opener.words} was shown to it)"
    if remote.key is not None and remote.opener is not None:
        name, port = _host(remote.url)
        given = remote.opener.credentials.known_hosts
        env = {
            "GIT_SSH_COMMAND": _RUN_SSH,
            "GIT_SSH_VARIANT": "ssh",
            "SVN_SSH": _RUN_SSH,
            "TAILRACE_SSH": _SSH,
            "TAILRACE_SSH_HOST": name,
            "TAILRACE_SSH_PORT": port,
            "TAILRACE_KNOWN_HOSTS": str(known_hosts).replace("%", "%%"),
        }
        held = (remote.key, *(() if given is None else (given,)))
        return Unlocked(env, tuple(one.encode() for one in held), shown)
    if remote.login is None or remote.is_subversion:
        return Unlocked(shown=shown)
    return Unlocked(_login_of_git(remote.login), shown=shown)


def with_git_settings(env: Mapping[str, str], settings: Iterable[tuple[str, str]]) -> dict[str, str]:
    """An environment of git's with these settings (the name and the value) behind those that it has."""
    said = dict(env)
    number = int(said.get("GIT_CONFIG_COUNT", "0"))
    for name, value in settings:
        said |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        number += 1
    return {**said, "GIT_CONFIG_COUNT": str(number)} if number else said


def both(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """Two environments of git's in one, with the settings of both."""
    count = int(other.get("GIT_CONFIG_COUNT", "0"))
    settings = [(other[f"GIT_CONFIG_KEY_{n}"], other[f"GIT_CONFIG_VALUE_{n}"]) for n in range(count)]
    rest = {name: value for name, value in other.items() if not name.startswith(_SETTINGS)}
    return with_git_settings({**one, **rest}, settings)


def _login_of_git(login: Login) -> dict[str, str]:
    helper = f"credential.{login.host}.helper"
    env = {"TAILRACE_GIT_USER": login.user, "TAILRACE_GIT_PASSWORD": login.password}
    # The machine's own helpers would be told of a password that was right, and might keep it.
    return with_git_settings(env, [(helper, ""), (helper, _HELPER)])


def _host(address: str) -> tuple[str, str]:
    """The machine's name as git and svn give it to ssh, and its port."""
    if "://" not in address:
        return address.partition(":")[0].rpartition("@")[2], "22"
    place = urlsplit(address).netloc.rpartition("@")[2]
    if place.startswith("["):
        name, _, port = place[1:].partition("]")
        return name, port.removeprefix(":") or "22"
    name, _, port = place.partition(":")
    return name, port or "22"
