"""The forms in which programs print a text: as it is, quoted for shells, URLs, JSON and markup, in base64, in hexadecimal."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

SHORTEST_FORM = 6
"""Bytes. Every form of a part that is masked has at least so many."""

# What encoders leave as it is, beside letters, digits and "_.-~": RFC 3986, paths, encodeURIComponent, encodeURI, user parts.
_URL_SAFE = ("", "/", "!'()*", ";,/?:@&=+$#!'()*", "$&+,;=")
_BASE64_LINES = (64, 76)  # characters: PEM and openssl, MIME and coreutils
_HEXADECIMAL_LINE = 60  # characters: xxd
_URL_ALPHABET = bytes.maketrans(b"+/", b"-_")
# bash: lib/sh/shquote.c (sh_backslash_quote) and lib/sh/strtrans.c (ansic_quote)
_BACKSLASHED = re.compile(r"""[\s'"\\|&;()<>!{}*\[\]?^$`,]|^[#~]|(?<=[:=])~""")
_DOUBLE_QUOTED = re.compile(r'["$`\\]')
_ANSI_C = {
    "\a": r"\a", "\b": r"\b", "\x1b": r"\E", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
    "\\": r"\\", "'": r"\'",
}  # fmt: skip


def forms_of(part: str) -> set[bytes]:
    """Every form of one part of a secret, which has at least six characters and no blanks around it."""
    data = part.encode()
    texts = {part, *_newlines(part), *_json(part), *_url(part), *_shell(part), *_python(part), *_markup(part)}
    found = {text.encode() for text in texts} | _base64(data) | _hexadecimal(data)
    return {form for form in found if len(form) >= SHORTEST_FORM}


def _newlines(part: str) -> Iterator[str]:
    """As terminals and Windows end lines, and as others do."""
    plain = part.replace("\r\n", "\n")
    yield plain
    yield plain.replace("\n", "\r\n")


def _json(part: str) -> Iterator[str]:
    for text in (json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]):
        yield text
        yield text.replace("/", r"\/")
        # as Go does
        yield text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _url(part: str) -> Iterator[str]:
    for safe in _URL_SAFE:
        upper = quote(part, safe=safe)
        for text in (upper, upper.replace("~", "%7E")):
            lower = re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), text)
            for one in (text, lower):
                yield one
                yield one.replace("%20", "+")


def _shell(part: str) -> Iterator[str]:
    """Inside the quotes that a shell puts around it: `set -x`, `export -p`, `printf %q`, `shlex.quote`."""
    yield part.replace("'", r"'\''")
    yield part.replace("'", "'\"'\"'")
    yield _DOUBLE_QUOTED.sub(r"\\\g<0>", part)
    yield _BACKSLASHED.sub(r"\\\g<0>", part)
    yield "".join(_ANSI_C.get(one) or (one if one.isprintable() else _octal(one)) for one in part)
    yield "".join(_ANSI_C.get(one) or (one if " " <= one <= "~" else _octal(one)) for one in part)


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode())


def _python(part: str) -> Iterator[str]:
    for text in (repr(part)[1:-1], ascii(part)[1:-1], repr(part.encode())[2:-1]):
        yield text
        yield text.replace("'", r"\'")  # as it is when the text has both quotes


def _markup(part: str) -> Iterator[str]:
    plain = html.escape(part, quote=False)
    quoted = plain.replace('"', "&quot;")
    yield plain
    yield quoted
    for apostrophe in ("&#x27;", "&#39;", "&apos;"):
        yield quoted.replace("'", apostrophe)


def _base64(data: bytes) -> set[bytes]:
    """In whatever stands around it: at each of the three places that it may have in a group, without the characters that it
    shares with its neighbours; alone; with a newline; and alone in lines."""
    found = {base64.b64encode(data), base64.b64encode(data + b"\n")}
    for before in range(3):
        text = base64.b64encode(bytes(before) + data)
        found.add(text[-(-8 * before // 6) : 8 * (before + len(data)) // 6])
    for width in _BASE64_LINES:
        found.update(_broken(base64.b64encode(data), width))
        found.update(_broken(base64.b64encode(data + b"\n"), width))
    return found | {form.translate(_URL_ALPHABET) for form in found}


def _hexadecimal(data: bytes) -> set[bytes]:
    text = data.hex().encode()
    found = {text, *_broken(text, _HEXADECIMAL_LINE)}
    return found | {form.upper() for form in found}


def _broken(text: bytes, width: int) -> Iterable[bytes]:
    return (text[at : at + width] for at in range(0, len(text), width)) if len(text) > width else ()
