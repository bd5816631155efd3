"""The settings of the metrics' listener as typed values."""

from typing import Annotated

import msgspec
from msgspec import Meta


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Prometheus finds /metrics, and orchestrators /healthz and /readyz."""

    enabled: Annotated[bool, Meta(description="Whether to listen at all.")] = True
    address: Annotated[
        str,
        Meta(
            description="The address to listen on. Whoever reaches it sees workers' names and all sums: "
            "keep it on this machine or on an inner network.",
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The TCP port; 0 takes any free one.")] = 9333
    workers_limit: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            description="So many machines have series of their own, six each; the others are counted.",
        ),
    ] = 2_500
    groups_limit: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000,
            description="So many groups have series of their own, six each: those that miss most.",
        ),
    ] = 500
