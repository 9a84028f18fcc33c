"""``netspec check``"""

from __future__ import annotations

from netspec.cli.checking import check
from netspec.cli.options import BYTES, NODES, Json, MaxBytes, MaxNodes, Net, Set, Spec, settings

EXAMPLE = "Example: netspec check resnet50.net --set classes=5"


def command(
    spec: Spec, set_: Set = None, net: Net = None, json: Json = False, max_nodes: MaxNodes = NODES, max_bytes: MaxBytes = BYTES
) -> int:
    """Say whether a spec is right, and what it comes to: shapes, parameters, multiply-accumulates."""
    return check(spec, settings(set_), net, json, max_nodes, max_bytes)
