"""Opening what the settings name: only what was chosen is imported, and what is missing is said."""

import subprocess
import sys
from pathlib import Path

import pytest

URL = "postgresql://engineroom@localhost/accounts"
ROOT = Path(__file__).parents[3]

# None in sys.modules is how Python itself marks a package that cannot be imported.
WITHOUT_ASYNCPG = """
import asyncio, sys
from pathlib import Path
sys.modules["asyncpg"] = None
from pool.storage.database import DatabaseError
from pool.storage.opening import open_database, open_for_reading

async def main(url):
    try:
        database = await open_database(url, Path(sys.argv[1]), holder="the test", now_us=1)
        await database.close()
        report = await open_for_reading(url, Path(sys.argv[1]))
        await report.close()
        print("opened", type(database).__name__)
    except DatabaseError as error:
        print(error)

asyncio.run(main(sys.argv[2] or None))
"""


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("", "opened SqliteDatabase"),
        (
            URL,
            f"{URL}: needs the package asyncpg: pip install 'engineroom[postgres]'",
        ),
    ],
    ids=["sqlite", "postgres"],
)
def test_asyncpg_is_needed_for_postgresql_alone(tmp_path: Path, url: str, line: str) -> None:
    command = [sys.executable, "-c", WITHOUT_ASYNCPG, str(tmp_path), url]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stdout.strip(), done.stderr) == (line, "")
