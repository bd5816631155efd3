"""Account and worker ids by name: looked up once, then remembered; it makes rows for names it has not met.

An id that a rolled-back transaction has made is given to the next name that comes, whose work would be
another's. So an id counts as known only once it has been read by a transaction that did not make it; until
then it is remembered for its own transaction alone.
"""

from pool.accounting.ledger import SYSTEM_ACCOUNTS
from pool.storage.database import Writer

MOST_REMEMBERED = 200_000
# About 40 MB; a public pool meets more names than that in years, and the rows are looked up again then.


class _Remembered:
    """Ids, and which accounts of them have no script: credited or asked for before they ever mined."""

    def __init__(self) -> None:
        self.accounts: dict[str, int] = {}
        self.without_script: set[str] = set()
        self.workers: dict[tuple[int, str], int] = {}


class Names:
    """Ids of one database, for its one writer."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._known = _Remembered()
        self._made = _Remembered()
        self._made_by: Writer | None = None

    def forget(self) -> None:
        """When another process may have written: a database that was opened anew."""
        self._known = _Remembered()

    async def account(self, writer: Writer, name: str, at_us: int, script: bytes | None = None) -> int:
        """The account's id; a new account appears with its output script, if that is known already."""
        for remembered in (self._of(writer), self._known):
            known = remembered.accounts.get(name)
            if known is not None and (script is None or name not in remembered.without_script):
                return known
        row = await writer.row("SELECT id, script FROM account WHERE name = ?", name)
        if row is not None and (script is None or row[1] is not None):
            return _keep_account(self._room(), name, int(row[0]), row[1] is None)
        if row is None:
            found = await writer.insert(
                "INSERT INTO account (name, script, first_seen_us) VALUES (?, ?, ?) RETURNING id",
                *(name, script, at_us),
            )
        else:
            found = int(row[0])
            await writer.execute("UPDATE account SET script = ? WHERE id = ?", script, found)
        return _keep_account(self._of(writer), name, found, script is None)

    async def worker(self, writer: Writer, account_id: int, name: str, agent: str, at_us: int) -> int:
        """The device's id; a new one appears with the agent that it was first seen with."""
        key = (account_id, name)
        for remembered in (self._of(writer), self._known):
            known = remembered.workers.get(key)
            if known is not None:
                return known
        row = await writer.row("SELECT id FROM worker WHERE account_id = ? AND name = ?", account_id, name)
        if row is not None:
            self._room().workers[key] = int(row[0])
            return int(row[0])
        found = await writer.insert(
            "INSERT INTO worker (account_id, name, agent, first_seen_us, last_seen_us) "
            "VALUES (?, ?, ?, ?, ?) RETURNING id",
            *(account_id, name, agent, at_us, at_us),
        )
        self._of(writer).workers[key] = found
        return found

    async def system(self, writer: Writer, at_us: int) -> dict[str, int]:
        """Ids of the pool's own accounts, which exist from the first start on."""
        return {name: await self.account(writer, name, at_us) for name in SYSTEM_ACCOUNTS}

    def _of(self, writer: Writer) -> _Remembered:
        """What this transaction has made; whatever became of the one before, its ids are read again."""
        if self._made_by is not writer:
            self._made, self._made_by = _Remembered(), writer
        return self._made

    def _room(self) -> _Remembered:
        if len(self._known.accounts) + len(self._known.workers) >= self._most:
            self.forget()
        return self._known


def _keep_account(remembered: _Remembered, name: str, number: int, is_without_script: bool) -> int:
    remembered.accounts[name] = number
    if is_without_script:
        remembered.without_script.add(name)
    else:
        remembered.without_script.discard(name)
    return number
