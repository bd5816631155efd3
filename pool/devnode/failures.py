"""Error answers of the RPC: Core's codes (rpc/protocol.h) and the exception that carries one."""

MISC_ERROR = -1
TYPE_ERROR = -3
WALLET_ERROR = -4
NOT_FOUND = -5
INSUFFICIENT_FUNDS = -6
INVALID_PARAMETER = -8
WALLET_NOT_FOUND = -18
WALLET_NOT_SPECIFIED = -19
DESERIALIZATION = -22
VERIFY_ERROR = -25
WALLET_ALREADY_LOADED = -35
UNKNOWN_METHOD = -32601


class RpcFailure(Exception):
    """An error answer."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
