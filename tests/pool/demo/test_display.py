"""What the demo draws: a screen of 80 columns on a terminal, each event once and in one line elsewhere."""

from io import StringIO

import msgspec
from rich.console import Console

from pool.demo.display import Display, block_text, screen, summary_text
from pool.demo.snapshot import BlockLine, MinerLine, Snapshot

HASH = "12345678" + "0" * 48 + "9abcdef0"


def block(height: int, **changes: object) -> BlockLine:
    made = BlockLine(
        height=height,
        block_hash=HASH,
        reward_sats=5_000_020_000,
        transactions=5,
        verdict="devnode: accepted",
        elapsed_seconds=3.2,
    )
    return msgspec.structs.replace(made, **changes)


def snapshot(**changes: object) -> Snapshot:
    made = Snapshot(
        elapsed_seconds=12.4,
        height=104,
        network_difficulty=0.001,
        connections=2,
        miners=(
            MinerLine(name="miner1", accepted=17, refused=0, difficulty=0.00005, hashes_per_second=654_321),
            MinerLine(name="miner2", accepted=3, refused=1, difficulty=0.0001, hashes_per_second=700_000),
        ),
        blocks=(),
    )
    return msgspec.structs.replace(made, **changes)


def drawn(shown: Snapshot, width: int = 80) -> list[str]:
    console = Console(width=width, record=True, file=StringIO(), force_terminal=False)
    console.print(screen(shown))
    return [line.rstrip() for line in console.export_text().splitlines()]


def on_paper() -> tuple[Console, StringIO]:
    file = StringIO()
    return Console(file=file, width=80, force_terminal=False), file


def test_the_screen_holds_all_that_there_is_to_see() -> None:
    lines = drawn(snapshot(blocks=(block(105),)))
    # 654,321 + 700,000 hashes a second are 1.354 million
    assert lines[0] == "Engineroom demo  12 s · height 104 · 1.35 MH/s · block difficulty 0.001"
    assert lines[2].split() == ["miner", "hashrate", "difficulty", "shares", "refused"]
    assert lines[3].split() == ["miner1", "654", "kH/s", "5e-05", "17", "0"]
    assert lines[4].split() == ["miner2", "700", "kH/s", "0.0001", "3", "1"]
    assert lines[6] == "block 105 12345678…9abcdef0: 50.00020000, 5 transactions, devnode: accepted"
    assert len(lines) == 7


def test_before_the_first_block_it_says_so() -> None:
    assert drawn(snapshot())[-1] == "no block yet"


def test_nothing_is_wrapped_or_cut_at_80_columns_after_hours_with_all_miners() -> None:
    miner = MinerLine(
        name="miner16", accepted=1_234_567, refused=98_765, difficulty=0.000123, hashes_per_second=123_456_789
    )
    full = snapshot(
        elapsed_seconds=36_000,
        height=12_345,
        connections=16,
        miners=(miner,) * 16,
        blocks=tuple(block(12_300 + number, transactions=12) for number in range(20)),
    )
    lines = drawn(full)
    assert lines == drawn(full, width=200)
    assert max(map(len, lines)) <= 80
    assert "Engineroom demo  36000 s" in lines[0]
    assert [line.split()[1] for line in lines if line.startswith("block ")] == [
        *("12312", "12313", "12314", "12315", "12316", "12317", "12318", "12319")  # the last eight
    ]


def test_a_block_without_transactions_of_others_is_told_in_the_singular() -> None:
    assert "50.00000000, 1 transaction, " in block_text(block(1, transactions=1, reward_sats=5_000_000_000))


def test_without_a_terminal_each_block_is_one_line_and_told_once() -> None:
    console, file = on_paper()
    with Display(console) as display:
        display.show(snapshot(elapsed_seconds=1))
        display.show(snapshot(elapsed_seconds=2, blocks=(block(105),)))
        display.show(snapshot(elapsed_seconds=2.5, blocks=(block(105),)))
        display.show(snapshot(elapsed_seconds=3, blocks=(block(105), block(106))))
    assert file.getvalue().splitlines() == [block_text(block(105)), block_text(block(106))]


def test_without_a_terminal_each_tenth_second_is_summed_up_once() -> None:
    console, file = on_paper()
    with Display(console) as display:
        for elapsed in (9.9, 10.1, 10.6, 19.9, 20.4):
            display.show(snapshot(elapsed_seconds=elapsed))
    assert file.getvalue().splitlines() == [
        "10 s: 2 miners, 1.35 MH/s, shares: 20 accepted, 1 refused; blocks: 0",  # 17 + 3 shares
        "20 s: 2 miners, 1.35 MH/s, shares: 20 accepted, 1 refused; blocks: 0",
    ]


def test_without_a_terminal_there_are_no_colours_no_markup_and_no_wrapping() -> None:
    console, file = on_paper()
    text = f"pool on stratum+tcp://127.0.0.1:1, data in /tmp/[bold]{'x' * 100}"
    Display(console).say(text)
    assert file.getvalue() == text + "\n"


def test_on_a_terminal_the_screen_is_drawn_in_place_and_the_last_one_stays() -> None:
    file = StringIO()
    console = Console(file=file, width=80, height=40, force_terminal=True, _environ={"TERM": "xterm"})
    with Display(console) as display:
        display.show(snapshot(elapsed_seconds=1))
        display.say("above the screen")
        display.show(snapshot(elapsed_seconds=2, blocks=(block(105),)))
    text = file.getvalue()
    assert "\x1b[" in text
    assert "above the screen" in text
    assert "12345678…9abcdef0" in text[text.rindex("Engineroom demo") :]


def test_the_summary_counts_all_miners_together() -> None:
    shown = snapshot(elapsed_seconds=59.6, blocks=(block(105), block(106)))
    assert summary_text(shown) == "60 s: 2 miners, 1.35 MH/s, shares: 20 accepted, 1 refused; blocks: 2"
