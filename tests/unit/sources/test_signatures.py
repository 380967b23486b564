"""How senders prove that they know a secret, whatever the forge."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.errors import Unauthorised
from tailrace.sources.signatures import Digest, Encoding, verify_hmac, verify_standard, verify_token

BODY = b'{"test": 2432232314}'
# The example in the specification of Standard Webhooks.
ID, TIME = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
STANDARD_SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def standard(secret: bytes, body: bytes, *, id: str = ID, time: int = TIME) -> dict[str, str]:
    """The headers that sign this body."""
    key = base64.b64decode(secret[6:]) if secret.startswith(b"whsec_") else secret
    signature = base64.b64encode(hmac.digest(key, f"{id}.{time}.".encode() + body, "sha256")).decode()
    return {"webhook-id": id, "webhook-timestamp": str(time), "webhook-signature": f"v1,{signature}"}


class TestStandardWebhooks:
    def test_the_specifications_own_example_verifies(self) -> None:
        given = {
            "webhook-id": ID,
            "webhook-timestamp": str(TIME),
            "webhook-signature": STANDARD_SIGNATURE,
        }
        verify_standard(STANDARD_SECRET, given, BODY, TIME)

    def test_one_of_several_signatures_is_enough(self) -> None:
        """A sender that changes its secret signs with both for a while; other versions are passed over."""
        given = standard(STANDARD_SECRET, BODY)
        given["webhook-signature"] = f"v1a,xyz v1,AAAA {given['webhook-signature']}"
        verify_standard(STANDARD_SECRET, given, BODY, TIME)

    def test_any_other_secret_is_the_key_as_it_is(self) -> None:
        verify_standard(b"plain text", standard(b"plain text", BODY), BODY, TIME)

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"webhook-id": "another"}, "does not match"),
            ({"webhook-timestamp": str(TIME + 1)}, "does not match"),
            ({"webhook-timestamp": "soon"}, "is malformed"),
            ({"webhook-timestamp": "٣"}, "is malformed"),
            ({"webhook-id": "é"}, "is malformed"),
            ({"webhook-signature": ""}, "does not match"),
            ({"webhook-signature": "v2," + STANDARD_SIGNATURE[3:]}, "does not match"),
            ({"webhook-signature": "v1,é"}, "does not match"),
        ],
    )
    def test_anything_else_is_refused_and_says_why(self, change: dict[str, str], why: str) -> None:
        with pytest.raises(Unauthorised, match=why):
            verify_standard(STANDARD_SECRET, standard(STANDARD_SECRET, BODY) | change, BODY, TIME)

    @pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_each_header_is_needed(self, name: str) -> None:
        headers = standard(STANDARD_SECRET, BODY)
        del headers[name]
        with pytest.raises(Unauthorised, match=f"{name} is missing"):
            verify_standard(STANDARD_SECRET, headers, BODY, TIME)

    @pytest.mark.parametrize(("later", "why"), [(301, "301 s ago"), (-301, "301 s ahead")])
    def test_what_was_signed_long_ago_or_ahead_is_refused(self, later: int, why: str) -> None:
        with pytest.raises(Unauthorised, match=why):
            verify_standard(STANDARD_SECRET, standard(STANDARD_SECRET, BODY), BODY, TIME + later)
        verify_standard(STANDARD_SECRET, standard(STANDARD_SECRET, BODY), BODY, TIME + later // 2)

    @pytest.mark.parametrize("secret", [b"whsec_", b"whsec_!!!", b"whsec_\xff"])
    def test_a_signing_secret_that_is_none_says_so(self, secret: bytes) -> None:
        """And an empty key signs nothing: everybody knows it."""
        with pytest.raises(Unauthorised, match="begins with whsec_ but is not base64"):
            verify_standard(secret, standard(STANDARD_SECRET, BODY), BODY, TIME)


class TestHmac:
    @pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
    @pytest.mark.parametrize("encoding", ["hex", "base64"])
    def test_every_digest_and_encoding(self, digest: Digest, encoding: Encoding) -> None:
        right = hmac.new(b"key", BODY, digest)
        text = right.hexdigest() if encoding == "hex" else base64.b64encode(right.digest()).decode()
        verify_hmac(b"key", f"x={text}", BODY, "X", prefix="x=", digest=digest, encoding=encoding)
        with pytest.raises(Unauthorised, match="X does not match"):
            verify_hmac(b"key", f"x={text}", BODY + b" ", "X", prefix="x=", digest=digest, encoding=encoding)
        with pytest.raises(Unauthorised, match="X is malformed: expected x= and"):
            verify_hmac(b"key", text, BODY, "X", prefix="x=", digest=digest, encoding=encoding)

    @given(st.text())
    def test_any_text_is_refused_and_nothing_else_happens(self, text: str) -> None:
        for encoding in ("hex", "base64"):
            with pytest.raises(Unauthorised):
                verify_hmac(b"key", text, BODY, "X", encoding=encoding)

    def test_hexadecimal_has_no_gaps(self) -> None:
        right = hmac.new(b"key", BODY, hashlib.sha256).hexdigest()
        with pytest.raises(Unauthorised, match="is malformed"):
            verify_hmac(b"key", right[:2] + " " + right[2:], BODY, "X")


class TestToken:
    def test_the_secret_itself(self) -> None:
        verify_token(b"a secret", "a secret", "X")

    def test_letters_beyond_ascii_arrive_as_their_bytes(self) -> None:
        """HTTP servers read header values as Latin-1."""
        verify_token("Mühlrad-Geheimnis".encode(), "Mühlrad-Geheimnis".encode().decode("latin-1"), "X")

    @given(st.text().filter(lambda text: text != "a secret"))
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(Unauthorised, match="X is not the project's"):
            verify_token(b"a secret", text, "X")
