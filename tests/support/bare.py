"""A Python that has Tailrace and what `pip install tailrace` brings along, and nothing of the server's."""

from __future__ import annotations

import sys
import tomllib
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[2]


def bare_python(folder: Path) -> Path:
    """The interpreter of a new environment in `folder`: this checkout, and links to the packages that the agent needs."""
    venv.create(folder, with_pip=False, symlinks=True)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library = folder / "lib" / version / "site-packages"
    for package in agent_packages():
        for name in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            target = library / name
            if not target.exists():
                target.symlink_to(Path(str(package.locate_file(name))))
    (library / "tailrace.pth").write_text(f"{CHECKOUT / 'src'}\n")
    return folder / "bin" / "python"


def agent_packages() -> list[Distribution]:
    """The packages that pyproject.toml asks for without its extras, and what these ask for in turn."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(line) for line in project["dependencies"]]
    found: dict[str, Distribution] = {}
    while wanted:
        name = canonicalize_name(wanted.pop().name)
        if name not in found:
            found[name] = package = distribution(name)
            needs = [Requirement(line) for line in package.requires or ()]
            wanted += [one for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]
    return list(found.values())
