"""The settings of the farm as typed values: its machines and what they cost; it reads and checks nothing."""

from config.farm_places_schema import MachineSettings
from config.power_schema import PowerSettings


class FarmSettings(MachineSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The machines whose operator you are: where they stand, what they should do, and what they cost."""

    power: PowerSettings = PowerSettings()
