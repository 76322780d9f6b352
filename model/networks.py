"""All networks that a checkpoint may hold, by the configurations that build them.

A network of any kind has ``config.features`` (the front end's sizes), ``to_frames`` (waveforms to what it reads, always
in float32) and ``from_frames`` (the rest, which may run in mixed precision).
"""

from typing import Any, TypeAlias

from model.network import NetworkConfig, TranscriptionNetwork
from model.sequence import KINDS, SequenceConfig, SequenceNetwork

AnyNetworkConfig: TypeAlias = NetworkConfig | SequenceConfig
AnyNetwork: TypeAlias = TranscriptionNetwork | SequenceNetwork
CONVOLUTION = "convolution"  # the kind of `model.network`, which its configuration does not name
NETWORK_KINDS = (CONVOLUTION, *KINDS)


def build_network(config: AnyNetworkConfig) -> AnyNetwork:
    """The network that a configuration describes, its weights drawn at random."""
    return TranscriptionNetwork(config) if isinstance(config, NetworkConfig) else SequenceNetwork(config)


def network_config_from_dict(values: dict[str, Any]) -> AnyNetworkConfig:
    """The inverse of the configurations' ``to_dict``.

    Raises
    ------
    TypeError
        If a key is not a field.
    ValueError
        If a value is out of range.
    """
    return SequenceConfig.from_dict(values) if "kind" in values else NetworkConfig.from_dict(values)
