"""Settings for tests that read none from a file: regtest, one node that is not there, a directory."""

from pathlib import Path
from typing import Any

from config.payout_schema import PayoutSettings
from config.schema import NodeSettings, Settings
from tests.builders import ADDRESS


def settings_in(directory: Path, **sections: Any) -> Settings:
    """With these sections instead of their defaults."""
    node = NodeSettings(name="local", url="http://127.0.0.1:1", cookie_file="/nowhere/.cookie")
    return Settings(
        coin="bitcoin",
        network="regtest",
        data_directory=str(directory),
        payout=PayoutSettings(address=ADDRESS),
        nodes=(node,),
        **sections,
    )
