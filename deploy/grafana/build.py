"""`make dashboards`: writes the dashboards' JSON, generated because nine tenths of Grafana's JSON are form.

A panel in Python is its title, its sentence and its expressions; number, place and options follow from them.
"""

from pathlib import Path

from deploy.grafana.dashboard import Dashboard
from deploy.grafana.farm_board import FARM_BOARD
from deploy.grafana.money_board import MONEY_BOARD
from deploy.grafana.operator_board import OPERATOR_BOARD

BOARDS: tuple[Dashboard, ...] = (OPERATOR_BOARD, FARM_BOARD, MONEY_BOARD)
FOLDER = Path(__file__).parent / "dashboards"


def path_of(board: Dashboard) -> Path:
    return FOLDER / f"{board.name}.json"


if __name__ == "__main__":
    for board in BOARDS:
        path_of(board).write_text(board.as_text())
