"""[shell] All pauses that are planned: by hand, in a file, and by the price of power. Blocking."""

from pathlib import Path

from config.power_schema import PowerSettings
from config.schema import Settings
from pool.farm.inventory import WHOLE_FARM
from pool.farm.pause_file import PauseFile
from pool.farm.pauses import Pause, PriceStep, priced_pauses
from pool.farm.tariff import AHEAD_SECONDS, DAY_SECONDS, WEEK_SECONDS, periods, tariff_of
from pool.logs.events import LogEvent
from pool.logs.log import Log

PRICE_SECONDS = 60.0  # how often the tariff is looked at
MICROSECONDS = 1_000_000

log = Log("engineroom.farm")


class PlannedPauses:
    """Of one pool's settings and data directory."""

    def __init__(self, settings: Settings) -> None:
        self._file = PauseFile(Path(settings.data_directory))
        self._power = settings.farm.power
        self._priced: list[Pause] = []
        self._priced_at = 0.0
        self._trouble: str | None = None

    def at(self, unix: float) -> tuple[Pause, ...]:
        """Those known at a time. A file that cannot be used is told once, and pauses nothing."""
        by_hand = self._file.pauses()
        trouble = self._file.trouble
        if trouble is not None and trouble != self._trouble:
            log.error(LogEvent.PAUSES_REFUSED, error=trouble)
        self._trouble = trouble
        if unix - self._priced_at >= PRICE_SECONDS:
            self._priced_at = unix
            self._priced = price_pauses(self._power, unix)
        return (*by_hand, *self._priced)


def price_pauses(power: PowerSettings, unix: float) -> list[Pause]:
    """Of the farm, while power costs more than the bound: those of the last day, and those that begin within
    the next two. Some hours of each week are cheap, so that within a week one has begun and is over: by its
    beginning it is known again."""
    tariff, bound = tariff_of(power), power.pause_above_price_per_kwh
    if tariff is None or bound is None:
        return []
    steps = [
        PriceStep(round(one.start * MICROSECONDS), one.price_per_kwh)
        for one in periods(tariff, unix - WEEK_SECONDS, unix + AHEAD_SECONDS + WEEK_SECONDS)
    ]
    yesterday_us = round((unix - DAY_SECONDS) * MICROSECONDS)
    ahead_us = round((unix + AHEAD_SECONDS) * MICROSECONDS)
    found = priced_pauses(WHOLE_FARM, bound, steps)
    return [one for one in found if not one.is_over(yesterday_us) and one.since_us <= ahead_us]
