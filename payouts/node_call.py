"""Asking a node: the call that is handed in, its errors, and answers as typed values.

    CallFailed            raised by the call: no usable answer; the node may have acted
    CallRefused           raised by the call: the node answered an error (code, message)

Codes are those of Core's rpc/protocol.h. Of a node that is not ready, and of one whose wallet is not loaded,
nothing is to be concluded: both are WalletUnavailable.
"""

from typing import Any, Protocol, TypeVar

import msgspec

from payouts.wallet import WalletUnavailable

MISC_ERROR = -1
INVALID_ADDRESS_OR_KEY = -5
INVALID_PARAMETER = -8
KEYPOOL_RAN_OUT = -12
UNLOCK_NEEDED = -13
PASSPHRASE_INCORRECT = -14
TRANSACTION_ERROR = -25
ALREADY_IN_CHAIN = -27

_NOT_READY = {
    -9: "the node is not connected to others",
    -10: "the node is in its initial download",
    -18: "the node has no such wallet loaded",
    -19: "the node has several wallets loaded: name one in the settings",
    -28: "the node is warming up",
}

T = TypeVar("T")


class CallFailed(Exception):
    """No usable answer came. `str()` is one line for the operator."""


class CallRefused(Exception):
    """The node answered an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code
        self.message = message


class NodeCall(Protocol):
    """The injected call. The answer's fractions are Decimals, exact; raises CallRefused and CallFailed."""

    async def __call__(self, method: str, *params: object) -> Any: ...


class Node:
    """A node's RPC, typed."""

    def __init__(self, call: NodeCall) -> None:
        self._call = call

    async def ask(self, method: str, *params: object, result: type[T]) -> T:
        """The answer; raises WalletUnavailable for everything else, an error of the node included."""
        answer = await self.try_ask(method, *params, result=result)
        if isinstance(answer, CallRefused):
            raise WalletUnavailable(f"the node answered {method} with an error: {answer}")
        return answer

    async def try_ask(self, method: str, *params: object, result: type[T]) -> T | CallRefused:
        """The answer, or the error that the node gave for it as a value; raises WalletUnavailable."""
        try:
            return msgspec.convert(await self._call(method, *params), result)
        except CallFailed as error:
            raise WalletUnavailable(str(error)) from None
        except CallRefused as error:
            if error.code in _NOT_READY:
                raise WalletUnavailable(_NOT_READY[error.code]) from None
            return error
        except msgspec.ValidationError as error:
            raise WalletUnavailable(
                f"the node answered {method} with something unexpected: {error}"
            ) from None
