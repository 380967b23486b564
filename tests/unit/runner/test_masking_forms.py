"""The forms of a secret are those that programs really print."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.domain.secrets import masked_parts
from tailrace.runner.masking import Masker
from tailrace.runner.masking_forms import SHORTEST_FORM, forms_of

AWKWARD = (
    "p@ss w0rd'\"$`\\!;&|<>(){}[]*?^~#%,:=end",
    "it's \"both\" 'quoted'",
    "tab\there and\nnewline\r\nand \x1b escape",
    "Schlüssel-für-日本語-🔑",
    "~tilde:~first=~second",
    "#hash at the beginning",
    "https://user:p%40ss@db.example.org:5432/app?a=b&c=d#x",
    '{"type": "service_account", "key": "a/b+c=="}',
    "plainToken0123456789",
)


def printed_by(script: str, secret: str, shell: str = "bash", locale: str = "C.UTF-8") -> bytes:
    done = subprocess.run(
        [shell, "-c", script],
        env={"PATH": os.environ["PATH"], "S": secret, "LC_ALL": locale},
        capture_output=True,
        check=True,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("secret", AWKWARD)
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize(
    "script",
    [
        'printf "%s" "$S"',
        'printf "%q" "$S"',
        'set -x; : "$S"',
        "set -x; x=$S",
        'set -x; : "pre $S post"',
        "export -p | tail -n +1 | sed -n '/ S=/,$p'",
        "declare -p S",
        'echo "${S@Q}"',
        'echo "${S@A}"',
        'printf "%s" "$S" | base64',
        'printf "%s" "$S" | base64 -w0',
        'echo "$S" | base64',
        'printf "%s" "user:$S" | base64 -w0',
        'printf "%s" "$S" | od -An -v -tx1 | tr -d " \\n"',
        'printf "%s" "$S" | od -An -v -tx1 | tr -d " \\n" | fold -w60',
    ],
)
def test_what_bash_prints_is_hidden(secret: str, script: str, locale: str) -> None:
    """Traces, quoted variables, base64 alone and in lines: next to nothing is left but what the script itself says."""
    left = Masker([secret]).mask(printed_by(script, secret, locale=locale))
    assert b"***" in left
    assert len(left) <= (60 if "export" in script else 26)
    for part in masked_parts(secret):
        for form in forms_of(part):
            assert form not in left


@pytest.mark.parametrize("secret", [one for one in AWKWARD if "\n" not in one])
def test_what_dash_traces_is_hidden(secret: str) -> None:
    """Debian's /bin/sh quotes in its own way."""
    assert secret.encode() not in Masker([secret]).mask(printed_by('set -x; : "$S"', secret, shell="sh"))


@settings(max_examples=200)
@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=6, max_size=30))
def test_what_libraries_write_is_hidden(secret: str) -> None:
    """Each writes the secret as one text among others; its own form of it is gone."""
    secret = secret.strip()
    if len(secret) < 6:
        return
    quoted = urllib.parse.quote
    writers = {
        "json": json.dumps({"key": secret}),
        "json in UTF-8": json.dumps({"key": secret}, ensure_ascii=False),
        "url": f"https://example.org/?key={quoted(secret, safe='')}&",
        "path": f"https://example.org/{quoted(secret)}?",
        "form": urllib.parse.urlencode({"key": secret}),
        "shell": shlex.quote(secret),
        "repr": repr({"key": secret}),
        "ascii": ascii(secret),
        "base64": base64.b64encode(secret.encode()).decode(),
        "basic": "Basic " + base64.b64encode(f"kim:{secret}".encode()).decode(),
        "hex": secret.encode().hex(),
    }
    masker = Masker([secret])
    for name, text in writers.items():
        assert "***" in masker.text(text), name


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=6, max_size=60))
def test_no_form_is_short(secret: str) -> None:
    """A short one would be found in words that have nothing to do with the secret."""
    for part in masked_parts(secret):
        assert min(map(len, forms_of(part))) >= SHORTEST_FORM
        assert part.encode() in forms_of(part)


def test_base64_in_anything_is_hidden(tmp_path: Path) -> None:
    """Wherever the secret stands in what is encoded, at most a character of the encoding is left on each side."""
    secret = "s3cr3t-Token/with+chars"
    masker = Masker([secret])
    for before in range(7):
        for after in range(7):
            encoded = base64.b64encode(b"<" * before + secret.encode() + b">" * after).decode()
            left = masker.text(encoded)
            around = len(base64.b64encode(b"<" * before)) + len(base64.b64encode(b">" * after))
            assert "***" in left
            assert len(left) <= around + 3 + 4
