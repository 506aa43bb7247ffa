"""The text of an API key: ``mg_KEYID_SECRETCRC``.

KEYID is 16 hexadecimal digits, SECRET 64 (256 random bits), CRC 8: the CRC-32 of everything before it, so that scanners
of leaked text recognise a key without asking anybody, and a mistyped one is known as such.
"""

import re
import secrets
import zlib
from typing import NamedTuple

_TOKEN = re.compile(r"mg_([0-9a-f]{16})_([0-9a-f]{64})([0-9a-f]{8})")
_IN_TEXT = re.compile(r"mg_[0-9a-f]{4,}_[0-9a-f]{4,}")


class Token(NamedTuple):
    """The two parts of a key's text."""

    key_id: str
    secret: str

    def text(self) -> str:
        """As it is shown once and sent with each call."""
        body = f"mg_{self.key_id}_{self.secret}"
        return f"{body}{zlib.crc32(body.encode()):08x}"


def new_token() -> Token:
    """A key nobody has seen."""
    return Token(secrets.token_hex(8), secrets.token_hex(32))


def parse_token(text: str) -> Token | None:
    """The parts of a key's text, or None if it is no key."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    token = Token(match[1], match[2])
    return token if token.text() == text else None


def mask(text: str) -> str:
    """The text with every key in it made unreadable, cut ones too."""
    return _IN_TEXT.sub("mg_***", text)
