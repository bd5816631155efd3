"""The odds of a pool that buys shares: how likely its reserve is ever used up. Decimal, for people to read.

While miners work, the reserve falls steadily by what their work is paid, and rises by a whole block each time
one is found, which happens as a Poisson process does. For reserve u, block B and ρ = paid ÷ B, both for the
expected hashes of one block:

    P(ruin) = exp(−y·u/B),   y > 0 the root of 1 − exp(−y) = ρ·y

exp(−θ·X) with θ = y/B is a martingale of the money X won, and since money only leaves continuously it is
lost to exactly −u: optional stopping gives the equation, not a bound. For a small fee f = 1 − ρ, y is nearly
2·f: the well-known exp(−2·f·u/B). With ρ ≥ 1 there is no such root, and ruin is certain. Orphaned blocks and
the wait for maturity are not in it; they make it worse.
"""

from decimal import Context, Decimal, localcontext

# Near ρ = 1 both sides of the equation are all but equal, and half of the digits are lost.
_DIGITS = 100
_ENOUGH = Decimal("1e-40")
_SHOWN = Context(prec=12)
_MOST_STEPS = 200
# Newton halves the distance while it is far off, and squares it then; 53 halvings lead to ρ = 1 − 10^-16,
# which no block is worth enough for.


def ruin_probability(reserve_sats: int, block_sats: int, paid_sats: int) -> Decimal:
    """Between 0 and 1, to 12 digits. `block_sats` is what a block brings the operator, `paid_sats` what it
    pays for the expected hashes of one. Raises ValueError for a block without value and negative amounts."""
    if block_sats < 1 or reserve_sats < 0 or paid_sats < 0:
        raise ValueError("the odds need a block of some value, and no negative amounts")
    if paid_sats >= block_sats:
        return Decimal(1)
    if paid_sats == 0:
        return Decimal(0)  # who pays nothing loses nothing
    with localcontext(Context(prec=_DIGITS)):
        exponent = _root(Decimal(paid_sats) / block_sats)
        probability = (-exponent * reserve_sats / block_sats).exp()
    return _SHOWN.normalize(probability)


def _root(ratio: Decimal) -> Decimal:
    """The positive root of 1 − exp(−y) − ratio·y, for 0 < ratio < 1.

    The function is concave and already negative at 1/ratio, so that Newton comes down from there without
    ever passing the root.
    """
    y = 1 / ratio
    for _ in range(_MOST_STEPS):
        decay = (-y).exp()
        step = (1 - decay - ratio * y) / (decay - ratio)
        y -= step
        if abs(step) < _ENOUGH:
            return y
    raise ArithmeticError(f"no root was found for a ratio of {ratio}")
