"""[shell] The farm's places, opened: the inventory's file read, the settings put to use. Blocking."""

from pathlib import Path

from config.schema import Settings
from pool.farm.inventory import Inventory, InventoryError, parse_inventory
from pool.farm.places import Places
from stratum.work.address import parse_address
from stratum.work.coin import network

MOST_BYTES = 64 << 20  # the most machines, with 640 bytes each


class InventoryUnusable(Exception):
    """The inventory cannot be used; `lines` say why, each with the file's name, one for each mistake."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


def open_places(settings: Settings) -> Places:
    """Where machines stand, by these settings. Raises InventoryUnusable."""
    path = settings.farm.inventory
    return places_by_name(settings, None if path is None else read_inventory(Path(path)))


def places_by_name(settings: Settings, inventory: Inventory | None = None) -> Places:
    """The same where there is no list that could be used, or with this one."""
    farm, here = settings.farm, network(settings.coin, settings.network)
    return Places(inventory, farm.name_pattern, (parse_address(one, here).text for one in farm.accounts))


def read_inventory(path: Path) -> Inventory:
    """The list in this file. Raises InventoryUnusable."""
    try:
        with path.open("rb") as file:
            document = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InventoryUnusable([f"{path}: {(error.strerror or str(error)).lower()}"]) from None
    if len(document) > MOST_BYTES:
        raise InventoryUnusable([f"{path}: is larger than {MOST_BYTES >> 20} MiB, which no inventory is"])
    try:
        return parse_inventory(document.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = document[: error.start].count(b"\n") + 1
        raise InventoryUnusable([f"{path}:{line}: is not UTF-8 text; save it as CSV in UTF-8"]) from None
    except InventoryError as error:
        lines = [f"{path}:{one.line}: {one.message}" for one in error.problems]
        raise InventoryUnusable([*lines, f"… and {error.more} more"] if error.more else lines) from None
