"""Run by the Python that has matplotlib, with a file of arrays, a file to write and a title. Owns the picture's looks."""

from __future__ import annotations

import sys

import matplotlib as mpl
import numpy as np

mpl.use("agg")
import matplotlib.pyplot as plt  # the drawing back end is chosen first

_FLOOR = 1e-12


def main(data: str, out: str, title: str) -> None:
    """Draw KL by position and a histogram of the largest difference of a log-prob, a line for each graph."""
    figure, (by_position, histogram) = plt.subplots(1, 2, figsize=(12, 4.5), constrained_layout=True)
    with np.load(data, allow_pickle=False) as arrays:
        for name in dict.fromkeys(each.rpartition("/")[0] for each in arrays.files):
            by_position.semilogy(np.maximum(arrays[f"{name}/kl"], _FLOOR), label=name, linewidth=0.8)
            differences = np.log10(np.maximum(arrays[f"{name}/difference"], _FLOOR))
            histogram.hist(differences, bins=40, histtype="step", label=name)
    by_position.set(title="KL from the checkpoint", xlabel="position", ylabel="bits")
    histogram.set(title="largest difference of a log-prob at a position", xlabel="log10 of nats", ylabel="positions")
    by_position.legend()
    figure.suptitle(title)
    # Nothing of the machine goes into the file.
    figure.savefig(out, format="png", dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
