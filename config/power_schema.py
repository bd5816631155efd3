"""The settings of power and money as typed values: what a farm costs, and what its coin brings."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
MOST_TARIFFS = 32  # four periods a day for each of seven days, and some more
DEAREST_KWH = 1e6  # of currencies with small units: a hundred times what one costs in Iranian rials
DEAREST_COIN = 1e15  # ten thousand times what one bitcoin was worth in rials in 2025


class TariffSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the day with a price of its own."""

    from_: Annotated[
        str,
        Meta(
            pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z",
            description='When it begins, by the clock on the wall: "06:00". It may last past midnight.',
        ),
    ] = msgspec.field(name="from")
    to: Annotated[
        str,
        Meta(
            pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)\Z",
            description='When the next one begins: "22:00"; "24:00" is the end of the day.',
        ),
    ]
    price_per_kwh: Annotated[
        float, Meta(ge=0, le=DEAREST_KWH, description="What a kilowatt-hour costs then.")
    ]
    days: Annotated[
        tuple[Weekday, ...],
        Meta(max_length=7, description="On which days it begins; on every day where none is named."),
    ] = ()


class PowerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What electricity costs and what the coin is worth, to reckon whether mining pays. Nothing is booked
    with these numbers."""

    currency: Annotated[
        str | None,
        Meta(
            pattern=r"^[A-Z]{3,8}\Z",
            description="What all prices here are in, three to eight capital letters: CNY, USD, USDT.",
        ),
    ] = None
    price_per_kwh: Annotated[
        float | None,
        Meta(ge=0, le=DEAREST_KWH, description="What a kilowatt-hour costs, where it always costs the same."),
    ] = None
    tariffs: Annotated[
        tuple[TariffSettings, ...],
        Meta(
            max_length=MOST_TARIFFS,
            description="Instead of `price_per_kwh`: prices by time of day. Together they leave out no "
            "minute of a week and name none twice.",
        ),
    ] = ()
    time_zone: Annotated[
        str | None,
        Meta(
            min_length=1,
            description="Whose clock `tariffs` go by, a name of the IANA table: Asia/Shanghai, "
            "Europe/Berlin, UTC.",
        ),
    ] = None
    joules_per_terahash: Annotated[
        float | None,
        Meta(
            gt=0,
            le=1e9,  # a CPU at scrypt needs that much; ASICs of 2014 needed 1,000, those of 2024 need 15
            description="What machines use whose watts the pool is not told of, at the wall: 1000 for "
            "machines of 2014, 15 to 30 for those of the 2020s.",
        ),
    ] = None
    overhead_factor: Annotated[
        float,
        Meta(
            ge=1,
            le=5,
            description="What the meter counts for each kilowatt-hour of the machines: fans, pumps, "
            "transformers, lamps. 1.2 is a warehouse with fans.",
        ),
    ] = 1
    fixed_cost_per_month: Annotated[
        float,
        Meta(ge=0, le=1e15, description="What 30 days cost whether machines run or not: rent, people, net."),
    ] = 0
    pause_above_price_per_kwh: Annotated[
        float | None,
        Meta(
            ge=0,
            le=DEAREST_KWH,
            description="Machines are to stand still while a kilowatt-hour costs more than this: their "
            "silence is planned then, and what it saves is shown. Needs `tariffs`.",
        ),
    ] = None
    coin_price: Annotated[
        float | None, Meta(gt=0, le=DEAREST_COIN, description="What one coin is worth.")
    ] = None
    coin_price_file: Annotated[
        str | None,
        Meta(
            min_length=1,
            description="Instead of `coin_price`: a file with that number, which a job of yours writes. The "
            "currency may stand behind it: `2350.50 CNY`.",
        ),
    ] = None
    coin_price_max_age_hours: Annotated[
        float,
        Meta(gt=0, le=8_760, description="An older file is not believed: the price counts as unknown then."),
    ] = 24
