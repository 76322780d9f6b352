"""What a comparison consists of: the cells of its table, what each gets, and the runs that follow from both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from model.features import FEATURES
from model.networks import CONVOLUTION
from model.sequence import KINDS
from training.augment import AugmentConfig
from training.config import FitConfig, LossConfig, read_network
from training.errors import ConfigError
from training.typed import strict

PLAIN = AugmentConfig(
    room=0, equaliser=0, low_pass=0, high_pass=0, noise=0, compress=0, clip=0, quantise=0, level_db=(-20.0, 0.0)
)


@dataclass(frozen=True)
class Cell:
    """One row of the table.

    Parameters
    ----------
    features, network, loss : str
        Kinds, as a configuration names them.
    hidden, layers : int
        Sizes; of the convolutional network they are its own and stand as 0.
    """

    features: str
    network: str
    loss: str
    hidden: int
    layers: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.features}-{self.network}-{self.loss}-{self.hidden}x{self.layers}"


@dataclass(frozen=True)
class Table:
    """What is compared.

    Parameters
    ----------
    features, networks, losses : tuple of str
        All are combined. The convolutional network reads the variable-Q transform alone and stands once per loss.
    hidden, layers : tuple of int
        The first of each is the size in the table. The others are tried with the first feature and loss in the
        network `sized`.
    sized : str
        The network whose sizes are varied.
    """

    features: tuple[str, ...] = tuple(FEATURES)
    networks: tuple[str, ...] = (*KINDS, CONVOLUTION)
    losses: tuple[str, ...] = ("bce", "mse", "focal")
    hidden: tuple[int, ...] = (128, 32, 64, 256)
    layers: tuple[int, ...] = (2, 1, 3)
    sized: str = "bilstm"

    def __post_init__(self) -> None:
        allowed = {
            "features": tuple(FEATURES),
            "networks": (*KINDS, CONVOLUTION),
            "losses": ("bce", "mse", "focal"),
        }
        for name, choices in allowed.items():
            unknown = [one for one in getattr(self, name) if one not in choices]
            if unknown or not getattr(self, name):
                raise ConfigError(f"{name}: allowed are {', '.join(choices)}, got {', '.join(unknown) or 'none'}")

    def cells(self) -> list[Cell]:
        """All cells, those that say most first: a table that is cut short by time is still one."""
        hidden, layers, loss, feature = self.hidden[0], self.layers[0], self.losses[0], self.features[0]
        by_feature = [self._cell(f, n, loss) for f, n in product(self.features, self.networks)]
        by_loss = [self._cell(feature, n, one) for one, n in product(self.losses, self.networks)]
        by_size = [
            *(Cell(feature, self.sized, loss, size, layers) for size in self.hidden),
            *(Cell(feature, self.sized, loss, hidden, count) for count in self.layers),
        ]
        rest = [self._cell(f, n, one) for one, f, n in product(self.losses, self.features, self.networks)]
        return list(dict.fromkeys([*by_feature, *by_loss, *by_size, *rest]))

    def _cell(self, feature: str, network: str, loss: str) -> Cell:
        if network == CONVOLUTION:
            return Cell("cqt", network, loss, 0, 0)
        return Cell(feature, network, loss, self.hidden[0], self.layers[0])


@dataclass(frozen=True)
class Budget:
    """What every cell gets.

    Parameters
    ----------
    steps : int
        Steps of the optimizer; 0 if seconds count.
    seconds : float
        Time of the steps, turned into steps by timing a few of them; 0 if steps count.
    looks : int
        Times that the validation set is heard: the points of a curve.
    score_seconds : float
        Notes are scored on so much of each validation recording; 0 leaves them out.
    """

    steps: int = 1000
    seconds: float = 0.0
    looks: int = 10
    score_seconds: float = 20.0


def base_config(
    train: Sequence[str], validation: str, *, batch_size: int, segment_seconds: float, seed: int
) -> FitConfig:
    """What all cells have in common: plain cuts of the training sets, in equal shares, in float32."""
    return FitConfig(
        sets=dict.fromkeys(train, 1.0),
        validation_sets=(validation,),
        augment=PLAIN,
        max_semitones=0,
        detune_semitones=0.0,
        mix_probability=0.0,
        batch_size=batch_size,
        segment_seconds=segment_seconds,
        precision="32-true",
        seed=seed,
    )


def cell_config(cell: Cell, base: FitConfig, steps: int, looks: int) -> FitConfig:
    """A cell's run: the base configuration with its network, its loss and its budget."""
    sizes = {"kind": cell.network, "features": {"kind": cell.features}, "hidden": cell.hidden, "layers": cell.layers}
    return replace(
        base,
        network=read_network({} if cell.network == CONVOLUTION else sizes),
        loss=strict(LossConfig, {"kind": cell.loss}),
        total_steps=steps,
        warmup_steps=max(1, steps // 10),
        decay_steps=max(1, steps // 3),
        validate_every=max(1, steps // looks),
        report_every=max(1, steps // looks),
        save_every=max(1, steps // 4),
    )
