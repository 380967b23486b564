"""Secrets at rest: AES-256-GCM with the row's identity as associated data, so that a sealed value fits its row alone."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tailrace.domain.errors import Invalid

_NONCE_BYTES = 12
_KEY_ID_BYTES = 4


class SealingKey:
    """Seals and opens secrets with one key of 32 bytes; a sealed value is key id (4 bytes), nonce (12), ciphertext."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise Invalid(
                f"secret_key: found {len(key)} bytes; a key is 32 bytes, written as 64 hexadecimal digits"
            )
        self._cipher = AESGCM(key)
        self._id = hashlib.sha256(b"tailrace key id" + key).digest()[:_KEY_ID_BYTES]
        self._signing = hashlib.sha256(b"tailrace signing key" + key).digest()

    def seal(self, plain: str, row: str) -> bytes:
        """Encrypt `plain` for the row called `row`, such as `project/1/webhook_secret`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return self._id + nonce + self._cipher.encrypt(nonce, plain.encode(), row.encode())

    def open(self, sealed: bytes, row: str) -> str:
        """Decrypt what was sealed for `row`; raises Invalid for another key, another row or changed bytes."""
        if sealed[:_KEY_ID_BYTES] != self._id:
            raise Invalid(
                f"{row} was sealed with another secret_key: start the server with that key, or set it anew"
            )
        nonce, text = sealed[_KEY_ID_BYTES:][:_NONCE_BYTES], sealed[_KEY_ID_BYTES + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, text, row.encode()).decode()
        except InvalidTag:
            raise Invalid(f"{row} does not open: its bytes were changed or belong to another row") from None

    def sign(self, claim: str) -> str:
        """A token that proves this claim to whoever has the key: 64 hexadecimal digits. It is good as long as the key is."""
        return hmac.new(self._signing, claim.encode(), hashlib.sha256).hexdigest()

    def proves(self, token: str, claim: str) -> bool:
        """Whether the token was signed for exactly this claim."""
        return hmac.compare_digest(token.encode(errors="replace"), self.sign(claim).encode())
