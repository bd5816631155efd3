"""Script fragments that a coinbase needs, and the counting of signature operations; it executes nothing."""

_OP_0 = b"\x00"
_OP_1 = 0x51
_OP_PUSHDATA1 = 0x4C
_OP_PUSHDATA2 = 0x4D
_OP_PUSHDATA4 = 0x4E
_CHECKSIG = (0xAC, 0xAD)
_CHECKMULTISIG = (0xAE, 0xAF)
_MULTISIG_SIGOPS = 20

WITNESS_COMMITMENT_HEADER = bytes.fromhex("6a24aa21a9ed")


def push_data(data: bytes) -> bytes:
    """One push of up to 255 bytes; raises ValueError beyond, since no coinbase script can hold it."""
    if len(data) < _OP_PUSHDATA1:
        return bytes((len(data),)) + data
    if len(data) > 0xFF:
        raise ValueError(f"a push of {len(data)} bytes does not fit into a coinbase script")
    return bytes((_OP_PUSHDATA1, len(data))) + data


def push_height(height: int) -> bytes:
    """BIP 34's height, minimally: OP_0, OP_1 to OP_16 (regtest gets there),
    then a signed little-endian push."""
    if height == 0:
        return _OP_0
    if height <= 16:
        return bytes((_OP_1 + height - 1,))
    # one bit more than the number has, for the sign
    return push_data(height.to_bytes(height.bit_length() // 8 + 1, "little"))


def witness_commitment_script(commitment: bytes) -> bytes:
    """BIP 141's output script around sha256d(witness root ‖ reserved value)."""
    return WITNESS_COMMITMENT_HEADER + commitment


def legacy_sigops(script: bytes) -> int:
    """Signature operations as consensus counts them outside of P2SH: a CHECKMULTISIG is 20 whatever it holds.

    Bytes inside a push are data. A push that runs over the end stops the count, as in Core's GetSigOpCount.
    """
    count = position = 0
    while position < len(script):
        opcode = script[position]
        position += 1
        if opcode <= _OP_PUSHDATA4:
            length, width = _push_length(script, position, opcode)
            if position + width + length > len(script):
                break
            position += width + length
        elif opcode in _CHECKSIG:
            count += 1
        elif opcode in _CHECKMULTISIG:
            count += _MULTISIG_SIGOPS
    return count


def _push_length(script: bytes, position: int, opcode: int) -> tuple[int, int]:
    """Length of the data, and how many bytes its length takes."""
    if opcode < _OP_PUSHDATA1:
        return opcode, 0
    width = 1 << (opcode - _OP_PUSHDATA1)
    return int.from_bytes(script[position : position + width], "little"), width
