"""What somebody must look at, by name: said once when it begins and once when it is over."""

import logging

log = logging.getLogger("engineroom.alarms")


class Alarms:
    """The alarms that are on. `active` is for whoever shows them."""

    def __init__(self) -> None:
        self.active: dict[str, str] = {}

    def raised(self, name: str, text: str) -> None:
        """It is so now; repeated calls are one alarm."""
        if name not in self.active:
            log.error("ALARM %s: %s", name, text)
        self.active[name] = text

    def over(self, name: str) -> None:
        """It is so no more; nothing where it was not."""
        if self.active.pop(name, None) is not None:
            log.warning("alarm over: %s", name)
