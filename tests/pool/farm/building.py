"""A farm for tests: halls, rows and racks full of machines, and faults of them."""

from collections.abc import Iterable, Iterator

from pool.farm.faults import Census, Fault, census_of
from pool.farm.places import Places

SECOND = 1_000_000
MINUTE = 60 * SECOND
NOON = 1_796_126_400 * SECOND  # 2026-12-01 12:00 UTC
TERA = 1e12
PATTERN = "(?P<hall>[a-z])-(?P<row>[0-9]+)-(?P<rack>[0-9]+)-(?P<position>[0-9]+)"


class Farm:
    """Machines by name, h-r-k-p; the firmware family of each, `stock` where `firmware` does not say."""

    def __init__(
        self, halls: str = "ab", rows: int = 5, racks: int = 6, positions: int = 40, **firmware: Iterable[str]
    ) -> None:
        self.names = [
            f"{hall}-{row}-{rack}-{position}"
            for hall in halls
            for row in range(1, rows + 1)
            for rack in range(1, racks + 1)
            for position in range(1, positions + 1)
        ]
        self.family = dict.fromkeys(self.names, "stock")
        for family, names in firmware.items():
            self.family |= dict.fromkeys(names, family)
        self._places = Places(pattern=PATTERN)

    def census(self) -> Census:
        return census_of((self._places.place("x", name), self.family[name]) for name in self.names)

    def within(self, prefix: str) -> list[str]:
        """`a-3-`: the machines of row 3 of hall a."""
        return [name for name in self.names if name.startswith(prefix)]

    def fault(self, name: str, since_us: int, state: str = "silent") -> Fault:
        return Fault(
            machine=f"x.{name}",
            name=name,
            state=state,
            since_us=since_us,
            place=self._places.place("x", name),
            firmware=self.family[name],
            missing_hashes_per_second=100 * TERA,
        )

    def faults(self, names: Iterable[str], since_us: int, state: str = "silent") -> list[Fault]:
        """One a second from then on."""
        return list(self._faults(names, since_us, state))

    def _faults(self, names: Iterable[str], since_us: int, state: str) -> Iterator[Fault]:
        for number, name in enumerate(names):
            yield self.fault(name, since_us + number * SECOND, state)
