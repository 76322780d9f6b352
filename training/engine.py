"""Where a run computes: Lightning Fabric sets up devices, processes and precision, so that the loop need not know."""

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor, nn

from model.networks import AnyNetwork
from model.transcriber import choose_device
from training.config import Precision
from training.errors import FitError
from training.parts import Part

T = TypeVar("T")


class KeepInput(MixedPrecision):
    """Mixed precision that leaves the input in float32, as serving does; each operation casts what it takes itself."""

    def convert_input(self, data: T) -> T:
        return data


@dataclass(frozen=True)
class Engine:
    """The machines of a run; results do not depend on them but for rounding and the batch normalisation's parts.

    Parameters
    ----------
    device : str
        auto, cpu or cuda.
    devices : int
        GPUs of this machine, or processes on a CPU.
    nodes : int
        Machines. Each is started with ``torchrun``, or by SLURM, with the same command.
    workers : int
        Processes per device that prepare samples.
    """

    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    workers: int = 1

    @property
    def total(self) -> int:
        """Devices of all machines together."""
        return self.devices * self.nodes

    def launch(self, precision: Precision) -> Fabric:
        """Start the other processes, if there are to be any, and join them.

        Raises
        ------
        FitError
            If the devices do not exist, or do not compute in this precision.
        """
        accelerator = choose_device(self.device).type
        if precision == "16-mixed" and accelerator == "cpu":
            raise FitError("precision 16-mixed needs a GPU; on a CPU take bf16-mixed or 32-true")
        if accelerator == "cuda" and self.devices > torch.cuda.device_count():
            raise FitError(f"{self.devices} GPUs were asked for, this machine has {torch.cuda.device_count()}")
        plugins: list[Any] = [] if precision == "32-true" else [KeepInput(precision, accelerator)]
        fabric = Fabric(accelerator=accelerator, devices=self.devices, num_nodes=self.nodes, plugins=plugins)
        fabric.launch()
        return fabric


class AfterFrontEnd(nn.Module):
    """What runs in mixed precision: frames to what the loss takes. Only the trained part is ever in training mode."""

    def __init__(self, network: AnyNetwork, part: Part) -> None:
        super().__init__()
        self.network = network
        self.part = part

    def forward(self, frames: Tensor) -> Any:
        return self.part.hear(self.network, frames)

    def train(self, mode: bool = True) -> "AfterFrontEnd":
        self.training = mode
        self.network.eval()
        self.part.trained(self.network).train(mode)
        return self
