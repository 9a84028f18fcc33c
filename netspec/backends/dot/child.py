"""The process that lays out: DOT text comes in, a picture goes out. It knows nothing of netspec and is run as a file.

``child.py FORMAT DPI BYTES SECONDS``: limits of its own memory and of its processor time, where the system has them.
Exit code 3 says that there is no Graphviz.
"""

import sys
from math import ceil
from typing import Any

NO_GRAPHVIZ = 3
POINTS = 72


def _limit(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; the parent's clock holds there alone
        return
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        try:
            resource.setrlimit(kind, (most, most))
        except (OSError, ValueError):  # a lower limit is in force already, or the system has none of this kind
            continue


def _opaque_pad(graph: Any, dpi: int) -> str:
    """Space around a picture, in inches, that makes it a quarter of a pixel larger than a whole number of pixels.

    Only whole pixels are drawn, so that white covers the last of them: where it covered a part, the picture would be transparent at its
    edge, and one PNG in a few would have a fourth channel. The quarter is more than the error of the sizes that Graphviz tells.
    """
    graph.layout(prog="dot")
    left, bottom, right, top = map(float, graph.graph_attr["bb"].split(","))
    pad = float(graph.graph_attr["pad"] or 0)
    inches = [(length, ceil((length + 2 * pad) * dpi) + 0.25) for length in ((right - left) / POINTS, (top - bottom) / POINTS)]
    return ",".join(f"{(pixels / dpi - length) / 2:.9f}" for length, pixels in inches)


def main() -> int:
    """Lay out standard input, write to standard output."""
    form, dpi, memory, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    try:
        import pygraphviz
    except ImportError as error:
        print(error, file=sys.stderr)
        return NO_GRAPHVIZ
    _limit(memory, seconds)
    text = sys.stdin.buffer.read().decode()
    with pygraphviz.AGraph(string=text) as graph:
        if form == "png":
            graph.graph_attr["dpi"] = dpi
            graph.graph_attr["pad"] = _opaque_pad(pygraphviz.AGraph(string=text), int(dpi))
        sys.stdout.buffer.write(graph.draw(format=form, prog="dot"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
