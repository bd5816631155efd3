"""Block assembly: header, coinbase and the template's transactions → block bytes."""

from stratum.work.template import Template
from stratum.work.transaction import compact_size, with_witness


def assemble_block(header: bytes, coinbase: bytes, template: Template) -> bytes:
    """The block for `submitblock`; `coinbase` is the full non-witness transaction.

    The coinbase's witness is added where the template carries a commitment and nowhere else. After MWEB
    activation the HogEx is last and the extension block follows behind a 01; without it litecoind answers
    `mweb-missing`. Raises ValueError where the template's own transactions are no hex, which
    `parse_template` has excluded.
    """
    first = with_witness(coinbase) if template.witness_commitment is not None else coinbase
    parts = [header, compact_size(1 + len(template.transactions)), first]
    parts += [bytes.fromhex(transaction.data_hex) for transaction in template.transactions]
    if template.mweb_hex is not None:
        parts += (b"\x01", bytes.fromhex(template.mweb_hex))
    return b"".join(parts)
