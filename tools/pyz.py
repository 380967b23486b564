"""Build `dist/tailrace-agent.pyz`, the agent in one file: `python tools/pyz.py [cp311-linux-x86_64 …]`.

It holds Tailrace's own modules and the packages that an agent needs, at the versions and with the hashes of requirements.lock,
for each kind of interpreter. What kinds have in common is in it once. The same sources make the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
KINDS = tuple(
    f"cp{version}-linux-{machine}"
    for machine in ("x86_64", "aarch64")
    for version in ("311", "312", "313", "314")
)
_KIND = re.compile(r"cp3(\d+)-linux-(x86_64|aarch64)")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
Wanted = Callable[[Path], bool]
Parts = dict[str, bytes]
"""By their SHA-256."""


class BuildFailed(Exception):
    """The file cannot be built; the text says why."""


def build(target: Path, kinds: Iterable[str]) -> None:
    """Write the file for these kinds of interpreter; raises BuildFailed."""
    pins = agent_pins((CHECKOUT / "requirements.lock").read_text(), base_packages())
    parts: Parts = {}
    own = _take(CHECKOUT / "src", parts, lambda path: path.suffix in (".py", ".typed"))
    _write(target, {kind: own | _packages(kind, pins, parts) for kind in kinds}, parts)


def base_packages() -> set[str]:
    """The names of the packages that an agent needs directly."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return {_name(requirement) for requirement in project["dependencies"]}


def agent_pins(lock: str, base: set[str]) -> str:
    """The part of a lock file that these packages need: each entry names in `# via` those that brought it."""
    entries = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    found = {_name(entry): entry for entry in entries}
    missing = base - found.keys()
    if missing:
        raise BuildFailed(f"requirements.lock lacks {', '.join(sorted(missing))}: run `make lock`")
    needed, size = set(base), 0
    while len(needed) > size:
        size = len(needed)
        needed |= {name for name, entry in found.items() if needed & _via(entry)}
    return "".join(found[name] for name in sorted(needed))


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def _via(entry: str) -> set[str]:
    comments = entry[entry.index("# via") :] if "# via" in entry else ""
    names = re.findall(r"#(?: via)? +([A-Za-z0-9._-]+)(?:\s|$)(?!\()", comments)
    return {_name(name) for name in names if name != "via"}


def _packages(kind: str, pins: str, parts: Parts) -> dict[str, str]:
    """The files of the packages for a kind of interpreter."""
    match = _KIND.fullmatch(kind)
    if match is None:
        raise BuildFailed(f"{kind!r} is no kind of interpreter: expected one such as {KINDS[0]}")
    with tempfile.TemporaryDirectory(prefix="tailrace-pyz-") as place:
        wanted = Path(place) / "pins.txt"
        wanted.write_text(pins)
        packages = Path(place) / "packages"
        command = [
            *(
                str(Path(sys.executable).with_name("uv")),
                "pip",
                "install",
                "--no-config",
                "--quiet",
                "--no-deps",
            ),
            *("--require-hashes", "--only-binary", ":all:", "--link-mode", "copy", "--no-compile"),
            *("--python-version", f"3.{match[1]}", "--python-platform", f"{match[2]}-manylinux_2_28"),
            *("--target", str(packages), "--requirement", str(wanted)),
        ]
        # What was fetched before need not be fetched again, and then needs no network.
        for offline in (["--offline"], []):
            done = subprocess.run([*command, *offline], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return _take(packages, parts, _is_needed)
    raise BuildFailed(f"the packages for {kind} cannot be had:\n{done.stderr.strip()}")


def _is_needed(path: Path) -> bool:
    """Programs are for environments; what uv notes of an installation differs from one to the next."""
    beside = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", ".lock", "uv_cache.json"}
    return path.parts[0] != "bin" and path.name not in beside


def _take(folder: Path, parts: Parts, wanted: Wanted) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if file.is_file() and "__pycache__" not in path.parts and wanted(path):
            data = file.read_bytes()
            found[path.as_posix()] = digest = hashlib.sha256(data).hexdigest()
            parts[digest] = data
    return found


def _write(target: Path, kinds: dict[str, dict[str, str]], parts: Parts) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_suffix(".new")
    with new.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            main = (CHECKOUT / "tools" / "agent_file" / "__main__.py").read_bytes()
            for name, data in (
                ("__main__.py", main),
                *((f"kinds/{kind}.json", json.dumps(files).encode()) for kind, files in kinds.items()),
                *((f"parts/{digest}", parts[digest]) for digest in sorted(parts)),
            ):
                entry = zipfile.ZipInfo(name, _LONG_AGO)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, data)
    new.chmod(0o755)
    new.rename(target)


def main(arguments: list[str]) -> int:
    """`pyz.py [--output FILE] [KIND …]`."""
    target = CHECKOUT / "dist" / "tailrace-agent.pyz"
    if arguments[:1] == ["--output"] and len(arguments) > 1:
        target, arguments = Path(arguments[1]), arguments[2:]
    try:
        build(target, arguments or KINDS)
    except BuildFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
