"""What the instruments have of the accounts beside them, late perhaps: figures, and who tells people."""

from collections import deque
from typing import Protocol

from pool.instruments.account_figures import AccountFigures
from pool.notices.notice import Notice

MOST_WAITING = 100  # notices; the accounts may be away for a night, and an incident an hour is much


class NoticeTaker(Protocol):
    """Who tells people."""

    def take(self, notice: Notice) -> None:
        """Returns at once; raises nothing."""
        ...


class Links:
    """Empty until the accounts are open."""

    def __init__(self) -> None:
        self.accounts: AccountFigures | None = None
        self._notifier: NoticeTaker | None = None
        self._waiting: deque[Notice] = deque(maxlen=MOST_WAITING)
        self._tells_nobody = False

    def opened(self, figures: AccountFigures, notifier: NoticeTaker | None) -> None:
        """The accounts are open; None where nobody is to be told. What waited is told now."""
        self.accounts = figures
        self._notifier = notifier
        self._tells_nobody = notifier is None
        while self._waiting:
            self.take(self._waiting.popleft())

    def take(self, notice: Notice) -> None:
        """Tell it, or keep it until somebody can."""
        if self._notifier is not None:
            self._notifier.take(notice)
        elif not self._tells_nobody:
            self._waiting.append(notice)
