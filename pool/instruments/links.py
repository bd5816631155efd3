"""What the instruments have of what works beside them: figures, late perhaps, and who tells people."""

from typing import Protocol

from pool.instruments.account_figures import AccountFigures
from pool.notices.notice import Notice


class NoticeTaker(Protocol):
    """Who tells people."""

    def take(self, notice: Notice) -> None:
        """Returns at once; raises nothing."""
        ...


class Links:
    """`accounts` is None until they are open. Notices wait for no accounts: a database may be away for a
    night, and what is told by then must survive this process."""

    def __init__(self, notices: NoticeTaker | None = None) -> None:
        """None where nobody is to be told."""
        self.accounts: AccountFigures | None = None
        self._notices = notices

    def opened(self, figures: AccountFigures) -> None:
        """The accounts are open."""
        self.accounts = figures

    def take(self, notice: Notice) -> None:
        """Tell it."""
        if self._notices is not None:
            self._notices.take(notice)
