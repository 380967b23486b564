from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.runner.sockets import address, connect, listen


def test_a_socket_is_for_its_owner_alone_however_deep_it_lies(tmp_path: Path) -> None:
    """Longer paths than a socket's address may be are no obstacle; nobody else may connect."""
    path = tmp_path / ("deep" * 40) / "command.sock"
    path.parent.mkdir()
    with listen(path) as server, connect(path) as client:
        assert path.stat().st_mode & 0o777 == 0o600
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"hello")
            assert accepted.recv(10) == b"hello"


def test_a_socket_that_a_crash_left_is_replaced(tmp_path: Path) -> None:
    """Nobody listens there any more: connecting is refused, listening again works."""
    path = tmp_path / "command.sock"
    listen(path).close()
    with pytest.raises(ConnectionRefusedError):
        connect(path)
    with listen(path), connect(path):
        pass


def test_a_missing_folder(tmp_path: Path) -> None:
    """It is an error of its own kind."""
    with pytest.raises(FileNotFoundError), address(tmp_path / "none" / "x.sock"):
        pass
