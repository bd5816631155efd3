"""A job: one template with one coinbase, as a notify line announces it; it belongs to no session.

Every session of a coinbase variant is sent the same job, so its line is encoded once. What differs between
sessions (extranonce1, difficulty, mask) is not here. The duplicate table is: it lives and dies with the
job, so that a share replayed on another connection, or after a resume, meets the same table.
"""

import msgspec

from stratum.work.byteorder import previous_hash_wire
from stratum.work.coin import ProofOfWork
from stratum.work.coinbase import Coinbase
from stratum.work.template import Template

# Core refuses a block more than 7,200 s ahead of its clock; 200 of them are left for clocks that disagree.
NTIME_AHEAD_SECONDS = 7000


class BlockTarget(msgspec.Struct, frozen=True):
    """A chain that a hash of this job may win, and its target.
    Merged mining will give a job more than one."""

    chain: str
    target: int


class Job:
    """Immutable but for `claimed`, the hashes credited as shares of it, and `offers`,
    a cache of the job book's."""

    __slots__ = (
        "_clean_line",
        "_keep_line",
        "bits_bytes",
        "block_targets",
        "branch",
        "claimed",
        "coinbase_prefix",
        "coinbase_suffix",
        "easiest_block_target",
        "header_start",
        "id",
        "latest_ntime_offset",
        "minimum_difficulty_blocks_by_time",
        "minimum_ntime",
        "network_difficulty",
        "ntime",
        "offers",
        "payee",
        "plan_generation",
        "plan_id",
        "plan_is_stripped",
        "previous_hash",
        "proof_of_work",
        "rolling_mask",
        "size_class",
        "template",
        "tip",
        "version",
    )

    def __init__(
        self,
        template: Template,
        coinbase: Coinbase,
        *,
        job_id: str,
        tip: int,
        ntime: int,
        received_at: float,
        rolling_mask: int,
        proof_of_work: ProofOfWork,
        chain: str,
        minimum_difficulty_blocks_by_time: bool = False,
        plan_id: str | None = None,
        plan_generation: int = 0,
        plan_is_stripped: bool = False,
        payee: bytes | None = None,
        size_class: int = 0,
    ) -> None:
        """`plan_id` is None where nobody keeps a plan: one script has the reward. `payee` is that of a solo
        job, `size_class` the bytes that the coinbase was allowed; they are kept for the records."""
        self.id = job_id
        self.template = template
        self.tip = tip
        self.ntime = ntime
        self.proof_of_work = proof_of_work
        self.rolling_mask = rolling_mask & ~template.required_version_bits
        # With its bits inside the mask cleared, OR, XOR and BIP 310's replace read the sixth parameter alike.
        self.version = template.version & ~self.rolling_mask
        self.coinbase_prefix = coinbase.prefix
        self.coinbase_suffix = coinbase.suffix
        self.branch = template.merkle_branch
        self.previous_hash = template.previous_hash
        self.header_start = self.version.to_bytes(4, "little") + template.previous_hash
        self.bits_bytes = template.bits.to_bytes(4, "little")
        self.block_targets = (BlockTarget(chain, template.network_target),)
        self.easiest_block_target = max(block.target for block in self.block_targets)
        self.network_difficulty = proof_of_work.difficulty_1 / template.network_target
        self.minimum_ntime = template.minimum_time
        # now + offset is the latest ntime: the node's time is its template's, plus the time since it came
        self.latest_ntime_offset = template.current_time - received_at + NTIME_AHEAD_SECONDS
        self.minimum_difficulty_blocks_by_time = minimum_difficulty_blocks_by_time
        self.plan_id = plan_id
        self.plan_generation = plan_generation
        self.plan_is_stripped = plan_is_stripped
        self.payee = payee
        self.size_class = size_class
        self.claimed: set[bytes] = set()
        # what sessions were promised in the newest announcement, by (difficulty, mask): see stratum.jobs
        self.offers: dict[tuple[float, int], object] = {}
        self._clean_line = b""
        self._keep_line = b""

    def line(self, *, is_clean: bool) -> bytes:
        """The notify line, encoded once and shared by all sessions; few jobs ever need both kinds."""
        if is_clean:
            if not self._clean_line:
                self._clean_line = self._line_head() + b"true]}\n"
            return self._clean_line
        if not self._keep_line:
            self._keep_line = self._line_head() + b"false]}\n"
        return self._keep_line

    def _line_head(self) -> bytes:
        branch = ",".join(f'"{sibling.hex()}"' for sibling in self.branch)
        fields = (
            f'"{self.id}"',
            f'"{previous_hash_wire(self.previous_hash)}"',
            f'"{self.coinbase_prefix.hex()}"',
            f'"{self.coinbase_suffix.hex()}"',
            f"[{branch}]",
            f'"{self.version:08x}"',
            f'"{self.template.bits:08x}"',
            f'"{self.ntime:08x}"',
        )
        params = ",".join(fields)
        return f'{{"id":null,"method":"mining.notify","params":[{params},'.encode("ascii")
