"""Sealed text between a point and an authority: only these two can read it, every replica can carry it.

    key    = SHA-256("baken-seal-1" | region tag | X25519 secret of the two)
    nonce  = the record's header, 7 bytes | 6 zero bytes
    sealed = AES-256-CCM(key, nonce, text; associated: all of the record before it) | tag, 8 bytes

A point's key is a Curve25519 key already. An authority signs with an Ed25519 key; its Curve25519 form follows
from it (the birational map of RFC 7748, 4.1). A record's id is never used twice, and begins with its kind, so
no nonce is used twice though both directions share one key.
"""

from baken.compat import const, sha256
from baken.crypto.ccm import ccm_open, ccm_seal
from baken.crypto.x25519 import x25519
from baken.wire import answer, report
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.records import (
    ANSWER,
    HEADER_SIZE,
    REPORT,
    SEAL_TAG_SIZE,
    SIGNATURE_SIZE,
    message_kind,
    seal,
)

_NONCE_PAD = const(6)
_DOMAIN = b"baken-seal-1"
_TEXT_AT = {REPORT: report.FIXED_SIZE, ANSWER: answer.FIXED_SIZE}


def shared_key(private, public, tag):
    """The 32-byte key of two parties: our Curve25519 private key, their public one, the region tag.

    Costs as much as verifying a signature. RemoteProtocolError for a public key that would share a secret
    with everybody.
    """
    secret = x25519(private, public)
    if secret == bytes(32):
        raise RemoteProtocolError("public key is of small order", "seal-key")
    return sha256(_DOMAIN + tag + secret)


def encode_report(made, text, key, tag, sign):
    """The signed REPORT with `text` (1 to report.MAX_TEXT bytes) sealed under `key`."""
    if not 1 <= len(text) <= report.MAX_TEXT:
        raise LocalProtocolError(
            "text is %d bytes, allowed 1 to %d" % (len(text), report.MAX_TEXT), "report-text"
        )
    return _encode(report.encode_clear(made), text, key, tag, sign)


def encode_answer(made, text, key, tag, sign):
    """The signed ANSWER with `text` (at most answer.MAX_TEXT bytes, none: only an acknowledgement) sealed
    under `key`.
    """
    if len(text) > answer.MAX_TEXT:
        raise LocalProtocolError("text is %d bytes, limit %d" % (len(text), answer.MAX_TEXT), "answer-text")
    if not text and not made.ref:
        raise LocalProtocolError("answer has neither a text nor a report", "answer-text")
    return _encode(answer.encode_clear(made), text, key, tag, sign)


def open_text(raw, key):
    """The text of a REPORT or ANSWER; RemoteProtocolError when it was not sealed under this key in this very
    record.
    """
    text_at = _TEXT_AT.get(message_kind(raw) or 0)
    end = len(raw) - SIGNATURE_SIZE
    if text_at is None or end < text_at + SEAL_TAG_SIZE:
        raise RemoteProtocolError("record has no sealed text", "seal-kind")
    clear = bytes(raw[:text_at])
    text = ccm_open(key, _nonce(clear), bytes(raw[text_at:end]), clear, SEAL_TAG_SIZE)
    if text is None:
        raise RemoteProtocolError("sealed text is not for this key", "seal-tag")
    return text


def _encode(clear, text, key, tag, sign):
    return seal(clear + ccm_seal(key, _nonce(clear), text, clear, SEAL_TAG_SIZE), tag, sign)


def _nonce(clear):
    return clear[:HEADER_SIZE] + bytes(_NONCE_PAD)
