"""An agent without the server's packages: `pip install tailrace`, and `tailrace-agent.pyz`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.bare import bare_python
from tests.support.house import House

CHECKOUT = Path(__file__).parents[2]
KIND = f"cp3{sys.version_info[1]}-linux-{platform.machine()}"
PLAN = "jobs: {one: {checkout: false, secrets: [TOKEN], steps: [{run: 'echo $TOKEN is hidden'}]}}"
BASE = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}"
"""The interpreter that this environment was made from: it has no packages of ours."""

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def agent_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent in one file, for this interpreter."""
    target = tmp_path_factory.mktemp("pyz") / "tailrace-agent.pyz"
    build(target)
    return target


def build(target: Path) -> None:
    done = subprocess.run(
        [sys.executable, CHECKOUT / "tools" / "pyz.py", "--output", target, KIND],
        check=False,
        capture_output=True,
        text=True,
    )
    if "cannot be had" in done.stderr and os.environ.get("TAILRACE_REQUIRE_SERVICES") != "1":
        pytest.skip(f"no index of packages here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(params=["installed", "one file"])
def tailrace(request: pytest.FixtureRequest, tmp_path: Path) -> Command:
    """`tailrace` by itself, in an environment of nothing else."""
    if request.param == "installed":
        start = [str(bare_python(tmp_path / "bare")), "-m", "tailrace"]
    else:
        start = [str(BASE), "-I", str(request.getfixturevalue("agent_file"))]

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [*start, *arguments],
            env=kept | {"XDG_CACHE_HOME": str(tmp_path / "cache")} | environment,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return run


def test_it_carries_a_server_s_job(tailrace: Command, home: House, tmp_path: Path) -> None:
    """Registered with a token, for one job; its runners are of the same environment."""
    token = home.post("/api/agent-tokens", {"labels": [tmp_path.name], "life_s": 600})["token"]
    plan = home.script_plan("echo well", labels=[tmp_path.name])
    run = home.run(plan)
    done = tailrace(
        "agent", "--server", home.url, "--once", TAILRACE_AGENT_TOKEN=token, TAILRACE_AGENT_NAME=tmp_path.name
    )
    assert done.returncode == 0, done.stderr
    [attempt] = home.wait_state(run, "passed")["jobs"][0]["attempts"]
    assert attempt["agent"] == tmp_path.name
    assert tmp_path.name not in [one["name"] for one in home.get("/api/agents")["items"]], "it said farewell"


def test_it_runs_a_plan_without_a_server(tailrace: Command, tmp_path: Path) -> None:
    """Masking and all."""
    (tmp_path / "plan.yml").write_text(PLAN)
    done = tailrace("exec", "plan.yml", "--secret", "TOKEN", TOKEN="hush-hush")
    assert (done.returncode, done.stdout) == (0, "*** is hidden\n"), done.stderr


def test_a_server_s_command_says_what_is_missing(tailrace: Command) -> None:
    """In words, not in a trace."""
    done = tailrace("up")
    assert done.returncode == 2
    assert "this command needs the server's parts" in done.stderr
    assert "pip install 'tailrace[server]'" in done.stderr


def test_the_file_alone_is_an_agent(agent_file: Path, tmp_path: Path) -> None:
    """Without a command it is `tailrace agent`; it is executable, and unpacks itself once."""
    assert os.access(agent_file, os.X_OK)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("PYTHONPATH", None)
    for _ in range(2):
        done = subprocess.run(
            [BASE, agent_file, "--help"], env=environment, capture_output=True, text=True, check=True
        )
        assert "Usage: tailrace agent" in done.stdout
        [place] = (tmp_path / "tailrace-agent").iterdir()
        assert (place / "pyvenv.cfg").is_file()


def test_the_same_sources_make_the_same_file(agent_file: Path, tmp_path: Path) -> None:
    """Whoever builds it can compare."""
    build(tmp_path / "again.pyz")
    assert (tmp_path / "again.pyz").read_bytes() == agent_file.read_bytes()


def test_the_file_has_nothing_of_the_page_and_of_the_server_s_packages(agent_file: Path) -> None:
    """It is small."""
    listed = zipfile.ZipFile(agent_file).read(f"kinds/{KIND}.json").decode()
    assert '"tailrace/agent/run.py"' in listed
    assert '"pydantic/__init__.py"' in listed
    assert [
        name for name in ("fastapi/", "sqlalchemy/", "tailrace/page/", "pytest/") if f'"{name}' in listed
    ] == []


def test_a_damaged_file_is_refused_and_leaves_nothing(agent_file: Path, tmp_path: Path) -> None:
    """Half an agent would fail later, and worse."""
    damaged = tmp_path / "damaged.pyz"
    with zipfile.ZipFile(agent_file) as whole, zipfile.ZipFile(damaged, "w") as half:
        names = whole.namelist()
        for name in names:
            half.writestr(name, b"" if name == names[-1] else whole.read(name))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(temporary)}
    done = subprocess.run([BASE, damaged], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the file is damaged" in done.stderr
    left = [*(tmp_path / "cache").rglob("*"), *temporary.rglob("*")]
    assert [path for path in left if path.is_file()] == []


def test_a_cache_in_which_others_can_write_is_not_used(agent_file: Path, tmp_path: Path) -> None:
    """Whoever can write there could be the agent."""
    cache = tmp_path / "cache" / "tailrace-agent"
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache.parent), "TMPDIR": str(temporary)}
    environment.pop("PYTHONPATH", None)
    subprocess.run([BASE, agent_file, "--help"], env=environment, stdout=subprocess.DEVNULL, check=True)
    assert list(cache.iterdir()) == []
    [other] = temporary.iterdir()
    assert other.stat().st_mode & 0o777 == 0o700
