"""A log as builds write them: checkout, packages, a compiler, tests; the same for the same seed.

A large one is a block of 16 MB again and again, with other digits in each: further apart than any compressor at the levels
measured here looks back (zstd level 3: 2 MiB), and no two blocks are equal.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

BLOCK_BYTES = 16_000_000
DIGITS = b"0123456789"
WORDS = Path(__file__).with_name("words.txt").read_text().split()
PROJECT_NAMES = 400
"""Of files, packages, functions: a project has so many, and its logs name them again and again."""
WARNINGS = (
    "unused variable '{0}' [-Wunused-variable]",
    "comparison of integer expressions of different signedness: 'int' and 'size_t' [-Wsign-compare]",
    "'{0}' may be used uninitialized in this function [-Wmaybe-uninitialized]",
    "implicit conversion from '{0}_t' to 'int' may lose precision [-Wconversion]",
)


class Author:
    """Writes lines; what they have in common is what logs have in common, what differs is drawn."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._names = [f"{self._word()} {self._word()}" for _ in range(PROJECT_NAMES)]

    def lines(self) -> Iterator[str]:
        """For ever."""
        parts: tuple[Callable[[], Iterator[str]], ...] = (
            self._packages,
            self._compiler,
            self._tests,
            self._downloads,
            self._layers,
        )
        while True:
            yield f"##[group]Run {self._word()} {self._word()}"
            yield from self._random.choice(parts)()
            yield "##[endgroup]"

    def _packages(self) -> Iterator[str]:
        for _ in range(self._number(40)):
            name, version = self._name("-"), self._version()
            file = f"{name.replace('-', '_')}-{version}-cp311-cp311-manylinux_2_17_x86_64.whl"
            yield f"Collecting {name}>={version} (from -r requirements.txt (line {self._number(300)}))"
            yield f"  Downloading {file} ({self._number(9000)} kB)"
            yield f"  Added {name}=={version} from https://files.example.org/packages/{self._hash(8)}/{file} to build tracker"

    def _compiler(self) -> Iterator[str]:
        total = self._number(400) + 50
        for done in range(1, total):
            path = f"src/{self._word()}/{self._name('_')}"
            yield f"[{done}/{total}] Building CXX object {path}.cpp.o"
            if self._number(12) == 1:
                place = f"{path}.cpp:{self._number(3000)}:{self._number(80)}"
                yield f"{place}: warning: {self._random.choice(WARNINGS).format(self._word())}"
                yield f" {self._number(3000):>5} |     auto {self._word()} = {self._name('_')}({self._word()});"
                yield f"       |          {'~' * self._number(20)}^"

    def _tests(self) -> Iterator[str]:
        total = self._number(500) + 100
        for done in range(1, total):
            state = "PASSED" if self._number(60) > 1 else "FAILED"
            test = (
                f"tests/unit/{self._word()}/test_{self._word()}.py::test_{self._name('_')}_{self._name('_')}"
            )
            yield f"{test} {state} [{done * 100 // total:3}%]"
            if state == "FAILED":
                yield "Traceback (most recent call last):"
                for _ in range(self._number(8)):
                    yield f'  File "/home/runner/work/{self._word()}/{self._name("_")}.py", line {self._number(900)}'
                    yield f"    return self._{self._word()}.{self._name('_')}({self._word()})"
                yield f"AssertionError: {self._name('_')}: {self._number(10_000)} != {self._number(10_000)}"

    def _downloads(self) -> Iterator[str]:
        for _ in range(self._number(120)):
            name = self._name("-")
            yield f"npm http fetch GET 200 https://registry.example.org/{name}/-/{name}-{self._version()}.tgz {self._number(900)}ms"

    def _layers(self) -> Iterator[str]:
        for number in range(1, self._number(40)):
            seconds = self._number(90_000) / 1000
            yield f"#{number} [builder {number}/40] RUN {self._word()} --{self._word()}={self._word()} {self._name('/')}"
            digest = self._hash(64)
            for done in range(1, 5):
                yield f"#{number} sha256:{digest} {done * self._number(100)}.{self._number(99)}MB / 412.6MB {seconds:.1f}s"
            yield f"#{number} DONE {seconds:.1f}s"

    def _word(self) -> str:
        return WORDS[int(self._random.random() ** 2 * len(WORDS))]

    def _name(self, between: str) -> str:
        return self._random.choice(self._names).replace(" ", between)

    def _number(self, most: int) -> int:
        return int(self._random.random() * most) + 1

    def _version(self) -> str:
        return f"{self._number(9)}.{self._number(30)}.{self._number(12)}"

    def _hash(self, digits: int) -> str:
        return f"{self._random.getrandbits(digits * 4):0{digits}x}"


def made_log(size: int, seed: int = 1) -> bytes:
    """So many bytes, at most one block; the last line ends with a newline."""
    lines: list[bytes] = []
    written = 0
    for line in Author(seed).lines():
        data = f"{line}\n".encode()
        lines.append(data)
        written += len(data)
        if written >= size:
            break
    return b"".join(lines)[: size - 1] + b"\n"


def write_made(path: Path, size: int) -> None:
    """A file of so many bytes."""
    block = made_log(min(size, BLOCK_BYTES))
    shuffle = random.Random(2)
    with path.open("wb") as file:
        for start in range(0, size, len(block)):
            others = bytes(shuffle.sample(DIGITS, len(DIGITS)))
            varied = block.translate(bytes.maketrans(DIGITS, others)) if start else block
            file.write(varied[: size - start])
