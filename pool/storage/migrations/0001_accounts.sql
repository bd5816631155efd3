-- The accounts: who did what work, what it earned, and what was paid. One text for both databases.
-- Work is two columns, work_high * 2^32 + work_low; each may be added and summed in SQL, Python joins them.
-- Times ending in _us are microseconds since 1970; slots are Unix seconds of their start.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL){strict};

CREATE TABLE lease (
    id {int} PRIMARY KEY CHECK (id = 1), holder TEXT NOT NULL, token {int} NOT NULL, taken_us {int} NOT NULL
){strict};

-- Payees by canonical address, and the pool's own sub-accounts, whose names begin with @.
CREATE TABLE account (id {id}, name TEXT NOT NULL UNIQUE, script {bytes}, first_seen_us {int} NOT NULL){strict};

CREATE TABLE worker (
    id {id},
    account_id {int} NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    agent TEXT NOT NULL,
    first_seen_us {int} NOT NULL,
    last_seen_us {int} NOT NULL,
    UNIQUE (account_id, name)
){strict};

-- One row per spool: `mark` is the last frame whose shares are in the slots. state: live, closed, stopped.
CREATE TABLE source (
    id {id},
    name TEXT NOT NULL,
    epoch TEXT NOT NULL,
    mark {int} NOT NULL,
    at_us {int} NOT NULL,
    state TEXT NOT NULL,
    trouble TEXT,
    UNIQUE (name, epoch)
){strict};

-- Frames that a person has given up: passed over wherever they are met again, after a restore as well.
CREATE TABLE accepted_gap (
    name TEXT NOT NULL,
    epoch TEXT NOT NULL,
    first_frame {int} NOT NULL,
    last_frame {int} NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (name, epoch, first_frame)
){without_rowid};

-- A PPS price: what work was worth when its job was made. Rate 0 is no price: PPLNS and its like.
CREATE TABLE rate (
    id {id},
    key TEXT NOT NULL UNIQUE,
    network_work_high {int} NOT NULL,
    network_work_low {int} NOT NULL,
    subsidy_sats {int} NOT NULL,
    fees_sats {int} NOT NULL,
    fee_basis_points {int} NOT NULL,
    created_us {int} NOT NULL
){strict};

-- What windows and rounds are summed from. `seconds` is 10, or 3600 where old slots were rolled up.
CREATE TABLE slot_account (
    slot {int} NOT NULL,
    seconds {int} NOT NULL,
    account_id {int} NOT NULL,
    rate_id {int} NOT NULL,
    shares {int} NOT NULL,
    work_high {int} NOT NULL,
    work_low {int} NOT NULL,
    PRIMARY KEY (slot, seconds, account_id, rate_id)
){without_rowid};

CREATE TABLE worker_minute (
    minute {int} NOT NULL,
    worker_id {int} NOT NULL,
    shares {int} NOT NULL,
    late {int} NOT NULL,
    work_high {int} NOT NULL,
    work_low {int} NOT NULL,
    PRIMARY KEY (minute, worker_id)
){without_rowid};

-- worker_id 0 stands for submissions without an authorised name.
CREATE TABLE refused_minute (
    minute {int} NOT NULL,
    worker_id {int} NOT NULL,
    reason TEXT NOT NULL,
    count {int} NOT NULL,
    work_high {int} NOT NULL,
    work_low {int} NOT NULL,
    PRIMARY KEY (minute, worker_id, reason)
){without_rowid};

CREATE TABLE worker_hour (
    hour {int} NOT NULL,
    worker_id {int} NOT NULL,
    shares {int} NOT NULL,
    late {int} NOT NULL,
    refused {int} NOT NULL,
    work_high {int} NOT NULL,
    work_low {int} NOT NULL,
    PRIMARY KEY (hour, worker_id)
){without_rowid};

CREATE TABLE account_day (
    day {int} NOT NULL,
    account_id {int} NOT NULL,
    shares {int} NOT NULL,
    work_high {int} NOT NULL,
    work_low {int} NOT NULL,
    PRIMARY KEY (day, account_id)
){without_rowid};

-- The last template seen at each height: what FPPS's mean of fees is taken from.
CREATE TABLE template_height (
    height {int} PRIMARY KEY,
    subsidy_sats {int} NOT NULL,
    fees_sats {int} NOT NULL,
    network_target TEXT NOT NULL,
    at_us {int} NOT NULL
){strict};

-- PPS: whether work is bought in frames behind these marks, by number of the journal entry that says so. `marks`
-- is a JSON object of "source/epoch" and a frame; what it does not name is as in the row before.
CREATE TABLE buying (number {int} PRIMARY KEY, is_buying {int} NOT NULL, marks TEXT NOT NULL){strict};

-- FPPS: mean fees in millionths of the subsidy, fixed for an hour.
CREATE TABLE fee_mean (hour {int} PRIMARY KEY, fee_millionths {int} NOT NULL){strict};

-- PPS: what an account has earned below one satoshi, in units of 2^-32 satoshi.
CREATE TABLE pps_fraction (account_id {int} PRIMARY KEY, units {int} NOT NULL){strict};

-- state: candidate, accepted, mature, orphaned, refused. `transition` is the number of its last change.
CREATE TABLE block (
    hash TEXT PRIMARY KEY,
    height {int} NOT NULL,
    previous_hash TEXT NOT NULL,
    source_id {int},
    frame {int},
    found_us {int} NOT NULL,
    slot {int} NOT NULL,
    account_id {int},
    worker TEXT NOT NULL,
    job_id TEXT NOT NULL,
    plan_id TEXT,
    payee {bytes},
    coinbase {bytes} NOT NULL,
    network_target TEXT NOT NULL,
    reward_sats {int} NOT NULL,
    state TEXT NOT NULL,
    transition {int} NOT NULL,
    confirmations {int} NOT NULL,
    seen_us {int} NOT NULL
){strict};
CREATE INDEX block_by_state ON block (state, slot);

CREATE TABLE block_transition (
    number {int} PRIMARY KEY,
    hash TEXT NOT NULL REFERENCES block (hash),
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    at_us {int} NOT NULL,
    reason TEXT NOT NULL
){strict};

-- What pool and miners had agreed on, and since when: JSON.
CREATE TABLE agreement (since_us {int} PRIMARY KEY, document TEXT NOT NULL){strict};

-- How a block's reward was divided; the signed statement is a file, named by its hash here.
-- `joined` is a JSON list of (after, through) slots of orphaned rounds that were divided along.
CREATE TABLE settlement (
    hash TEXT PRIMARY KEY REFERENCES block (hash),
    round {int} NOT NULL,
    scheme TEXT NOT NULL,
    from_slot {int} NOT NULL,
    through_slot {int} NOT NULL,
    joined TEXT NOT NULL,
    settled_us {int} NOT NULL,
    statement_hash TEXT NOT NULL
){strict};

-- Blocks that stand and that nobody can divide: their plan is lost or contradicted. A person settles them.
CREATE TABLE block_left_open (
    hash TEXT PRIMARY KEY REFERENCES block (hash), reason TEXT NOT NULL, since_us {int} NOT NULL
){strict};

-- Proportional: the slots of an orphaned round count once more, in the round that was open at that time.
CREATE TABLE orphan_work (
    hash TEXT NOT NULL,
    transition {int} NOT NULL,
    from_slot {int} NOT NULL,
    through_slot {int} NOT NULL,
    joins_round {int} NOT NULL,
    joined_us {int} NOT NULL,
    PRIMARY KEY (hash, transition, through_slot)
){without_rowid};

-- Append-only, double entry: the rows of one entry sum to zero. pot: immature, balance.
CREATE TABLE ledger (
    id {id},
    entry_key TEXT NOT NULL,
    account_id {int} NOT NULL REFERENCES account (id),
    pot TEXT NOT NULL,
    kind TEXT NOT NULL,
    sats {int} NOT NULL,
    block_hash TEXT,
    payment_id {int},
    reason TEXT,
    created_us {int} NOT NULL,
    UNIQUE (entry_key, account_id, pot, kind)
){strict};
CREATE INDEX ledger_by_block ON ledger (block_hash);
CREATE INDEX ledger_by_account ON ledger (account_id);
CREATE INDEX ledger_by_payment ON ledger (payment_id);

-- Sends of the wallet that no payment explains and a person has explained.
CREATE TABLE adopted_send (txid TEXT PRIMARY KEY, reason TEXT NOT NULL, adopted_us {int} NOT NULL){strict};

-- A cache of the ledger's sums, compared with it at start and by `accounts verify`.
CREATE TABLE balance (
    account_id {int} NOT NULL, pot TEXT NOT NULL, sats {int} NOT NULL, PRIMARY KEY (account_id, pot)
){without_rowid};

-- Where and from which amount on an account is paid, if not at its own address by the pool's minimum.
CREATE TABLE payee (
    account_id {int} PRIMARY KEY, address TEXT NOT NULL, minimum_sats {int}, changed_us {int} NOT NULL
){strict};
CREATE TABLE payee_change (
    id {id},
    account_id {int} NOT NULL REFERENCES account (id),
    address TEXT NOT NULL,
    minimum_sats {int},
    requested_us {int} NOT NULL,
    effective_us {int} NOT NULL,
    proof TEXT NOT NULL,
    state TEXT NOT NULL
){strict};

-- state: planned, signed, broadcast, confirmed, set_aside, abandoned.
CREATE TABLE payment (
    id {int} PRIMARY KEY,
    state TEXT NOT NULL,
    fee_payer TEXT NOT NULL,
    reason TEXT,
    replaced_by TEXT, -- a foreign transaction that a person has taken for it
    created_us {int} NOT NULL,
    changed_us {int} NOT NULL
){strict};
CREATE TABLE payment_item (
    payment_id {int} NOT NULL REFERENCES payment (id),
    account_id {int} NOT NULL REFERENCES account (id),
    position {int} NOT NULL,
    address TEXT NOT NULL,
    sats {int} NOT NULL,
    fee_sats {int} NOT NULL,
    PRIMARY KEY (payment_id, account_id)
){without_rowid};
CREATE TABLE attempt (
    payment_id {int} NOT NULL REFERENCES payment (id),
    number {int} NOT NULL,
    txid TEXT NOT NULL UNIQUE,
    raw {bytes} NOT NULL,
    inputs TEXT NOT NULL,
    fee_sats {int} NOT NULL,
    weight {int} NOT NULL,
    state TEXT NOT NULL,
    signed_us {int} NOT NULL,
    broadcast_height {int},
    PRIMARY KEY (payment_id, number)
){strict};

-- scope: all, an account's name, or payment:NUMBER.
CREATE TABLE hold (
    id {id},
    scope TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    placed_us {int} NOT NULL,
    released_us {int}
){strict};

CREATE TABLE plan (
    id TEXT PRIMARY KEY, generation {int} NOT NULL, created_us {int} NOT NULL, document {bytes} NOT NULL
){strict};

CREATE TABLE archive_segment (
    source_id {int} NOT NULL REFERENCES source (id),
    serial {int} NOT NULL,
    first_frame {int} NOT NULL,
    last_frame {int} NOT NULL,
    first_us {int} NOT NULL,
    last_us {int} NOT NULL,
    sha256 TEXT NOT NULL,
    path TEXT NOT NULL,
    deleted_us {int},
    PRIMARY KEY (source_id, serial)
){without_rowid};

CREATE TABLE digest (day TEXT PRIMARY KEY, hash TEXT NOT NULL, document {bytes} NOT NULL){strict};
