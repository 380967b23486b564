"""The page is built by the wheel's own npm, and only when what it is made from has changed."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools.page import PageBuildFailed, build_page


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the packages of lock files are kept: a place of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tailrace" / "page-packages"


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A page without packages, whose build copies its source and writes a line to `builds` each time."""
    web = tmp_path / "web"
    (web / "src").mkdir(parents=True)
    (web / "tests").mkdir()
    (web / "src" / "page.html").write_text("first")
    package = {"name": "page", "version": "1.0.0"}
    (web / "package.json").write_text(json.dumps(package | {"scripts": {"build": "node build.mjs"}}))
    (web / "package-lock.json").write_text(
        json.dumps(package | {"lockfileVersion": 3, "packages": {"": package}})
    )
    (web / "build.mjs").write_text(
        "import fs from 'node:fs';\n"
        "fs.appendFileSync('../builds', 'x');\n"
        "fs.mkdirSync('dist');\n"
        "fs.copyFileSync('src/page.html', 'dist/index.html');\n"
    )
    return web


def builds(web: Path) -> int:
    return len((web.parent / "builds").read_text())


def test_the_page_is_built_once_from_the_same_sources(web: Path) -> None:
    dist = build_page(web)
    assert (dist / "index.html").read_text() == "first"
    build_page(web)
    assert builds(web) == 1


def test_a_changed_source_is_built_anew_and_a_changed_test_is_not(web: Path) -> None:
    build_page(web)
    (web / "tests" / "page.test.ts").write_text("not part of the page")
    build_page(web)
    assert builds(web) == 1
    (web / "src" / "page.html").write_text("second")
    assert (build_page(web) / "index.html").read_text() == "second"


def test_a_renamed_source_is_a_changed_source(web: Path) -> None:
    (web / "src" / "a.ts").write_text("")
    build_page(web)
    (web / "src" / "a.ts").rename(web / "src" / "b.ts")
    build_page(web)
    assert builds(web) == 2


def test_another_lock_file_is_another_page(web: Path) -> None:
    build_page(web)
    lock = web / "package-lock.json"
    lock.write_text(lock.read_text() + "\n")
    build_page(web)
    assert builds(web) == 2


def test_a_page_that_lost_its_index_is_built_anew(web: Path) -> None:
    (build_page(web) / "index.html").unlink()
    assert (build_page(web) / "index.html").exists()


def test_a_failed_build_says_why_and_is_tried_again(web: Path) -> None:
    good = (web / "build.mjs").read_text()
    (web / "build.mjs").write_text(good + "console.log('no such colour'); process.exit(3);\n")
    for _ in range(2):
        with pytest.raises(PageBuildFailed, match=r"(?s)`npm run build` in .* exit code 3.*no such colour"):
            build_page(web)
    assert builds(web) == 2


def test_a_build_that_leaves_no_page_is_an_error(web: Path) -> None:
    (web / "build.mjs").write_text("")
    with pytest.raises(PageBuildFailed, match="left no"):
        build_page(web)


def test_two_builders_at_once_build_once(web: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(build_page, [web, web]))
    assert builds(web) == 1


def test_without_sources_there_is_no_page_to_build(tmp_path: Path) -> None:
    with pytest.raises(PageBuildFailed, match=r"package\.json is missing"):
        build_page(tmp_path / "web")


def test_packages_are_kept_for_the_next_checkout_with_the_same_lock_file(web: Path, kept: Path) -> None:
    build_page(web)
    (folder,) = kept.iterdir()
    (folder / "one.js").write_text("kept")
    shutil.rmtree(web / "node_modules")
    (web / "src" / "page.html").write_text("second")
    build_page(web)
    assert (web / "node_modules" / "one.js").read_text() == "kept"


def test_packages_of_long_gone_lock_files_are_not_kept(web: Path, kept: Path) -> None:
    lock = web / "package-lock.json"
    for _ in range(4):
        build_page(web)
        lock.write_text(lock.read_text() + "\n")
    assert len(list(kept.iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_said_and_does_not_stop_the_build(
    web: Path, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.parent.parent.write_text("a file, not a folder")
    assert (build_page(web) / "index.html").exists()
    assert "not kept for the next checkout" in capsys.readouterr().err
