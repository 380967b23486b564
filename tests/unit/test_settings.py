"""Settings: three places, one order, clear words for what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tailrace.domain.errors import Invalid
from tailrace.settings import AgentSettings, ClientSettings, ServerSettings, load_agent, load_server

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # pyright: ignore[reportUnusedFunction]
    import os

    for name in [name for name in os.environ if name.startswith("TAILRACE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_a_flag_wins_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Three places, in this order of strength."""
    (tmp_path / "tailrace.toml").write_text('listen = "127.0.0.1:1"\nlease_s = 7\nlog_level = "error"\n')
    monkeypatch.setenv("TAILRACE_LISTEN", "127.0.0.1:2")
    monkeypatch.setenv("TAILRACE_LEASE_S", "8")
    settings = load_server(lease_s=9, listen=None)
    assert (settings.listen, settings.lease_s, settings.log_level) == ("127.0.0.1:2", 9, "error")


def test_a_file_named_by_the_environment_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was asked for and is not there is an error, not a default."""
    monkeypatch.setenv("TAILRACE_CONFIG", "nowhere.toml")
    with pytest.raises(Invalid, match=r"TAILRACE_CONFIG: there is no file nowhere\.toml"):
        load_server()


def test_an_unknown_name_in_the_file_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    """A slip of the pen does not go unnoticed."""
    (tmp_path / "tailrace.toml").write_text('lisen = "127.0.0.1:1"\n')
    with pytest.raises(Invalid, match=r"unknown setting lisen; allowed are .*listen"):
        load_server()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("listen", "8000", "expected HOST:PORT"),
        ("listen", "127.0.0.1:99999", "expected HOST:PORT"),
        ("url", "ci.example.org", "expected an address such as https://"),
        ("admin_token", "short", "at least 16 characters"),
        ("secret_key", "zz", "expected 64 hexadecimal digits"),
        ("lease_s", "0", "greater than or equal to 2"),
        ("abort_grace_s", "-1", "greater than or equal to 0"),
        ("log_grace_s", "0", "greater than or equal to 1"),
        ("log_level", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("bus_url", "redis://x", "'memory:'"),
        ("log_limit", "1GB", "expected a size: whole bytes, or KiB, MiB or GiB"),
        ("log_limit", "0", "greater than 0"),
        ("repository_allowed", "10.0.0.1/8", "names of machines, addresses, or networks"),
        ("poll_allowed", "10.0.0.1/8", "names of machines, addresses, or networks"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_what_is_allowed(name: str, value: str, words: str) -> None:
    """The message names the setting, its variable, and what would do."""
    with pytest.raises(Invalid) as caught:
        load_server(**{name: value})
    assert f"{name} (TAILRACE_{name.upper()}): " in str(caught.value)
    assert words in str(caught.value)


def test_a_secret_is_not_shown_in_an_error() -> None:
    """What is wrong with a token is said without the token."""
    with pytest.raises(Invalid) as caught:
        load_server(admin_token="hush-hush")
    assert "hush-hush" not in str(caught.value)


def test_every_fault_is_told_at_once() -> None:
    """Not one after the other."""
    with pytest.raises(Invalid) as caught:
        load_server(listen="x", lease_s=0)
    assert len(str(caught.value).splitlines()) == 2


def test_labels_are_separated_by_commas() -> None:
    """As text from flag or environment."""
    assert load_agent(labels="gpu, big ,").labels == ("gpu", "big")


def test_every_setting_is_documented() -> None:
    """`docs/settings.md` has a row for each setting, with its variable and the same words."""
    rows: dict[str, list[str]] = {}
    for line in DOCS.read_text().splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            rows.setdefault(cells[0].strip("`"), []).append(line)
    documented: list[type[Any]] = [ServerSettings, AgentSettings, ClientSettings]
    names = {name for kind in documented for name in kind.model_fields}
    assert set(rows) == names
    for kind in documented:
        for name, field in kind.model_fields.items():
            assert f"`TAILRACE_{name.upper()}`" in rows[name][0]
            words = field.description or ""
            if name != "log_level":
                assert any(words in row for row in rows[name]), name
            if isinstance(field.default, str | float | Path):
                assert any(f"`{field.default}`" in row for row in rows[name]), name
