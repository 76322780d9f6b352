"""Which reading is likeliest: a small network over `model.notation.evidence`, learned from scores that were played.

A linear layer plus one hidden layer, its output comparable between the readings of one piece. Made by
``python -m benchmarks.notation learn``, which says how; its numbers stand in choice.json.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from model.notation.evidence import names

LARGEST_DEVIATION = 5.0  # standard deviations: what lies further out is as far


@dataclass(frozen=True)
class Choice:
    """The network.

    Parameters
    ----------
    mean, scale : ndarray, shape (numbers,)
        Of each number of the evidence, in the scores it was learned from.
    linear : ndarray, shape (numbers,)
    hidden : ndarray, shape (units, numbers)
    offset, output : ndarray, shape (units,)
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    linear: NDArray[np.float64]
    hidden: NDArray[np.float64]
    offset: NDArray[np.float64]
    output: NDArray[np.float64]

    def log_odds(self, evidence: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log probability of each reading but for a constant.

        Parameters
        ----------
        evidence : ndarray, shape (readings, numbers)

        Returns
        -------
        ndarray, shape (readings,)
        """
        x = np.clip((evidence - self.mean) / self.scale, -LARGEST_DEVIATION, LARGEST_DEVIATION)
        return np.asarray(x @ self.linear + np.tanh(x @ self.hidden.T + self.offset) @ self.output)


@lru_cache(maxsize=1)
def load_choice() -> Choice:
    """The network of this package."""
    kept = json.loads(files("model.notation").joinpath("choice.json").read_text(encoding="utf-8"))
    if kept["names"] != names():
        raise AssertionError("choice.json was learned from other numbers: run python -m benchmarks.notation learn")
    return Choice(**{field: np.array(kept[field]) for field in Choice.__dataclass_fields__})
