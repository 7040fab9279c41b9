"""What docs/benchmarks.md says of networks, from the figures of their record."""

from __future__ import annotations

from benchmarks.cells import Figures, Lines, middle, table


def lines(figures: Figures) -> Lines:
    """A row a network: milliseconds an image, and how many times as fast as PyTorch."""
    if figures.get("missing"):
        return [f"Not measured: this needs PyTorch ({figures['missing']})."]
    names = {
        "eager": "PyTorch",
        "exported": "exported",
        "int8": "exported, int8",
        "openvino": "exported, OpenVINO",
    }
    ways = [who for who in names if all(who in found["ms"] for found in figures["networks"].values())]
    rows = [
        [
            f"`{name}`",
            *(middle(found["ms"][who]) for who in ways),
            *(middle(found["times_eager"][who]) for who in ways[1:]),
            middle(found["times_bare"]),
        ]
        for name, found in figures["networks"].items()
    ]
    faster = [f"{names[who]}: times PyTorch's speed" for who in ways[1:]]
    return [
        f"Networks of timm with random weights, batches of {figures['batch']}, {figures['threads']} thread(s) for "
        "everybody, in turns. Goals: 4 times PyTorch's speed on the same cores, and at most 1.05 times the bare "
        "session's time for the embedder around it.",
        "",
        *table(["network", *(f"{names[who]} ms" for who in ways), *faster, "times the bare session's time"], rows),
    ]
