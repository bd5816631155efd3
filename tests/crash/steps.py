"""The steps between "share recorded" and "payment confirmed", in the order in which they are made."""

_AROUND_AN_ENTRY = ("before append {}", "after append {}", "before commit {}", "after commit {}")


def _entry(kind: str) -> tuple[str, ...]:
    return tuple(step.format(kind) for step in _AROUND_AN_ENTRY)


STEPS: tuple[str, ...] = (
    "before commit shares",
    "after commit shares",
    *_entry("block_changed accepted"),
    *_entry("block_settled"),
    *_entry("block_changed mature"),
    *_entry("payment_planned"),
    "before sign",
    "after sign",
    *_entry("payment_signed"),
    "before lock",
    "after lock",
    *_entry("payment_broadcast"),
    "before broadcast",
    "after broadcast",
    *_entry("payment_confirmed"),
)

PAYING = STEPS[STEPS.index("before append payment_planned") :]

OTHERS = ("anything", "agreement_changed")
# Commits that are no part of that way: names, confirmations for people to look at, the settings' own entry.
