"""What a client can send, as msgspec structs, and their decoding; it judges shape and never meaning.

A submission is the one hot message and has a decoder of its own (0.3 µs). Everything else is seen a few
times in the life of a connection and arrives in every shape firmware can think of, so it is decoded as an
`Envelope` whose parameters stay raw until the handler of its method asks for them.
"""

from typing import Any

import msgspec
from msgspec import Raw

# What a hostile line can make the decoder raise: its own errors, the interpreter's for 100,000 brackets, and
# UnicodeDecodeError (a ValueError) for bytes that are no UTF-8.
DecodeFailure = (msgspec.MsgspecError, RecursionError, ValueError)

LONGEST_ID_BYTES = 64
LONGEST_METHOD = 64
NULL_ID = b"null"


class SubmitParams(msgspec.Struct, array_like=True, gc=False):
    """`[user, job_id, extranonce2, ntime, nonce (, version_bits)]`; extra elements are ignored.

    Some JSON writers send the u32 fields as numbers; Bitaxe sends six elements always, pooler-cpuminer five.
    """

    user: str
    job_id: str
    extranonce2: str
    ntime: str | int
    nonce: str | int
    version_bits: str | int | None = None


class Submit(msgspec.Struct, tag_field="method", tag="mining.submit", gc=False):
    """`mining.submit` in the shape that all firmware sends; any other shape comes as an Envelope."""

    params: SubmitParams
    id: Raw = Raw(NULL_ID)


class Envelope(msgspec.Struct, gc=False):
    """Any JSON object: a request where `method` is given, else an answer to a request of ours."""

    id: Raw = Raw(NULL_ID)
    method: Any = None
    params: Raw = Raw(b"")
    result: Raw = Raw(b"")
    error: Raw = Raw(b"")


decode_submit = msgspec.json.Decoder(Submit).decode
decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_array = msgspec.json.Decoder(list[Any]).decode
_decode_submit_params = msgspec.json.Decoder(SubmitParams).decode


def echoed_id(raw: Raw) -> bytes | None:
    """The JSON bytes to echo, byte for byte; None for an id that is refused.

    Numbers of any size and sign, strings and null come back as they were sent. Objects, arrays, booleans and
    anything over 64 bytes are refused: an echo is neither an amplifier nor a way into a log. A string beyond
    ASCII is refused as well, since msgspec does not check the encoding of a raw value.
    """
    text = bytes(raw)
    if len(text) <= LONGEST_ID_BYTES and text[0] in b'-0123456789"n' and text.isascii():
        return text
    return None


def parameters(envelope: Envelope) -> list[Any]:
    """The request's parameters as Python values; an empty list where they are missing or no array.

    Raises one of DecodeFailure for numbers out of every range (`1e999`) and the like.
    """
    raw = bytes(envelope.params)
    if not raw.startswith(b"["):
        return []
    return _decode_array(raw)


def has_array(envelope: Envelope) -> bool:
    """Whether `params` is a JSON array."""
    return bytes(envelope.params).startswith(b"[")


def submit_parameters(envelope: Envelope) -> SubmitParams:
    """The parameters of a submission that the fast decoder refused;
    raises one of DecodeFailure again if they are bad."""
    return _decode_submit_params(bytes(envelope.params))
