"""The vocabulary: everything that the pool can say in its log, each in one sentence. Pure: it writes nothing.

An event's name in JSON is the member's name in small letters. Its fields are those of its sentence, and
those in `also`, which JSON has and the sentence does not. How loud an event is says the call. `docs/logs.md`
is made of this table and of the calls (`make reference`).
"""

import enum

from pool.logs.entry import Entry


@enum.unique
class LogEvent(enum.Enum):
    """What can happen. In the order of the code: the processes, nodes, work, blocks, the spool, accounts,
    payments."""

    # ------------------------------------------------------------------ processes

    POOL_LISTENING = Entry("listening on {host}:{port}", "Miners can connect to this port.", ("host", "port"))
    POOL_REPORTED = Entry(
        "{connections} connections, {hashrate}, {accepted} shares accepted and {refused} refused since the "
        "start, {blocks} blocks",
        "Once a minute: how the pool stands. The hashrate is the last minute's.",
        also=("hashes_per_second",),
    )
    POOL_STOPPING = Entry(
        "stopping: closing {connections} connections over {drain_seconds:g} s",
        "SIGTERM or Ctrl-C came.",
    )
    POOL_STOPPED = Entry(
        "stopped: {accepted} shares accepted, {blocks} blocks", "The gateway has ended well."
    )
    FILES_LIMITED = Entry(
        "the system allows {files} open files, fewer than maximum_connections needs",
        "Raise the limit (LimitNOFILE in systemd), or lower stratum.maximum_connections.",
    )
    NETWORK_FAILED = Entry("{what}: {error}", "The system refused something that the network was asked for.")
    CALLBACK_FAILED = Entry("{what}", "A bug: the process ends, and is started again.", is_always=True)
    CHILD_ENDED = Entry(
        "the {child} has ended ({how}); it is started again in {pause_seconds:g} s",
        "A process that the supervisor keeps alive has died.",
    )
    CHILD_KILLED = Entry(
        "the {child} did not end within {stop_seconds:g} s and is killed", "Told to end, it did not."
    )
    CHILD_START_FAILED = Entry("the {child} cannot be started: {error}", "The system refuses the process.")
    CONNECTION_CLOSED = Entry(
        "closed {peer}: {reason}", "A miner's connection has ended, and why.", ("peer",)
    )

    # ------------------------------------------------------------------ nodes

    NODE_HEALTHY = Entry("node {node} is healthy, at height {height}", "It can supply work.", ("node",))
    NODE_TROUBLED = Entry("node {node} {trouble}", "It cannot supply work, and why.", ("node",))
    NODES_LOST = Entry("no node supplies work: {reason}", "Every node is in trouble.")
    WORK_MOVED = Entry(
        "work comes from node {node} now, no longer from {before}",
        "Another node knows more work, or the one before is in trouble.",
        ("node",),
    )
    WORK_CAME_BACK = Entry(
        "work comes again, from node {node}", "A node is healthy after none was.", ("node",)
    )
    HASHBLOCK_FAILED = Entry(
        "node {node}: no hashblock messages, zmq_hashblock {endpoint}: {error}",
        "The node's ZMQ address cannot be used; polling finds new blocks, later.",
    )
    HASHBLOCK_SILENT = Entry(
        "node {node}: {tips} new tips and no hashblock message from {endpoint}; new work waits for polling. "
        "Start the node with -zmqpubhashblock={endpoint}, or, if it is built without ZMQ, use blocknotify",
        "The node does not publish its blocks.",
        ("node",),
    )
    HASHBLOCK_MISSED = Entry(
        "node {node}: {missed} hashblock messages were lost before this one",
        "ZMQ dropped messages; polling has found those blocks.",
        ("node",),
    )

    # ------------------------------------------------------------------ work

    WORK_RENEWED = Entry(
        "new work at height {height} from {node}: {transactions} transactions, {reward_sats} sats",
        "Miners get jobs of a new template, after a new block.",
        ("node",),
    )
    MINERS_WAITING = Entry(
        "no node is left to work from: {reason}; miners stay connected and wait",
        "Miners get no new jobs until a node is healthy.",
    )
    MINERS_SERVED = Entry("working from node {node} again", "Miners get jobs again.", ("node",))
    REHEARSAL_FAILED = Entry(
        "coinbases cannot be rehearsed: {error}", "The node cannot be asked whether it would take a block."
    )
    COINBASE_REFUSED = Entry(
        "the node refuses a block whose coinbase has {outputs} outputs ({reason}): such coinbases pay one "
        "output now; job {job} at height {height}",
        "What miners are owed is credited instead; a coinbase of fewer outputs is tried later.",
    )
    PLAN_STOOD = Entry("{standing}", "How coinbases pay from now on. An error where the accountant is away.")
    PLAN_REFUSED = Entry("{trouble}; the plan before it stands", "The file of the plan is damaged.")
    PLAN_WIN_UNREADABLE = Entry(
        "{path} cannot be read ({error}): no carry-over until a newer plan",
        "Which plan has won a block is not known, so nothing is paid that may have been paid.",
    )
    PLAN_WIN_UNKNOWN = Entry(
        "a block's file in {path} says no generation: no carry-over until a newer plan",
        "Which plan has won that block is not known, so nothing is paid that may have been paid.",
    )
    PLAN_WIN_UNSAVED = Entry("{path} cannot be written ({error}): tried again", "See the disk.")

    # ------------------------------------------------------------------ blocks

    BLOCK_FOUND = Entry(
        "block {hash} at height {height} of {network}, worth {reward_sats} sats, {transactions} "
        "transactions, found at {found_at} by user '{user}' (account {account}, worker '{worker}') with job "
        "{job}, difficulty {hash_difficulty:,g} of {network_difficulty:,g}, answered {verdict_ms} ms later: "
        "{outcome}: node {verdicts}",
        "The nodes have said what they think of a block of ours: accepted (info), on a side branch "
        "(warning), refused (error). `verdict_ms` is from the share until the nodes' answers.",
        is_always=True,
    )
    BLOCK_UNDECIDED = Entry(
        "block {hash} at height {height} not decided yet, is sent again: node {verdicts}",
        "No node has said yes or no. It is sent until one does.",
        is_always=True,
    )
    BLOCK_RESUBMITTED = Entry(
        "block {hash} of an earlier run is submitted again",
        "The process before had no verdict of it.",
        is_always=True,
    )
    BLOCKS_POSTPONED = Entry(
        "without a verdict, kept for the next start: {blocks} blocks, {hashes}",
        "The pool has stopped before any node answered.",
        is_always=True,
    )
    BLOCK_UNSAVED = Entry(
        "block {hash} is not saved ({error}); its submission goes on",
        "The disk failed; a crash before a verdict would lose the block.",
        is_always=True,
    )
    BLOCK_VERDICT_UNSAVED = Entry(
        "block {hash}: its verdicts are not saved ({error})", "The disk failed.", is_always=True
    )
    BLOCK_UNASSEMBLED = Entry(
        "block {hash} cannot be assembled: job {job} header {header} coinbase {coinbase}",
        "A bug. What is needed to build the block by hand.",
        is_always=True,
    )
    BLOCK_SUBMISSION_FAILED = Entry(
        "block {hash}: its submission failed by a bug",
        "A bug: the process ends, and submits the block at its next start.",
        is_always=True,
    )
    BLOCK_JOB_MISSING = Entry(
        "block {hash} has no job to be recorded with",
        "The block's file alone tells the accountant of it.",
        is_always=True,
    )
    BLOCK_FILES_UNLISTED = Entry("blocks saved earlier cannot be listed: {error}", "See the disk.")
    BLOCK_FILE_UNREADABLE = Entry("{path} cannot be read: {error}", "A saved block is not submitted again.")
    BLOCK_FILE_NEWER = Entry("{reason}: left alone", "Only the newer version can submit this block.")
    BLOCK_FILE_OF_ANOTHER_NETWORK = Entry(
        "{path} is a block of {network}, this pool mines {own_network}: left alone",
        "The data directory is of a pool of another network.",
    )
    BLOCK_FILE_SET_ASIDE = Entry("{reason}; set aside as {path}", "The file is damaged.")
    BLOCK_FILE_KEPT = Entry("{reason}; it cannot be set aside either: {error}", "The file is damaged.")
    BLOCK_FILE_UNCOUNTED = Entry(
        "block file {file} cannot be accounted for: {error}", "The accountant does not understand it."
    )
    BLOCK_CHANGED = Entry(
        "block {hash} at height {height} is {state}, was {before}: {reason}",
        "What the chain says of a block of ours; a warning where it is lost.",
        is_always=True,
    )
    BLOCK_SETTLED = Entry(
        "block {hash} at height {height} is settled ({scheme})",
        "Its reward is divided among the accounts.",
        is_always=True,
    )
    BLOCK_LEFT_OPEN = Entry(
        "{reason}; its credits wait for `accounts settle`, see docs/operations.md, lost plan",
        "The plan that its coinbase paid by is lost.",
        is_always=True,
    )

    # ------------------------------------------------------------------ the spool

    ALARM_RAISED = Entry("ALARM {alarm}: {text}", "Something that a person must look at is so from now on.")
    ALARM_ENDED = Entry("alarm over: {alarm}", "It is so no more.", ("alarm",))
    SPOOL_WRITE_FAILED = Entry("cannot write to {path}: {error}", "A fresh segment is begun.")
    SPOOL_CLOSED_UNSYNCED = Entry(
        "the spool is closed without its last sync: {error}",
        "A power cut now may lose the last shares; nothing else does.",
    )
    SPOOL_DAMAGED = Entry(
        "{error}; it stays for the accountant to be told of, this gateway begins anew",
        "See docs/operations.md, lost spool.",
    )
    SPOOL_TAIL_CUT = Entry(
        "cut a torn tail of {torn_bytes} bytes off {path}", "What a power cut had left half written."
    )
    SEGMENT_HEAD_DAMAGED = Entry(
        "the head of {path} is damaged; it stays as it is, this gateway begins anew",
        "See docs/operations.md, lost spool.",
    )
    SEGMENT_UNCUT = Entry("cannot cut {path}: {error}", "The next segment begins where its frames end.")
    SEGMENT_UNCLOSED = Entry("cannot close {path}: {error}", "See the disk.")
    SEGMENT_UNREMOVED = Entry("cannot remove {path}: {error}", "See the disk.")

    # ------------------------------------------------------------------ accounts

    ACCOUNTS_OPENED = Entry("accounts in {database}", "The accountant works on this database.")
    ACCOUNTS_CLOSED = Entry("stopped: {frames} frames with {shares} shares applied", "It has ended well.")
    ACCOUNTS_UNOPENED = Entry(
        "the accounts cannot be opened yet: {error}", "The database is away, or another accountant has it."
    )
    ACCOUNTS_LOST = Entry("{error}", "The database has gone; the accountant is started again.")
    ACCOUNTS_REFUSED = Entry("{error}", "A person is needed before the accountant can work.", is_always=True)
    POLICY_AGREED = Entry(
        "blocks that are found from now on are divided as the settings say",
        "The settings of payouts changed.",
    )
    LEDGER_CONTRADICTED = Entry(
        "the ledger contradicts itself: {fault}", "Payouts are on hold: `engineroom accounts verify`."
    )
    DUTY_WAITING = Entry("{duty} waits: {error}", "It is tried again until it can be done.")
    DUTY_RESUMED = Entry("{duty} goes on", "What it waited for is there again.", ("duty",))
    SOURCE_STOPPED = Entry(
        "{trouble}; its later shares wait: mend the file, or `engineroom accounts accept-gap`",
        "A gateway's spool cannot be counted further; others are.",
    )
    RECORDS_UNEXPLAINED = Entry(
        "source {source}: {records} records up to frame {frame} named what was in frames that were given up; "
        "they do not count",
        "The price of an accepted gap.",
    )
    ARCHIVE_TROUBLED = Entry("{trouble}", "Shares that cannot be archived, or cannot be counted again.")
    DIGEST_WRITTEN = Entry("the digest of {day} is written", "A day's signed digest is done.")
    JOURNAL_REAPPLIED = Entry(
        "the database is older than the journal: {entries} entries were written into it again",
        "An old database was put back. Payouts are on hold until all is matched.",
    )
    RESERVE_USED_UP = Entry(
        "the reserve of {reserve_sats} sats is used up: new work is credited by window until it is filled "
        "again",
        "PPS buys no more work for now.",
    )
    RESERVE_FILLED = Entry("the reserve is there again: new work is bought", "PPS buys work again.")
    PLAN_CUT = Entry(
        "{accounts} accounts would be paid by a coinbase, and a plan has {most} at most: the smallest shares "
        "go to the operator's account, and are to be credited by `accounts correct`",
        "More miners than a plan can hold.",
    )
    ACCOUNT_UNPAYABLE = Entry(
        "account {account} cannot be paid by a coinbase: {error}", "It is no address of this network."
    )
    PAYEES_CHANGED = Entry(
        "{accounts} accounts are paid at another address from now on",
        "Changes of payees have come into effect.",
    )
    OPERATION_FAILED = Entry(
        "the operation {operation} has failed", "A bug met a command; the traceback says where."
    )

    # ------------------------------------------------------------------ payments

    PAYOUTS_HELD = Entry(
        "payouts are on hold ({hold}): {reason}", "Nothing is paid until that ends.", is_always=True
    )
    PAYOUTS_RELEASED = Entry("payouts go on ({hold}): {reason}", "A hold has ended.", is_always=True)
    PAYOUTS_MATCHED = Entry(
        "every payment is matched: payouts go on", "The hold after a restore has ended.", is_always=True
    )
    PAYOUTS_UNMATCHED = Entry(
        "payouts stay on hold, the wallet cannot be asked for its sends: {error}",
        "After a restore; tried again.",
    )
    ENTRY_UNMATCHED = Entry(
        "journal entry {entry} matches no payment: {body}",
        "After a restore: a person must look at it.",
        is_always=True,
    )
    SEND_UNMATCHED = Entry(
        "the wallet sent {txid}, which matches no payment: `engineroom payouts adopt {txid}`",
        "After a restore: a person must look at it.",
        is_always=True,
    )
    PAYMENTS_UNWATCHED = Entry(
        "{payments} under way and nobody watches: keep payout.wallet in the settings until all is confirmed",
        "The wallet was taken from the settings too early.",
        is_always=True,
    )
    PAYMENT_SKIPPED = Entry("nothing is paid: {reason}", "A payment was due, and nobody could be paid.")
    PAYMENT_PLANNED = Entry(
        "payment {payment} planned: {payees} payees, {sats} sats",
        "Who is paid what is written down.",
        is_always=True,
    )
    PAYMENT_SIGNED = Entry(
        "payment {payment} attempt {attempt} signed: {txid}, fee {fee_sats} sats",
        "The transaction is stored, and handed to the node next.",
        is_always=True,
    )
    PAYMENT_UNSIGNED = Entry(
        "payment {payment} is not signed: {reason}", "It waits for the wallet.", is_always=True
    )
    PAYMENT_SENT = Entry(
        "payment {payment} attempt {attempt} ({txid}) handed to the node: {answer}",
        "What the node said of it; a warning where it refused.",
        is_always=True,
    )
    PAYMENT_CONFIRMED = Entry(
        "payment {payment} is confirmed by {txid}", "It is in the chain, deep enough.", is_always=True
    )
    PAYMENT_WAITING = Entry(
        "payment {payment} waits: {hold}", "A hold keeps it from being sent.", is_always=True
    )
    PAYMENT_TROUBLED = Entry("payment {payment}: {reason}", "The wallet will not; it is tried again.")
    PAYMENT_OVERTAKEN = Entry(
        "{reason}; it is looked at again", "A command changed the payment meanwhile.", is_always=True
    )
    PAYMENT_UNBUMPED = Entry(
        "payment {payment} gets no higher fee: {reason}",
        "It is tried again at the next block.",
        is_always=True,
    )
    PAYMENT_REOPENED = Entry(
        "payment {payment} is under way again: {reason}", "A reorganisation took it back.", is_always=True
    )
    PAYMENT_SET_ASIDE = Entry(
        "payment {payment} is set aside: {reason}", "A person must decide what it was.", is_always=True
    )
    PAYMENT_ABANDONED = Entry(
        "payment {payment} is given up, its payees are owed again: {reason}",
        "It can no longer happen.",
        is_always=True,
    )
    PAYEE_LEFT_OUT = Entry(
        "{account} is left out of payments for a day: the node refuses {address}: {reason}",
        "One payee would make the payment impossible for all.",
        is_always=True,
    )
    CULPRIT_UNKNOWN = Entry(
        "who makes a payment impossible cannot be found out now: {error}", "It is tried again."
    )

    # ------------------------------------------------------------------ instruments

    METRICS_LISTENING = Entry("metrics on http://{host}:{port}/metrics", "Prometheus can scrape.")
    METRICS_REFUSED = Entry(
        "cannot listen for Prometheus on {host} port {port}: {error}; change metrics.port, or stop what uses "
        "it",
        "The accounts are kept all the same; it is tried again every ten seconds.",
    )
    SOCKET_REFUSED = Entry(
        "the instruments cannot listen at {path}: {error}",
        "`engineroom farm` finds nobody there; it is tried again.",
    )
    CHARTS_SKIPPED = Entry(
        "{error}; the charts go on behind it", "Frames are missing or damaged: the charts have a hole."
    )
    CHARTS_WAITING = Entry("the charts wait: {error}", "The spools cannot be read.")
    CHARTS_FORGOTTEN = Entry(
        "{error}; the charts' windows begin anew", "What the instruments remembered cannot be used."
    )
    INSTRUMENTS_FAILED = Entry(
        "the instruments have failed by a bug and begin anew in {pause_seconds:g} s, with empty windows",
        "The accounts go on. What they remembered is kept as instruments.failed: report it with this line.",
    )
    GATEWAY_GONE = Entry(
        "gateway {gateway} has written nothing for a day, while another works: it is not shown any more",
        "It was taken away. If it was not, it is back with its first frame.",
    )
    INSTRUMENTS_ENDED = Entry(
        "the {task} have ended by a bug, until the accountant is started anew",
        "The accounts go on. Report it with this line.",
    )
    CHARTS_NOT_KEPT = Entry(
        "what the charts' windows hold is not kept: {error}",
        "After a restart they go on from what was kept before.",
    )

    # ------------------------------------------------------------------ the farm

    INVENTORY_REFUSED = Entry(
        "{line}; machines are placed by their names alone", "The list of machines cannot be used."
    )
    INCIDENT_BEGUN = Entry(
        "{what}", "Machines are at fault, for a minute at least.", ("incident",), also=("incident",)
    )
    INCIDENT_ENDED = Entry(
        "{what}", "They are well again, paused or forgotten.", ("incident",), also=("incident",)
    )
    MACHINES_FORGOTTEN = Entry(
        "forgotten, as was said ({count}): {machines}",
        "Machines are gone for good: `engineroom farm forget`.",
    )
    PAUSES_REFUSED = Entry("{error}; nothing is paused", "The file of planned pauses cannot be used.")
    COIN_PRICE_UNKNOWN = Entry(
        "the coin's price is unknown: {problem}", "No revenue is reckoned until it is."
    )

    # ------------------------------------------------------------------ notifications

    TARGET_UNREACHABLE = Entry(
        "{target} cannot be told: {reason}; it is tried again", "Notifications wait for it.", ("target",)
    )
    TARGET_REFUSED = Entry(
        "{target} refuses {notices}: {reason}", "They are not sent again; look at its settings.", ("target",)
    )
    TARGET_BACK = Entry("{target} is told again", "After it could not be.", ("target",))
    TARGET_FULL = Entry(
        "too many notices wait for {target}: the oldest of the least important are dropped",
        "It could not be told for long.",
        ("target",),
    )
    TARGET_CAUGHT_UP = Entry(
        "{target} is told everything again; {notices} dropped meanwhile",
        "Its queue has room again.",
        ("target",),
    )
    NOTICES_FAILED = Entry(
        "{what} has failed by a bug and begins anew in {pause_seconds:g} s",
        "The accounts go on, and so do other notices. Report it with this line.",
        ("what",),
    )
    NOTICES_FLOODED = Entry(
        "too many notices at once: some are told to nobody", "More than the disk could take down."
    )
    NOTICES_UNWRITTEN = Entry(
        "notices cannot be written down: {error}", "They wait in memory; a restart would lose them."
    )
    NOTICES_UNNOTED = Entry(
        "notices wait, since what was sent cannot be written down: {error}",
        "Sending on would send it twice after a restart.",
    )
    NOTICES_TOO_OLD = Entry(
        "{notices} older than a day, and nobody is told", "They were found late: after a long stop, say."
    )
    NOTICES_EXPIRED = Entry(
        "{notices} older than a day and could not be sent; dropped", "Their target could not be told."
    )
    OUTBOX_SET_ASIDE = Entry(
        "{path} {why}: it is kept as {aside}, and what waited in it is not sent",
        "The queue of notifications cannot be read.",
    )
    OUTBOX_UNREADABLE = Entry(
        "{path} {why}, nor moved ({error}): the next notice takes its place, what waited in it is not sent",
        "The queue of notifications, or its folder, is out of order.",
    )

    # ------------------------------------------------------------------ the log itself

    LIBRARY_SPOKE = Entry("{text}", "A line of a library or of Python itself.")
    LINES_LEFT_OUT = Entry(
        "… and {lines:,} more like it since {since}: {like}",
        "Lines of one cause that were not written; `like` is the first of them. Logger and level are theirs.",
        also=("of",),
    )
