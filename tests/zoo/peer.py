"""torchvision beside a CPU build of torch.

torchvision's wheels are built against one build of torch; beside another its own operators do not load, and importing it fails. Its models
and transforms use none of them: so their schemas are declared first, and the operators themselves stay absent.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from torch.library import Library

_found = importlib.util.find_spec("torchvision")
assert _found is not None and _found.origin is not None, "make test installs torchvision"
_text = Path(_found.origin).with_name("_meta_registrations.py").read_text()
_library = Library("torchvision", "FRAGMENT")
for _name in sorted(set(re.findall(r'register_fake\("torchvision::(\w+)"', _text)) | set(re.findall(r'register_meta\("(\w+)"\)', _text))):
    _library.define(f"{_name}(Tensor x) -> Tensor")

from torchvision import models, ops, transforms  # noqa: E402

__all__ = ["models", "ops", "transforms"]
