"""What a block change costs, by whose delay; each figure by hand."""

import msgspec
import pytest

from pool.farm.observation import MachineKey, TipSeen
from pool.farm.stale_losses import MOST_GROUPS, LossesMemory, StaleLosses

NOON = 1_800_000_000.0
DAY = 86_400.0
TERA = 1e12
TIP = bytes(31) + b"\xab"
TIP_SHOWN = "ab" + "00" * 31
RATES = {("a", "m-1"): 100 * TERA, ("a", "m-2"): 50 * TERA, ("a", "m-3"): 10 * TERA}
GROUPS = {("a", "m-1"): "rack-1", ("a", "m-2"): "rack-1", ("a", "m-3"): "rack-2"}


def rate_of(key: MachineKey) -> float:
    return RATES.get(key, 0.0)


def seen(delays: dict[str, float], template_at: float = NOON + 0.5, **nodes: float) -> TipSeen:
    return TipSeen(TIP, 101, nodes, template_at, {("a", worker): delay for worker, delay in delays.items()})


def told(*tips: TipSeen, losses: StaleLosses | None = None) -> StaleLosses:
    made = StaleLosses(NOON) if losses is None else losses
    for tip in tips:
        made.changed("gateway-0", tip, NOON, rate_of, GROUPS.get)
    return made


def test_the_wait_for_the_template_is_the_nodes_and_what_follows_is_the_gateways() -> None:
    losses = told(seen({"m-1": 0.1, "m-2": 0.3, "m-3": 0.2}, fast=NOON, slow=NOON + 0.4))
    [change] = losses.changes
    assert change.tip == TIP_SHOWN
    assert change.nodes == pytest.approx({"fast": 0.0, "slow": 0.4})
    # 160 TH/s for half a second; then 100 × 0.1 + 50 × 0.3 + 10 × 0.2 = 10 + 15 + 2 = 27 TH
    assert change.node_hashes == pytest.approx(80 * TERA)
    assert change.gateway_hashes == pytest.approx(27 * TERA)
    assert (change.template_seconds, change.first_seconds, change.last_seconds) == pytest.approx(
        (0.5, 0.6, 0.8)
    )
    assert change.groups == pytest.approx({"rack-1": 0.8, "rack-2": 0.7})
    assert losses.totals == pytest.approx({"node": 80 * TERA, "gateway": 27 * TERA, "miner": 0})


def test_two_gateways_that_tell_of_one_block_make_one_change_of_both_ones_machines() -> None:
    one = seen({"m-1": 0.1}, template_at=NOON + 0.5, fast=NOON, slow=NOON + 0.4)
    other = seen({"m-2": 0.2, "m-3": 0.6}, template_at=NOON + 0.7, fast=NOON + 0.1)
    for order in ((one, other), (other, one)):
        [change] = (losses := told(*order)).changes
        assert change.nodes == pytest.approx({"fast": 0.0, "slow": 0.4})
        # the other gateway's times begin 0.1 s later: its template came 0.7 s after the first node had it
        assert (change.template_seconds, change.first_seconds, change.last_seconds) == pytest.approx(
            (0.7, 0.6, 1.3)
        )
        assert change.groups == pytest.approx({"rack-1": 0.9, "rack-2": 1.3})
        # 100 × 0.5 by the one, 60 × 0.6 by the other, each from when it could know
        assert losses.totals["node"] == pytest.approx((50 + 36) * TERA)
        # 100 × 0.1; 50 × 0.2 + 10 × 0.6
        assert losses.totals["gateway"] == pytest.approx((10 + 16) * TERA)
        assert (change.node_hashes, change.gateway_hashes) == pytest.approx((86 * TERA, 26 * TERA))


def test_a_machine_of_many_connections_is_lost_once_and_until_the_last_of_them_has_work() -> None:
    """An announcement is told in slices: m-1 has a connection in each of the three."""
    slices = [{"m-1": 0.1, "m-2": 0.1}, {"m-1": 0.3}, {"m-1": 0.2, "m-3": 0.2}]
    losses = told(*(seen(one, fast=NOON) for one in slices))
    [change] = losses.changes
    # 160 TH/s for the half a second to the template; then 100 × 0.3 + 50 × 0.1 + 10 × 0.2 = 37 TH
    assert (change.node_hashes, change.gateway_hashes) == pytest.approx((80 * TERA, 37 * TERA))
    assert losses.totals == pytest.approx({"node": 80 * TERA, "gateway": 37 * TERA, "miner": 0})


def test_each_gateways_template_has_its_time() -> None:
    losses = told(seen({"m-1": 0.1}, template_at=NOON + 0.5, fast=NOON))
    other = seen({"m-2": 0.1}, template_at=NOON + 0.9, fast=NOON)
    losses.changed("gateway-1", other, NOON, rate_of, GROUPS.get)
    [change] = losses.changes
    assert change.gateways == pytest.approx({"gateway-0": 0.5, "gateway-1": 0.9})


def test_a_chain_that_comes_back_to_a_block_has_changed_again() -> None:
    losses = told(seen({"m-1": 0.1}, fast=NOON), seen({"m-1": 0.1}, template_at=NOON + 600, fast=NOON + 600))
    assert len(losses.changes) == 2
    assert losses.totals["gateway"] == pytest.approx(20 * TERA)


def test_a_node_that_is_slower_than_our_template_costs_nothing() -> None:
    losses = told(seen({"m-1": 0.1}, template_at=NOON, slow=NOON + 3))
    assert losses.totals == pytest.approx({"node": 0, "gateway": 10 * TERA, "miner": 0})
    assert losses.changes[0].nodes == pytest.approx({"slow": 3})


def test_machines_that_are_not_the_farms_count_for_nothing() -> None:
    assert not told(TipSeen(TIP, 101, {}, NOON, {("b", "m-1"): 3.0})).changes


def test_refused_work_on_an_old_block_is_the_miners_and_other_refusals_are_not() -> None:
    losses = told(seen({"m-1": 0.1}, fast=NOON))
    losses.refused("stale", 3 * TERA, NOON + 1)
    losses.refused("job_not_found", 2 * TERA, NOON + 1)
    losses.refused("low_difficulty", 7 * TERA, NOON + 1)
    assert losses.totals["miner"] == 5 * TERA
    assert losses.changes[-1].miner_hashes == 5 * TERA


def test_a_days_losses_are_told_in_satoshis() -> None:
    losses = StaleLosses(NOON)
    for hour in range(24 * 20):  # twenty days: the window of a day is full
        losses.refused("stale", 4 * TERA, NOON + 3_600 * hour)
    # 24 × 4 TH a day at 1e-12 satoshis a hash = 96; an hour after the last, a window of 24 h holds 2 % less
    per_day = losses.sats_per_day(NOON + 3_600 * 24 * 20, 1e-12)
    assert per_day["miner"] == pytest.approx(96, rel=0.03)
    assert (per_day["node"], per_day["gateway"]) == (0, 0)


def test_only_the_groups_that_waited_longest_are_kept() -> None:
    delays = {("a", f"m-{number}"): number / 100 for number in range(200)}
    losses = StaleLosses(NOON)
    losses.changed(
        "gateway-0", TipSeen(TIP, 101, {}, NOON, delays), NOON, rate_of, lambda key: f"rack-{key[1]}"
    )
    [change] = losses.changes
    assert len(change.groups) == MOST_GROUPS
    assert max(change.groups.items(), key=lambda entry: entry[1]) == ("rack-m-199", 1.99)


def test_the_next_process_goes_on_with_totals_rates_and_changes() -> None:
    losses = told(seen({"m-1": 0.1}, fast=NOON))
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(losses.export()), type=LossesMemory)
    later = StaleLosses(NOON + 60, kept)
    assert list(later.changes) == list(losses.changes)
    assert later.totals == losses.totals
    assert later.sats_per_day(NOON + DAY, 1e-12) == losses.sats_per_day(NOON + DAY, 1e-12)
