"""Masking: nothing of a secret comes out, whatever the cuts; everything else does."""

from __future__ import annotations

import base64
import random
import string
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tailrace.domain.secrets import masked_parts
from tailrace.runner.masking import LOOSE, MASK, TORN, MaskedStream, Masker
from tailrace.runner.masking_forms import forms_of

TOKEN = "ghp_0aBcD1eFgH2iJkL3mNoP4qRsT5uVwX6yZ7890"
KEY = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEAx7\nabc\n-----END KEY-----\n"


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` cut at these places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


def through(stream: MaskedStream, parts: list[bytes]) -> bytes:
    return b"".join([*(stream.feed(part) for part in parts), stream.end()])


def all_forms(secrets: list[str]) -> set[bytes]:
    return {form for secret in secrets for part in masked_parts(secret) for form in forms_of(part)}


def hidden_by_hand(forms: set[bytes], data: bytes) -> bytes:
    """The plainest way: mark each byte of each occurrence, then write each marked stretch as one mask, or as several where
    occurrences only touch."""
    ends = [0] * len(data)
    for form in forms:
        at = data.find(form)
        while at >= 0:
            ends[at] = max(ends[at], at + len(form))
            at = data.find(form, at + 1)
    out, told, masked = bytearray(), 0, False
    for start, end in enumerate(ends):
        if end and (start >= told or not masked):
            out += data[told:start] + MASK
            told, masked = end, True
        elif end > told:
            told = end
    return bytes(out + data[told:])


def beginning(form: bytes, length: int) -> bytes:
    return form[: length % len(form)]


# Few letters, so that forms overlap, begin in each other and repeat.
few = st.text("ab", min_size=6, max_size=12)
lines = st.lists(st.text("abc'\" /", min_size=1, max_size=9), min_size=1, max_size=3).map("\n".join)
secrets_of_few = st.lists(few | lines, min_size=1, max_size=4)


@st.composite
def output_with(draw: st.DrawFn, secrets: list[str]) -> bytes:
    """Output in which secrets, their forms and parts of these stand among other text."""
    forms = sorted(all_forms(secrets)) or [b"none"]
    some = st.sampled_from(forms)
    part = st.builds(beginning, some, st.integers(0, 99))
    other = st.text("abc \n'", max_size=6).map(str.encode)
    return b"".join(draw(st.lists(some | part | other, max_size=12)))


@settings(max_examples=400)
@given(st.data(), secrets_of_few, st.lists(st.integers(0, 10_000), max_size=12))
def test_however_output_is_cut_the_same_comes_out(
    data: st.DataObject, secrets: list[str], cuts: list[int]
) -> None:
    """And it is what the plainest search hides, but for what the end of the output tears off."""
    masker, forms = Masker(secrets), all_forms(secrets)
    output = data.draw(output_with(secrets)) + b"|"
    whole = masker.mask(output)
    assert through(masker.stream(), pieces(output, cuts)) == whole
    assert whole == hidden_by_hand(forms, output)
    assert not any(form in whole for form in forms)


@settings(max_examples=400)
@given(
    st.data(),
    secrets_of_few,
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(0, 9)), max_size=30),
)
def test_streams_that_become_one_log_make_no_secret_between_them(
    data: st.DataObject, secrets: list[str], turns: list[tuple[int, int, int]]
) -> None:
    """Whatever of each comes when, also after pauses and ends: not even where bytes of one stand right before another's."""
    masker, forms = Masker(secrets), all_forms(secrets)
    if not masker:
        return
    outputs = [data.draw(output_with(secrets)) for _ in range(3)]
    streams = [masker.stream() for _ in range(3)]
    seam, log = masker.seam(), b""
    for which, length, then in turns:
        stream = streams[which]
        log += seam.join(stream.feed(outputs[which][:length]))
        outputs[which] = outputs[which][length:]
        if then == 0:
            log += seam.join(stream.settle())
        elif then == 1:
            log += seam.join(stream.end())
            streams[which] = masker.stream()
    for rest, stream in zip(outputs, streams, strict=True):
        log += seam.join(stream.feed(rest))
        log += seam.join(stream.end())
    assert [form for form in forms if form in log] == []


def test_a_seam_changes_nothing_else() -> None:
    """What streams show of other things is in the log as it is; of a form, what came before the seam is there."""
    seam = Masker([TOKEN, KEY]).seam()
    parts = [
        b"one\n",
        b"ghp_",
        b"0aBcD",
        b"two",
        b"",
        TOKEN[:9].encode(),
        TOKEN[9:].encode() + b"!",
        b"three",
    ]
    out = [seam.join(part) for part in parts]
    assert out == [*parts[:6], b"***!", b"three"]


@settings(max_examples=200)
@given(st.binary(max_size=400), st.lists(st.integers(0, 10_000), max_size=8))
def test_what_holds_no_secret_comes_through_unchanged(output: bytes, cuts: list[int]) -> None:
    """Every byte of it, whatever bytes they are."""
    masker = Masker([TOKEN, KEY, "p@ss'w\"rd/9"])
    assert through(masker.stream(), pieces(output, cuts)) == output


@settings(max_examples=200)
@given(st.data(), secrets_of_few, st.lists(st.tuples(st.integers(0, 10_000), st.booleans()), max_size=10))
def test_pauses_show_at_most_a_few_bytes(
    data: st.DataObject, secrets: list[str], cuts: list[tuple[int, bool]]
) -> None:
    """What is shown after a pause is remembered: the rest of the secret is masked when it comes."""
    masker, forms = Masker(secrets), all_forms(secrets)
    output = data.draw(output_with(secrets)) + b"|"
    stream, out = masker.stream(), b""
    pauses = {cut % (len(output) + 1): pause for cut, pause in cuts}
    for part, cut in zip(
        pieces(output, [cut for cut, _ in cuts]),
        [*sorted(c % (len(output) + 1) for c, _ in cuts), -1],
        strict=True,
    ):
        out += stream.feed(part)
        if pauses.get(cut):
            shown = stream.settle()
            assert len(shown) <= LOOSE
            out += shown
    out += stream.end()
    assert not any(form in out for form in forms)


@pytest.mark.parametrize(
    "printed",
    [
        TOKEN,
        f"https://user:{TOKEN}@example.org/",
        base64.b64encode(f"user:{TOKEN}".encode()).decode(),
        base64.b64encode(f"{TOKEN}\n".encode()).decode(),
        base64.urlsafe_b64encode(f"xy{TOKEN}z".encode()).decode(),
        TOKEN.encode().hex(),
        TOKEN.encode().hex().upper(),
    ],
)
def test_a_token_is_hidden_in_every_form(printed: str) -> None:
    """What is left of it tells nothing: less than six of its characters in a row, and none of its middle."""
    out = Masker([TOKEN]).text(f"before {printed} after")
    assert "***" in out
    assert out.startswith("before ")
    assert out.endswith(" after")
    assert not any(printed[at : at + 12] in out for at in range(10, len(printed) - 22))


def test_lines_of_a_secret_are_hidden_alone() -> None:
    """As programs print them that indent, number or join lines; lines that are too short are not."""
    out = Masker([KEY]).text("1: MIIEowIBAAKCAQEAx7\r\n2:   -----END KEY-----\n3: abc\n")
    assert out == "1: ***\r\n2:   ***\n3: abc\n"
    assert Masker([KEY]).text(f"{KEY}x") == "***\nx"
    assert Masker([KEY]).text(KEY.replace("\n", "\r\n")) == "***\r\n"


def test_a_mask_tells_nothing_of_what_it_hides() -> None:
    """Secrets of all lengths leave the same."""
    secrets = ["abcdef", "x" * 10_000, "12345678901234567890"]
    masker = Masker(secrets)
    assert {masker.text(secret) for secret in secrets} == {"***"}


def test_secrets_that_overlap_are_hidden_as_one() -> None:
    """A search that goes on behind each find would show the rest of the second."""
    assert Masker(["abcdefgh", "efghijkl"]).text("<abcdefghijkl>") == "<***>"
    assert Masker(["abcdef", "abcdefghij"]).text("<abcdefghij> <abcdefx>") == "<***> <***x>"


def test_prompts_are_not_delayed() -> None:
    """Only a beginning of a secret waits, and one so short that it is hardly ever a secret's only for a pause."""
    stream = Masker([TOKEN]).stream()
    assert stream.feed(b"Continue? [y/N] ") == b"Continue? [y/N] "
    assert not stream.loose
    assert stream.feed(b"y ... g") == b"y ... "
    assert stream.loose
    assert stream.settle() == b"g"
    assert not stream.loose
    assert stream.settle() == b""
    assert stream.feed(b"hp") == b""
    assert not stream.loose
    assert stream.feed(b"x") == b"hpx"


def test_a_secret_is_hidden_as_soon_as_it_is_there() -> None:
    """Also where a longer form may have begun with it: that goes on with the same mask."""
    stream = Masker(["abcdef", "abcdefghij"]).stream()
    assert stream.feed(b"is abcdef") == b"is ***"
    assert stream.feed(b"gh") == b""
    assert stream.feed(b"ij!") == b"!"


def test_a_stream_that_ends_within_a_secret() -> None:
    """A killed process, a full disk: most of a secret is as good as all of it."""
    for length in range(len(TOKEN)):
        stream = Masker([TOKEN]).stream()
        torn = TOKEN[:length].encode()
        out = stream.feed(b"it is " + torn) + stream.end()
        assert out == b"it is " + (MASK if length >= TORN else torn)


def test_without_secrets_there_is_nothing_to_mask() -> None:
    """So that nobody pays who has none."""
    assert not Masker([])
    assert not Masker(["short"])
    assert Masker(["longer"])
    assert Masker([]).text("as it is\udcff") == "as it is\udcff"


@example(["a" * 1000, "a" * 999 + "b"], 2500)
@given(st.lists(st.sampled_from(["a" * 40, "a" * 39 + "b", "ab" * 20]), min_size=1), st.integers(1, 300))
def test_secrets_that_repeat_themselves(secrets: list[str], length: int) -> None:
    """Each place of the output begins a form."""
    masker, forms = Masker(secrets), all_forms(secrets)
    output = b"a" * length + b"\n"
    whole = masker.mask(output)
    assert through(masker.stream(), [output[at : at + 1] for at in range(len(output))]) == whole
    assert not any(form in whole for form in forms)


def test_a_thousand_forms_in_a_moment() -> None:
    """One hundred secrets of forty characters, in random text that is cut anywhere."""
    chance = random.Random(7)
    letters = string.ascii_letters + string.digits
    secrets = ["".join(chance.choices(letters, k=40)) for _ in range(100)]
    masker = Masker(secrets)
    stream, out, given = masker.stream(), b"", 0
    for _ in range(2000):
        text = "".join(chance.choices(letters, k=chance.randrange(60)))
        if chance.random() < 0.2:
            text += chance.choice(secrets)
            given += 1
        data = text.encode()
        cut = chance.randrange(len(data) + 1)
        out += stream.feed(data[:cut]) + stream.feed(data[cut:])
    out += stream.end()
    assert out.count(MASK) == given
    assert not any(secret.encode() in out for secret in secrets)
