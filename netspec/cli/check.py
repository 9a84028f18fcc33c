"""``netspec check``"""

from __future__ import annotations

from netspec.cli.checking import check
from netspec.cli.options import Json, MaxBytes, MaxNodes, Net, Set, Spec, settings
from netspec.limits import MAX_BYTES, MAX_NODES

EXAMPLE = "Example: netspec check resnet50.net --set classes=5"


def command(
    spec: Spec, set_: Set = None, net: Net = None, json: Json = False, max_nodes: MaxNodes = MAX_NODES, max_bytes: MaxBytes = MAX_BYTES
) -> int:
    """Say whether a spec is right, and what it comes to: shapes, parameters, multiply-accumulates."""
    return check(spec, settings(set_), net, json, max_nodes, max_bytes)
