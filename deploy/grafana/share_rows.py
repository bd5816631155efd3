"""What miners send and how they come and go: two rows of the operator's dashboard."""

from deploy.grafana.dashboard import Row
from deploy.grafana.gateways import gauge, quantiles, rate
from deploy.grafana.panel import PER_SECOND, RATIO, SECONDS, Query, lines

REFUSED_WORK = "share_work_rejected_hashes"
ALL_WORK = f"({rate(REFUSED_WORK)} + {rate('share_work_accepted_hashes')})"

SHARES = Row(
    "Shares",
    (
        lines(
            "Shares credited",
            "Shares a second. Late ones came after their tip had ended, within the grace for late shares.",
            Query(rate("shares_accepted"), "credited"),
            Query(rate("shares_late"), "of these late"),
            unit=PER_SECOND,
        ),
        lines(
            "Shares refused, by reason",
            "Submissions refused a second. Stale ones come with every new block; all others have a cause.",
            Query(f"{rate('shares_rejected', 'reason')} > 0", "{{reason}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        lines(
            "Work refused, by reason",
            "What refused submissions would have been worth, as a part of all work that was sent in.",
            Query(
                f"({rate(REFUSED_WORK, 'reason')} > 0) / on () group_left () {ALL_WORK}",
                "{{reason}}",
            ),
            unit=RATIO,
            decimals=2,
            stacked=True,
        ),
        lines(
            "Time to a reply",
            "From a request's bytes to the write of its answer: hashing, the spool's write, the tick's end.",
            *quantiles("reply_seconds"),
            unit=SECONDS,
        ),
        lines(
            "Time to a verdict",
            "From a submission's bytes to its verdict: parsing and hashing.",
            *quantiles("share_check_seconds"),
            unit=SECONDS,
        ),
        lines(
            "Difficulties changed",
            "Difficulties that sessions were told anew, a second. Many for long mean bounds that do not fit.",
            Query(rate("difficulty_changes", "direction"), "{{direction}}"),
            unit=PER_SECOND,
        ),
    ),
)

MINERS = Row(
    "Miners",
    (
        lines(
            "Connections by firmware",
            "Miners connected, by the family of the firmware that they name.",
            Query(f"sum by (firmware) ({gauge('connections')}) > 0", "{{firmware}}"),
            stacked=True,
        ),
        lines(
            "Connections by gateway and port",
            "Miners connected, by where they came in.",
            Query(f"sum by (gateway, port) ({gauge('connections')})", "{{gateway}}: {{port}}"),
            stacked=True,
        ),
        lines(
            "Connections opened",
            "Connections let in, and those closed before a word was said, a second.",
            Query(rate("connections_opened"), "let in"),
            Query(rate("connections_turned_away", "cause"), "turned away: {{cause}}"),
            unit=PER_SECOND,
        ),
        lines(
            "Connections closed, by cause",
            "Sessions ended a second. Where miners come and go all the time, look at their network.",
            Query(f"{rate('connections_closed', 'cause')} > 0", "{{cause}}"),
            unit=PER_SECOND,
        ),
        lines(
            "Handshakes failed, by cause",
            "Sessions that ended before they could mine, a second.",
            Query(f"{rate('handshakes_failed', 'cause')} > 0", "{{cause}}"),
            unit=PER_SECOND,
        ),
        lines(
            "Names refused, by reason",
            "Authorizations denied, a second: names that are no address of this network.",
            Query(f"{rate('authorizations_denied', 'reason')} > 0", "{{reason}}"),
            unit=PER_SECOND,
        ),
    ),
)
