"""Limits on what a spec may be, so that no text, however made, costs more than a moment."""

from typing import Final

NESTING: Final = 64
"""Brackets within brackets, blocks within blocks, expressions within expressions."""
NAME_LENGTH: Final = 64
NUMBER_LENGTH: Final = 64
MAX_BYTES: Final = 256 * 1024
"""The text of a spec; `--max-bytes` raises it."""
MAX_NODES: Final = 20_000
"""Layers once blocks and loops are written out; `--max-nodes` raises it."""
USE_DEPTH: Final = 16
"""Files that use files that use files."""
USE_FILES: Final = 64
"""Files that one spec uses, all in all."""
