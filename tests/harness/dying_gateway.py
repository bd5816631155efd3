"""`engineroom run` that ends at one of its steps, as suddenly as by a power cut of the machine's own.

    python -m tests.harness.dying_gateway "before save" run -c FILE ...

The real gateway; around what makes a share or a block safe each step has a name, and at the first one of the
name that was given the process sends itself SIGKILL.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from pool.entry import main
from pool.gateway.block_files import BlockFiles
from pool.gateway.segment_files import SyncJob
from pool.gateway.spool import Spool
from pool.node.nodes import Nodes
from pool.spool.records import CandidateMade, ShareMade

SHARE_STEPS = ("before write share", "after write share", "before sync", "after sync")
BLOCK_STEPS = (
    *("before write block", "after write block"),
    *("before save", "after save", "before submit", "after submit", "before settle", "after settle"),
)
# From then on nothing can take the block away: its file is submitted at the next start, or the node has it.
# Before its submission nothing is waited for, so that the file may not be there then.
SAVED = ("after save", "after submit", "before settle", "after settle")


def die_at(step: str) -> None:
    """Wrap what makes the steps. To be called once, before the gateway is made."""

    def reach(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    _around(BlockFiles, "save", "save", reach)
    _around(BlockFiles, "settle", "settle", reach)
    _around(SyncJob, "run", "sync", reach)
    write, submit = Spool.write, Nodes.submit_block

    def stepped_write(self: Spool, definitions: Any, happenings: Any, *args: Any, **options: Any) -> bool:
        names = [name for kind, name in KINDS if any(isinstance(one, kind) for one in happenings)]
        for name in names:
            reach(f"before write {name}")
        is_written = write(self, definitions, happenings, *args, **options)
        for name in names:
            reach(f"after write {name}")
        return is_written

    async def stepped_submit(self: Nodes, block_hex: str) -> Any:
        reach("before submit")
        verdicts = await submit(self, block_hex)
        reach("after submit")
        return verdicts

    for owner, method, stepped in ((Spool, "write", stepped_write), (Nodes, "submit_block", stepped_submit)):
        setattr(owner, method, stepped)


KINDS = ((ShareMade, "share"), (CandidateMade, "block"))


def _around(owner: type, method: str, name: str, reach: Callable[[str], None]) -> None:
    inner = getattr(owner, method)

    def stepped(self: Any, *args: Any) -> Any:
        reach(f"before {name}")
        made = inner(self, *args)
        reach(f"after {name}")
        return made

    setattr(owner, method, stepped)


if __name__ == "__main__":
    die_at(sys.argv.pop(1))
    main()
