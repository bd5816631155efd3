"""The protocol's test vectors (vectors.json): every hash was computed twice, by other code than ours."""

import json
from pathlib import Path
from typing import Any

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors.json").read_text())
JOBS: dict[str, dict[str, Any]] = {job["name"]: job for job in VECTORS["jobs"]}
