"""The beginning of `tailrace-agent.pyz`: unpacks what this interpreter needs, once, and becomes the agent.

Compiled modules cannot be imported from a zip. So the file keeps its parts by their SHA-256, with a list of them for each kind of
interpreter (`kinds/KIND.json`: path to part), and the first start makes an environment of them in the user's cache.
It is written so that a Python too old for Tailrace still gets far enough to say so.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

OLDEST = (3, 11)


class Refused(Exception):
    """Why there can be no agent here."""


def main() -> None:
    """Replace this process by the command that the arguments name: `agent`, where they name none."""
    try:
        if sys.version_info < OLDEST:
            raise Refused(f"it needs Python 3.11 or newer, and this is {version()}")
        python = str(environment(Path(__file__).absolute().parent))
    except (Refused, OSError, zipfile.BadZipFile) as error:
        sys.stderr.write(f"tailrace-agent: {error}\n")
        sys.exit(2)
    arguments = sys.argv[1:]
    if not arguments or arguments[0].startswith("-"):
        arguments.insert(0, "agent")
    os.execv(python, [python, "-P", "-m", "tailrace", *arguments])


def environment(archive: Path) -> Path:
    """The interpreter of an environment with the parts for this one; raises Refused, OSError."""
    troubles: list[str] = []
    with zipfile.ZipFile(str(archive)) as parts:
        manifest = wanted(parts)
        base = Path(getattr(sys, "_base_executable", None) or sys.executable)
        name = hashlib.sha256(manifest + os.fsencode(str(base))).hexdigest()[:24]
        for cache in caches():
            python = cache / name / "bin" / "python"
            try:
                cache.mkdir(mode=0o700, parents=True, exist_ok=True)
                own(cache)
                if not python.exists():
                    unpack(parts, json.loads(manifest), base, cache / name)
                return python
            except OSError as error:
                troubles.append(str(error))
    raise Refused(f"it cannot unpack its parts: {'; '.join(troubles)}: let XDG_CACHE_HOME name a folder")


def wanted(parts: zipfile.ZipFile) -> bytes:
    """The list of parts for this interpreter; raises Refused when the file has none."""
    try:
        return parts.read(f"kinds/{kind()}.json")
    except KeyError:
        known = sorted(Path(name).stem for name in parts.namelist() if name.startswith("kinds/"))
    raise Refused(
        f"this file has no parts for {kind()}, only for {', '.join(known)}; `pip install tailrace` may find them"
    )


def kind() -> str:
    """The interpreter and its machine, as the file's builder names them."""
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        libc = ""
    name, _, number = libc.partition(" ")
    if name != "glibc":
        system = f"{sys.platform}-without-glibc"
    elif tuple(int(part) for part in number.split(".")[:2]) < (2, 28):
        system = "linux-with-glibc-before-2.28"
    else:
        system = "linux"
    threads = "t" if "free-threading" in sys.version else ""
    return f"cp{version().replace('.', '')}{threads}-{system}-{os.uname().machine}"


def version() -> str:
    """`3.11`."""
    return ".".join(str(part) for part in sys.version_info[:2])


def caches() -> "list[Path]":
    """Where the environment may be, the best place first."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    try:
        found = [home.expanduser() / "tailrace-agent"]
    except RuntimeError:  # a user without a home
        found = []
    return [*found, Path(tempfile.gettempdir()) / f"tailrace-agent-{os.getuid()}"]


def own(cache: Path) -> None:
    """Raise OSError where others can write: they could be the agent."""
    found = cache.lstat()
    if cache.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{cache}: others can write there")


def unpack(parts: zipfile.ZipFile, files: "dict[str, str]", base: Path, place: Path) -> None:
    """Make the environment, whole or not at all; raises OSError."""
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=str(place.parent)))
    try:
        library = new / "lib" / f"python{version()}" / "site-packages"
        for path, part in files.items():
            data = parts.read(f"parts/{part}")
            if hashlib.sha256(data).hexdigest() != part:
                raise OSError(f"the file is damaged: {path} is not what it was")
            target = library / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        (new / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
        (new / "bin").mkdir()
        (new / "bin" / "python").symlink_to(base)
        os.sync()  # a machine that fails now must not leave a whole folder of empty files
        new.rename(place)
    except OSError:
        shutil.rmtree(str(new), ignore_errors=True)
        if not place.is_dir():  # else another start was faster
            raise


if __name__ == "__main__":
    main()
