"""The machinery under the pool: loops, spools, database, alerts. One row of the operator's dashboard."""

from deploy.grafana.dashboard import Row
from deploy.grafana.gateways import CHOSEN, gauge, quantiles
from deploy.grafana.panel import BYTES, PER_SECOND, RATIO, SECONDS, Query, lines, states, worse_above
from deploy.grafana.table import Column, table

# Every process that Prometheus scrapes has process_…; the accountant's is the one that shows our build.
OF_THE_ACCOUNTANT = "and on (job, instance) engineroom_build_info"

PROCESSES = Row(
    "Processes and storage",
    (
        states(
            "Alarms over time",
            "Red while an alarm of a gateway's spool or clock stands.",
            Query(f"max by (gateway, alarm) ({gauge('alarm')})", "{{gateway}}: {{alarm}}"),
            good=0,
            width=8,
        ),
        lines(
            "Stall of the loops",
            "How late a loop is for a timer, at any moment: what every miner of that gateway waits for then.",
            *quantiles("event_loop_stall_seconds", by="gateway"),
            *quantiles("accountant_stall_seconds", chosen="", whose="accountant, "),
            unit=SECONDS,
        ),
        lines(
            "Accounts behind the gateways",
            "How far the accounts are behind a gateway's frames, and how old its newest frame is. Nothing is "
            "lost while accounts lag.",
            Query(gauge("frame_lag_seconds"), "behind {{gateway}}"),
            Query(f"time() - {gauge('gateway_last_frame_timestamp_seconds')}", "newest frame of {{gateway}}"),
            unit=SECONDS,
            steps=worse_above(10, 60),
        ),
        lines(
            "Spools",
            "Size of the segments that are not archived yet.",
            Query(gauge("spool_bytes"), "{{gateway}}"),
            unit=BYTES,
        ),
        lines(
            "Age of the spools",
            "Age of the oldest segment that is not archived: an hour and a bit where the accounts keep up.",
            Query(gauge("spool_age_seconds"), "{{gateway}}"),
            unit=SECONDS,
        ),
        lines(
            "Free on the spools' disks",
            "On a full disk shares are answered with Try later.",
            Query(gauge("disk_free_bytes"), "{{gateway}}"),
            unit=BYTES,
        ),
        lines(
            "Time of a commit",
            "Time of a transaction that counts frames: mostly the disk's sync.",
            *quantiles("commit_seconds", chosen=""),
            unit=SECONDS,
        ),
        lines(
            "Counted into the accounts",
            "Frames and shares counted a second.",
            Query("rate(engineroom_frames_applied_total[$__rate_interval])", "frames"),
            Query("rate(engineroom_shares_applied_total[$__rate_interval])", "shares"),
            unit=PER_SECOND,
        ),
        lines(
            "Troubles of the accountant",
            "Duties that met trouble and wait, and errors and outages of the database, by the hour. An "
            "outage is an error at each try of each duty. Spools that have stopped wait for a person.",
            Query("increase(engineroom_duty_failures_total[1h])", "{{duty}}"),
            Query("increase(engineroom_database_errors_total[1h])", "database, errors"),
            Query("increase(engineroom_database_outages_total[1h])", "database, outages"),
            Query(gauge("sources_stopped"), "stopped spools of {{gateway}}"),
            decimals=0,
        ),
        lines(
            "CPU",
            "CPU time of each process, as a part of one core. A gateway at 70 % is near its end.",
            Query(f"rate(engineroom_gateway_cpu_seconds_total{CHOSEN}[$__rate_interval])", "{{gateway}}"),
            Query(
                f"rate(process_cpu_seconds_total[$__rate_interval]) {OF_THE_ACCOUNTANT}",
                "accountant",
            ),
            unit=RATIO,
            decimals=0,
            steps=worse_above(0.7, 0.9),
        ),
        lines(
            "Memory",
            "Resident memory of each process.",
            Query(gauge("gateway_memory_bytes"), "{{gateway}}"),
            Query(f"process_resident_memory_bytes {OF_THE_ACCOUNTANT}", "accountant"),
            unit=BYTES,
        ),
        lines(
            "Running for",
            "Age of each process: where a line falls to 0, it was started anew.",
            Query(f"time() - {gauge('gateway_start_time_seconds')}", "{{gateway}}"),
            Query("time() - engineroom_accountant_start_time_seconds", "accountant"),
            unit=SECONDS,
        ),
        table(
            "Alerts",
            "What Prometheus raises an alarm for now. EngineroomWatchdog always fires: where it is missing, "
            "nobody would hear of the others.",
            {"severity": "Severity", "alertname": "Alert", "scope": "Scope"},
            Column("Firing", 'sum by (severity, alertname, scope) (ALERTS{alertstate="firing"})'),
            sort_by="Severity",
            descending=False,
            width=16,
            height=8,
        ),
        lines(
            "Time to render /metrics",
            "How long a page of metrics takes; Prometheus gives up after its scrape_timeout.",
            Query("engineroom_metrics_render_seconds", "a page"),
            unit=SECONDS,
        ),
    ),
)
