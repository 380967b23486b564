"""What opens a project's repository: a secret that the project names, with a password, a token, or a key of ssh."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, field_validator

from tailrace.domain.address import (
    Login,
    folder_name,
    host_of,
    is_subversion,
    split_login,
    without_password,
)
from tailrace.domain.errors import Invalid
from tailrace.domain.secrets import NAME_RULE, is_name
from tailrace.domain.subversion import split_svn_login

ANY_USER = "x-access-token"
"""The user's name beside a token where none is given: GitHub wants this one from its apps, and forges do not look at it beside a
personal access token."""
MAX_KNOWN_HOSTS = 32 * 1024
"""Characters."""
MAX_USER = 200

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_UNFIT = re.compile(r"[\x00\ud800-\udfff]")
_OPENSSH = re.compile(r"-----BEGIN OPENSSH PRIVATE KEY-----(.*)-----END", re.DOTALL)
_MAGIC = b"openssh-key-v1\0"


class By(StrEnum):
    """How whoever has a repository is asked to be let in."""

    PASSWORD = "password"
    KEY = "key"


class Credentials(BaseModel):
    """What a project says of its repository's login: none of it is secret.

    `secret` is the name of one of the project's, or of one for all. `user` goes with a password or a token, never with a key.
    `known_hosts` are lines as in the file of ssh of that name, of a machine that is asked by a key; None: the machine is believed
    the first time, and must stay the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    secret: str
    user: str | None = None
    known_hosts: str | None = None

    @field_validator("secret")
    @classmethod
    def _named(cls, name: str) -> str:
        if not is_name(name):
            raise ValueError(f"expected the name of a secret: {NAME_RULE}")
        return name

    @field_validator("user")
    @classmethod
    def _fit(cls, user: str | None) -> str | None:
        if user is not None and (not 0 < len(user) <= MAX_USER or _CONTROL.search(user) or ":" in user):
            raise ValueError(f"expected 1 to {MAX_USER} characters, without : and control characters")
        return user

    @field_validator("known_hosts")
    @classmethod
    def _lines(cls, text: str | None) -> str | None:
        if text is None:
            return None
        if len(text) > MAX_KNOWN_HOSTS or _UNFIT.search(text):
            raise ValueError(f"expected text of {MAX_KNOWN_HOSTS} characters at most")
        lines = [line.strip() for line in text.splitlines()]
        said = [line for line in lines if line and not line.startswith("#")]
        wrong = next((number for number, line in enumerate(said, 1) if len(line.split()) < 3), None)
        if not said or wrong is not None:
            what = "is empty" if not said else f"entry {wrong} has no key"
            raise ValueError(
                f"{what}; expected lines such as `example.org ssh-ed25519 AAAA…`, as `ssh-keyscan example.org` prints them"
            )
        return "\n".join(said) + "\n"


def asked_by(repository: str) -> By | None:
    """How a repository at this address is opened; None where nothing opens it. Of addresses that were checked."""
    host = host_of(repository)
    if host is None or host.scheme == "git":
        return None
    return By.KEY if host.scheme == "ssh" else By.PASSWORD


def check_credentials(repository: str, credentials: Credentials) -> None:
    """Raises Invalid where these cannot open what is at this address."""
    shown = without_password(repository)
    by = asked_by(repository)
    if by is None:
        raise Invalid(
            f"credentials: nobody is asked for any at {shown}; expected an address of http, https, ssh or svn, or none of them"
        )
    if by is By.KEY:
        if credentials.user is not None:
            raise Invalid(
                f"credentials: there is no user beside a key of ssh; the address names it, such as git@…; found {shown}"
            )
        return
    if _split(repository)[1] is not None:
        raise Invalid(
            f"credentials: a user or a password stands in the address already ({shown}): write the address without it"
        )
    if credentials.known_hosts is not None:
        raise Invalid(f"credentials: known_hosts are for addresses of ssh, and {shown} is none")
    if is_subversion(repository) and credentials.user is None:
        raise Invalid("credentials: Subversion wants a user beside the password")


@dataclass(frozen=True)
class Opener:
    """The secret that a project's credentials name, in clear: for memory alone. `row` is what the store calls it."""

    credentials: Credentials
    project: str
    row: str
    value: str = field(repr=False)

    @property
    def words(self) -> str:
        return secret_in_words(self.credentials, self.project)


def secret_in_words(credentials: Credentials, project: str) -> str:
    """Which secret it is, for messages."""
    return f"secret {credentials.secret}, which project {project} names for its repository,"


@dataclass(frozen=True)
class Remote:
    """A repository as it is asked: its address, and what opens it, where the address does not say it or nobody wants it."""

    address: str
    opener: Opener | None = None

    @property
    def shown(self) -> str:
        """The address for people."""
        return without_password(self.address)

    @property
    def is_subversion(self) -> bool:
        return is_subversion(self.address)

    @property
    def url(self) -> str:
        """What git or svn is given: without user and password."""
        return _split(self.address)[0]

    @property
    def place(self) -> str:
        """A name for what is kept of it: what one secret opened is another's only by that one."""
        return folder_name(self.address, self.opened_by)

    @property
    def opened_by(self) -> str:
        """What tells it from the same repository as others see it; the same when the secret's value is replaced."""
        return "" if self.opener is None else opened_by(self.opener.credentials, self.opener.row)

    @property
    def login(self) -> Login | None:
        """The user and the password."""
        url, login = _split(self.address)
        if self.opener is None or asked_by(self.address) is not By.PASSWORD:
            return login
        scheme, _, rest = url.partition("://")
        host = f"{scheme}://{rest.partition('/')[0]}"
        return Login(host, self.opener.credentials.user or ANY_USER, _password(self.opener))

    @property
    def key(self) -> str | None:
        """The private key of ssh, as a file of it reads."""
        if self.opener is None or asked_by(self.address) is not By.KEY:
            return None
        return "\n".join(line.strip() for line in self.opener.value.strip().splitlines()) + "\n"

    def check(self) -> None:
        """Raises Invalid, which never quotes the secret, where it is nothing that opens such an address."""
        if self.opener is None:
            return
        what = self.opener.words
        if self.key is not None:
            why = _why_no_key(self.key)
            if why is not None:
                raise Invalid(f"{what} {why}; {self.shown} is opened by a private key of ssh")
        elif _CONTROL.search(_password(self.opener)):
            raise Invalid(
                f"{what} has several lines or a control character: it is no password and no token, as {self.shown} wants;"
                " a key of ssh opens addresses such as git@HOST:PATH"
            )


def opened_by(credentials: Credentials, row: str) -> str:
    """See `Remote.opened_by`."""
    return f"{row}/{credentials.user or ''}"


def as_remote(repository: str | Remote) -> Remote:
    """An address alone is one that nobody has to be let into, or that holds the password."""
    return Remote(repository) if isinstance(repository, str) else repository


def _split(repository: str) -> tuple[str, Login | None]:
    return split_svn_login(repository) if is_subversion(repository) else split_login(repository)


def _password(opener: Opener) -> str:
    return opener.value.rstrip("\r\n")


def _why_no_key(key: str) -> str | None:
    if "PRIVATE KEY-----" not in key:
        return "is no private key"
    body = _OPENSSH.search(key)
    locked = "ENCRYPTED" in key
    if body is not None:
        try:
            inner = base64.b64decode("".join(body[1].split()), validate=True)
        except binascii.Error:
            return "is a private key that was damaged"
        # The name of the cipher, behind its length.
        locked = inner.startswith(_MAGIC) and inner[len(_MAGIC) + 4 :][:4] != b"none"
    return "is locked by a passphrase, which nobody could be asked for" if locked else None
