"""Opaque cursors of lists that are paged by key (M2, M4).

A cursor holds the ordering key of the last row shown, so rows that come or go between two pages
neither shift nor hide others. Without a secret its checksum finds damage and editing by hand, not
forgery: a forged cursor only picks another place in a list that its maker may read anyway. With a
secret it cannot be forged either, which is what app surface, section 8.3 asks for.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence

from agenttower.errors import ValidationFailed

MAX_CURSOR = 512
"""The longest cursor, in characters."""

KeyPart = str | int

_VERSION = 1
# What a database can compare with a column; only a forged cursor holds more.
_MAX_INTEGER = 2**63 - 1


def encode_cursor(
    kind: str, key: Sequence[KeyPart], filters: Mapping[str, object], secret: bytes = b""
) -> str:
    """The cursor of the page after the row with this key.

    :param kind: which list, and in which order where it has several, e.g. ``layouts``; a cursor
        serves that list only.
    :param key: the row's ordering key, made of strings and integers.
    :param filters: the list's filters as JSON values, in a normal form: equal filters must
        compare equal.
    :param secret: what the cursor is sealed with, at most 64 bytes.
    """
    head = [_VERSION, kind, list(key), _digest(filters)]
    text = urlsafe_b64encode(_compact([*head, _seal(head, secret)])).rstrip(b"=").decode("ascii")
    if len(text) > MAX_CURSOR:
        raise ValueError(f"the key of a {kind} row gives a cursor of {len(text)} characters")
    return text


def decode_cursor(
    cursor: object,
    *,
    kind: str,
    types: Sequence[type[KeyPart]],
    filters: Mapping[str, object],
    field: str = "after",
    secret: bytes = b"",
) -> tuple[KeyPart, ...]:
    """The ordering key in a cursor that a client handed back.

    :param types: the key's types, in order.
    :raises ValidationFailed: naming ``field``: not a cursor of ours, of another list, damaged, or
        issued under other filters.
    """
    if not isinstance(cursor, str):
        raise ValidationFailed(field, "must be a string")
    if len(cursor) > MAX_CURSOR:
        raise ValidationFailed(field, f"is longer than {MAX_CURSOR} characters")
    key, issued_under = _open(cursor, kind, field, secret)
    if not _fits(key, types):
        raise ValidationFailed(field, "is not a cursor of this list; start again without it")
    if issued_under != _digest(filters):
        raise ValidationFailed(
            field, "was issued under other filters; keep the filters, or start again without it"
        )
    return tuple(key)


def _open(cursor: str, kind: str, field: str, secret: bytes) -> tuple[list[KeyPart], object]:
    malformed = ValidationFailed(field, "is not a cursor of this list; start again without it")
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        parts = json.loads(raw)
    except (binascii.Error, UnicodeError, ValueError, RecursionError):
        raise malformed from None
    if not isinstance(parts, list) or len(parts) != 5 or not isinstance(parts[2], list):
        raise malformed
    *head, checksum = parts
    # Comparing what we would have written also refuses what decodes to the same by accident:
    # stray characters, other padding bits, 1.0 for 1.
    again = urlsafe_b64encode(_compact(parts)).rstrip(b"=").decode("ascii")
    if again != cursor or head[0] != _VERSION or not _same(checksum, _seal(head, secret)):
        raise malformed
    if head[1] != kind:
        raise ValidationFailed(
            field, "was issued for another list or order; keep the order, or start again without it"
        )
    return head[2], head[3]


def _fits(key: Sequence[object], types: Sequence[type[KeyPart]]) -> bool:
    return len(key) == len(types) and all(
        type(part) is wanted and _comparable(part) for part, wanted in zip(key, types, strict=True)
    )


def _comparable(part: object) -> bool:
    if isinstance(part, int):
        return abs(part) <= _MAX_INTEGER
    return not any("\ud800" <= character <= "\udfff" for character in str(part))


def _compact(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def _digest(value: object) -> str:
    return hashlib.blake2b(_compact(value), digest_size=8).hexdigest()


def _seal(head: object, secret: bytes) -> str:
    if not secret:
        return _digest(head)
    return hashlib.blake2b(_compact(head), digest_size=16, key=secret).hexdigest()


def _same(checksum: object, expected: str) -> bool:
    return isinstance(checksum, str) and hmac.compare_digest(checksum.encode(), expected.encode())
