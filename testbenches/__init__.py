"""cocotb benches, one module per hardware block, mirroring `rtl_gen`."""

import json
import os
from typing import Any

__all__ = ["parameters"]


def parameters() -> dict[str, Any]:
    """Return what the test that started this bench passed to it."""
    return dict(json.loads(os.environ.get("NEUROMIX_BENCH", "{}")))
