"""Why a request is refused and why a connection is closed, in one table each; it closes nothing itself.

    RejectReason        a value: the request is answered with an error and the miner goes on
    ProtocolViolation   an exception inside the session only: the connection is closed

Neither ever leaves a session as an exception: `Session.receive_data` turns a violation into a closed phase.
Wire codes 20 to 25 are the ones that every firmware knows; −3 is slush's "method not found". Texts are 27
characters at most, since cgminer cuts there.
"""

from enum import Enum

from stratum.closing import CloseCause

LONGEST_TEXT = 27


class RejectReason(Enum):
    """One row a reason: wire code, text for the miner, label for metrics and logs."""

    MALFORMED = (20, "Malformed request", "malformed")
    INVALID_JSON = (20, "Invalid JSON", "invalid_json")
    NOT_SUPPORTED = (20, "Not supported", "not_supported")
    BAD_EXTRANONCE2 = (20, "Bad extranonce2", "bad_extranonce2")
    BAD_NTIME = (20, "Bad ntime", "bad_ntime")
    BAD_NONCE = (20, "Bad nonce", "bad_nonce")
    NTIME_TOO_OLD = (20, "Ntime too old", "ntime_too_old")
    NTIME_TOO_NEW = (20, "Ntime too new", "ntime_too_new")
    BAD_VERSION_BITS = (20, "Version bits outside mask", "bad_version_bits")
    TRY_LATER = (20, "Try later", "try_later")
    JOB_NOT_FOUND = (21, "Job not found", "job_not_found")
    STALE = (21, "Stale share", "stale")
    DUPLICATE = (22, "Duplicate share", "duplicate")
    LOW_DIFFICULTY = (23, "Low difficulty share", "low_difficulty")
    UNAUTHORIZED = (24, "Unauthorized worker", "unauthorized")
    BAD_USER = (24, "User must be an address", "bad_user")
    WRONG_NETWORK = (24, "Address of another network", "wrong_network")
    ONE_ADDRESS = (24, "One address per connection", "one_address")
    TOO_MANY_NAMES = (24, "Too many workers", "too_many_names")
    NOT_SUBSCRIBED = (25, "Not subscribed", "not_subscribed")
    UNKNOWN_METHOD = (-3, "Method not found", "unknown_method")

    def __init__(self, code: int, text: str, label: str) -> None:
        self.code = code
        self.text = text
        self.label = label


class ProtocolViolation(Exception):
    """The peer is broken or hostile beyond an answer; `cause` is its label in logs and metrics."""

    def __init__(self, cause: CloseCause) -> None:
        super().__init__(cause)
        self.cause = cause
