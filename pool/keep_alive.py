"""[shell] Keeps work alive beside what must not end with it: a bug is told, and the work begins anew."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


async def keep_alive(
    work: Callable[[], Coroutine[Any, Any, None]],
    failed: Callable[[Exception, bool], None],
    pause_seconds: float,
) -> None:
    """Work until cancelled; raises nothing else.

    `failed` takes what has ended the work, and whether it came with the cancellation: then nothing begins
    anew. Else it does, after the pause.
    """
    while True:
        try:
            # A task of its own: in Python 3.11 one whose group has failed counts as cancelled for good.
            await asyncio.create_task(work())
        except Exception as error:  # a bug must not end what works beside it: that is what this is for
            is_ending = _is_ending()
            failed(error, is_ending)
            if is_ending:
                return
        await asyncio.sleep(pause_seconds)


def _is_ending() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
