"""Why a connection is closed or never let in, as closed sets; no behaviour."""

from enum import StrEnum


class CloseCause(StrEnum):
    """Why a session has ended. The member is its own label."""

    # the peer went, or the pool did
    DISCONNECTED = "disconnected"
    DRAIN = "drain"
    # too slow
    FIRST_LINE_TIMEOUT = "first_line_timeout"
    LINE_TIMEOUT = "line_timeout"
    HANDSHAKE_TIMEOUT = "handshake_timeout"
    DOES_NOT_READ = "does_not_read"
    # not Stratum
    TLS = "tls"
    HTTP = "http"
    NOT_STRATUM = "not_stratum"
    FOREIGN_PROTOCOL = "foreign_protocol"
    INVALID_JSON = "invalid_json"
    LINE_TOO_LONG = "line_too_long"
    # refused
    AUTHORIZE_DENIED = "authorize_denied"
    NO_EXTRANONCE_LEFT = "no_extranonce_left"
    # a budget is spent
    TOO_MANY_ERRORS = "too_many_errors"
    EMPTY_LINES = "empty_lines"
    TOO_MANY_SUBSCRIBES = "too_many_subscribes"
    UNSOLICITED_REPLIES = "unsolicited_replies"
    TOO_MANY_DENIED_NAMES = "too_many_denied_names"
    SUBMIT_BEFORE_HANDSHAKE = "submit_before_handshake"
    SHARES_OF_STRANGERS = "shares_of_strangers"
    TOO_MANY_REQUESTS = "too_many_requests"
    BAD_SHARES = "bad_shares"


class TurnedAway(StrEnum):
    """Why a connection was closed before a session began."""

    DRAINING = "draining"
    CONNECTIONS = "maximum_connections"
    DISK = "disk_full"
    ADDRESS = "maximum_connections_per_address"
    RATE = "connect_rate"
