"""The phases of a connection and every way between them, as one table; it acts on nothing.

Theory. Firmware subscribes and authorises in either order, alone or in one burst (cgminer waits between the
two, Bitaxe sends both with its configure in one segment, some proxies authorise first). Work needs both:
the extranonce1 of the subscription and, in a solo pool's coinbase, the address of the authorisation. So
there are two half-way phases and one in which the connection mines. Both steps may be repeated without
changing the phase: a second subscribe is a latency probe (stratum-work), a second authorize is another
worker behind a proxy.

    CONNECTED ──subscribe──► SUBSCRIBED ──authorize──► MINING
        └───────authorize──► AUTHORISED ──subscribe──────┘
    every phase ──close──► CLOSED, which nothing leaves

What is refused in which phase is not here: a submit is answered (25 before the subscription, 24 before the
authorisation) and not a violation, until a peer has done it three times.
"""

from enum import Enum


class Phase(Enum):
    """Where a connection is."""

    CONNECTED = "connected"
    SUBSCRIBED = "subscribed"
    AUTHORISED = "authorised"
    MINING = "mining"
    CLOSED = "closed"


class Step(Enum):
    """What moves it on."""

    SUBSCRIBE = "subscribe"
    AUTHORISE = "authorise"
    CLOSE = "close"


TRANSITIONS: dict[tuple[Phase, Step], Phase] = {
    (Phase.CONNECTED, Step.SUBSCRIBE): Phase.SUBSCRIBED,
    (Phase.CONNECTED, Step.AUTHORISE): Phase.AUTHORISED,
    (Phase.SUBSCRIBED, Step.SUBSCRIBE): Phase.SUBSCRIBED,
    (Phase.SUBSCRIBED, Step.AUTHORISE): Phase.MINING,
    (Phase.AUTHORISED, Step.SUBSCRIBE): Phase.MINING,
    (Phase.AUTHORISED, Step.AUTHORISE): Phase.AUTHORISED,
    (Phase.MINING, Step.SUBSCRIBE): Phase.MINING,
    (Phase.MINING, Step.AUTHORISE): Phase.MINING,
    **{(phase, Step.CLOSE): Phase.CLOSED for phase in Phase},
}


class Want(Enum):
    """Whether the session waits for work, and for which."""

    NOTHING = 0
    CURRENT = 1  # it has just become able to mine: any current job is new to it
    FRESH = 2  # a job that nobody has seen: after a forced difficulty, a resume, a new extranonce1
