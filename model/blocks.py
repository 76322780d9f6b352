"""What the networks' convolutional parts are made of."""

from torch import nn


def block(
    inputs: int, outputs: int, size: tuple[int, int], *, stride: tuple[int, int] | int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution over (frames, frequency) that keeps the number of frames if its stride does, batch norm, ReLU.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    size : tuple of int
        Frames and columns that it sees, both odd.
    stride : int or tuple of int
        Of the columns, or of both.
    groups : int
    """
    padding = (size[0] // 2, size[1] // 2)
    steps = (1, stride) if isinstance(stride, int) else stride
    convolution = nn.Conv2d(inputs, outputs, size, stride=steps, padding=padding, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
