"""What `engineroom farm forget` may forget: machines that are gone, by the names that people give them."""

from collections.abc import Sequence

from pool.accounting.control import Refused
from pool.farm.floor import Floor
from pool.farm.machine_state import MachineState
from pool.farm.member import Member

MOST_KEYS = 3  # of namesakes, told


def to_forget(floor: Floor, names: Sequence[str]) -> list[Member]:
    """The machines that are called so, each once. Raises Refused where one of them would be back by itself,
    is not known, or is not alone with its name."""
    found = floor.named(names)
    gone = [_gone(floor, name, found[name]) for name in names]
    return list({member.key: member for member in gone}.values())


def _gone(floor: Floor, name: str, found: Sequence[Member]) -> Member:
    if not found:
        raise Refused(f"there is no machine {name!r}: `engineroom farm --all` lists them")
    if len(found) > 1:
        keys = " or ".join(one.key for one in found[:MOST_KEYS])
        others = ", or whom else `engineroom farm --json` has" if len(found) > MOST_KEYS else ""
        raise Refused(f"{len(found)} machines are called {name!r}: say {keys}{others}")
    [member] = found
    if member.listing is not None:
        raise Refused(f"{name!r} is in the inventory: take it out there, and start the pool again")
    if floor.is_here(member):
        if member.watch.state is MachineState.PAUSED:
            raise Refused(f"{name!r} is paused, and delivers: ask again a minute after it was switched off")
        raise Refused(f"{name!r} is connected and would be here again: switch it off, or pause its group")
    return member
