"""The names of all workers that the accounts have seen; what they did is asked elsewhere."""

from pool.storage.database import Reader


async def worker_names(reader: Reader) -> list[tuple[str, str]]:
    """Each as (account, worker name), in no order."""
    rows = await reader.rows(
        "SELECT account.name, worker.name FROM worker JOIN account ON account.id = worker.account_id"
    )
    return [(account, worker) for account, worker in rows]
