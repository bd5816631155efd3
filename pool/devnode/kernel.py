"""The consensus engine: opens the chain on disk, takes blocks, says what became of them in Core's own words.

Everything here runs in one thread, the engine's: a full block takes hundreds of milliseconds to check. The
engine writes its state only when it is destroyed, and not at a crash; so a marker says that it was opened,
and a marker that is still there at the next start means: build the state again from the block files (0.04 s
for 50 blocks).
"""

import contextlib
import fcntl
import re
from io import BufferedWriter
from pathlib import Path

import msgspec

try:
    import pbk
except ImportError as error:  # an optional dependency, named where it is missed
    raise ImportError(
        "the devnode needs py-bitcoinkernel: install Engineroom with its `demo` extra (pip install '.[demo]')"
    ) from error

_CHECKED = re.compile(r"BlockChecked: block hash=([0-9a-f]{64}) state=([^,\s]+)")
_ENGINE_ERROR = re.compile(r"\[error\] (.+)")
_VALID = "Valid"
MARKER = "not-closed"
LOCK = ".lock"


class CannotOpen(Exception):
    """The data directory cannot be used; one line that says what to do."""


class Verdict(msgspec.Struct, frozen=True):
    """What became of a block: Core's submitblock text (None for accepted), and how the best chain changed.

    `connected` and `disconnected` are raw blocks in the order in which it happened, disconnections first.
    """

    text: str | None
    disconnected: list[bytes] = []
    connected: list[bytes] = []


class Undecodable(Exception):
    """The bytes are no block."""


class Kernel:
    """One open chain."""

    def __init__(self, directory: Path) -> None:
        self._lock = _locked(directory)
        self._marker = directory / MARKER
        self._error = ""
        self._connected: list[bytes] = []
        self._disconnected: list[bytes] = []
        self._states: dict[str, str] = {}
        pbk.enable_log_category(pbk.LogCategory.VALIDATION)
        pbk.set_log_level_category(pbk.LogCategory.VALIDATION, pbk.LogLevel.DEBUG)
        self._opened = contextlib.ExitStack()
        self._opened.enter_context(pbk.LoggingConnection(self._on_log))
        self._callbacks = pbk.ValidationInterfaceCallbacks(
            block_connected=lambda _, block, entry: self._connected.append(bytes(block)),
            block_disconnected=lambda _, block, entry: self._disconnected.append(bytes(block)),
        )
        self._context = self._opened.enter_context(pbk.make_context(pbk.ChainType.REGTEST, self._callbacks))
        self._manager = self._opened.enter_context(self._open(directory))

    def _open(self, directory: Path) -> "pbk.ChainstateManager":
        try:
            options = pbk.ChainstateManagerOptions(self._context, str(directory), str(directory / "blocks"))
            was_killed = self._marker.exists()
            if was_killed:
                options.set_wipe_dbs(True, True)
            self._marker.touch()
            manager = pbk.ChainstateManager(options)
            if was_killed:
                manager.import_blocks([])
        except (OSError, RuntimeError, pbk.KernelException) as error:
            self._opened.close()
            self._lock.close()
            raise CannotOpen(f"cannot open the chain in {directory}: {self._error or error}") from error
        return manager

    def _on_log(self, line: str) -> None:
        checked = _CHECKED.search(line)
        if checked is not None:
            self._states[checked[1]] = checked[2]
        error = _ENGINE_ERROR.search(line)
        if error is not None:
            self._error = error[1].strip()

    def active_blocks(self) -> list[bytes]:
        """The best chain's blocks, genesis first: to build what is kept beside the engine."""
        entries = self._manager.get_active_chain().block_tree_entries
        return [bytes(self._manager.blocks[entries[height]]) for height in range(len(entries))]

    def submit(self, raw: bytes) -> Verdict:
        """Check and take a block. Raises Undecodable for bytes that are none."""
        try:
            block = pbk.Block(raw)
        except RuntimeError as error:
            raise Undecodable from error
        block_hash = block.block_hash
        is_known = block_hash in self._manager.block_tree_entries
        self._connected.clear()
        self._disconnected.clear()
        self._states.clear()
        is_new = False
        with contextlib.suppress(pbk.ProcessBlockException):
            is_new = self._manager.process_block(block)
        state = self._states.get(str(block_hash))
        return Verdict(
            self._text(str(block_hash), state, is_new, is_known),
            list(self._disconnected),
            list(self._connected),
        )

    def _text(self, block_hash: str, state: str | None, is_new: bool, is_known: bool) -> str | None:
        if state is not None and state != _VALID:
            return state
        if not is_new and is_known:
            return "duplicate"
        if state == _VALID:
            return None
        return "inconclusive" if is_new else "rejected"

    def header_and_height(self, block_hash: bytes) -> tuple[bytes, int] | None:
        """A block of any branch: its header and height; None for one never seen."""
        key = pbk.BlockHash(block_hash)
        entries = self._manager.block_tree_entries
        if key not in entries:
            return None
        entry = entries[key]
        return bytes(entry.block_header), entry.height

    def block(self, block_hash: bytes) -> bytes | None:
        """A block's bytes; None where only its header is known, or nothing."""
        key = pbk.BlockHash(block_hash)
        entries = self._manager.block_tree_entries
        if key not in entries or entries[key] not in self._manager.blocks:
            return None
        return bytes(self._manager.blocks[entries[key]])

    def check_decodable(self, raw: bytes) -> None:
        """Raises Undecodable for bytes that are no block."""
        try:
            pbk.Block(raw)
        except RuntimeError as error:
            raise Undecodable from error

    def is_sound(self, raw: bytes) -> bool:
        """Whether a block holds by itself: sizes, its coinbase's form, each transaction's form, the merkle
        root. Its work and its place in the chain are not looked at."""
        parameters = pbk.ChainParameters(pbk.ChainType.REGTEST)
        state = pbk.Block(raw).check(parameters.consensus_params, pbk.BlockCheckFlags.MERKLE)
        return bool(state.validation_mode == pbk.ValidationMode.VALID)

    def verify_input(self, raw: bytes, number: int, spent: list[tuple[int, bytes]]) -> str | None:
        """Run one input's script against the outputs that the transaction spends; None where it holds."""
        transaction = pbk.Transaction(raw)
        outputs = [pbk.TransactionOutput(pbk.ScriptPubkey(script), value) for value, script in spent]
        value, script = spent[number]
        try:
            data = pbk.script.PrecomputedTransactionData(transaction, outputs)
            is_valid = pbk.ScriptPubkey(script).verify(
                value, transaction, data, number, pbk.ScriptVerificationFlags.ALL
            )
        except pbk.ScriptVerifyException as error:
            return str(error)
        return None if is_valid else "mandatory-script-verify-flag-failed"

    def close(self) -> None:
        """Write the state to disk, let go of the engine, and remove the marker.

        Not left to the package's destructors: nobody promises that they run, and one that the garbage
        collector runs inside a log callback waits for ever for the lock that the callback is called under.
        """
        self._opened.close()
        self._marker.unlink(missing_ok=True)
        self._lock.close()


def _locked(directory: Path) -> BufferedWriter:
    """A file of the directory with a lock on it, until it is closed or the process ends; makes the directory.

    The engine's own lock would come too late: before it, an engine that finds the marker wipes the state.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / LOCK).open("wb")
    except OSError as error:
        raise CannotOpen(f"cannot use the data directory {directory}: {_why(error)}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if isinstance(error, BlockingIOError):
            raise CannotOpen(f"{directory} is in use: is another devnode running on it?") from error
        raise CannotOpen(f"cannot lock the data directory {directory}: {_why(error)}") from error
    return file


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
