"""Layers of networks that were fitted elsewhere: how a checkpoint names them, and which shapes they take and give."""

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Layer", "Shape", "chain", "read_layer", "shape_text"]

Shape = tuple[int, ...]  # (features,), or (channels, h, w)

KINDS = {"linear": 2, "convolution": 5, "transposed": 6}  # how many numbers follow the kind in a layer's text
MAX_NUMBER, MAX_SIDE, MAX_OUTPUTS = 1_000_000, 1024, 2**22  # what is beyond is a slip, or a forged checkpoint


class Layer(NamedTuple):
    """A linear layer, a convolution or a transposed convolution, as torch has them; kernels are square."""

    kind: str  # a key of `KINDS`
    inputs: int  # features or channels
    outputs: int
    kernel: int = 0  # of convolutions only, as all that follows
    stride: int = 1
    padding: int = 0
    output_padding: int = 0  # of transposed convolutions only

    @property
    def text(self) -> str:
        """The layer as a checkpoint names it: `linear 784 400`, `convolution 1 32 3 2 1`, `transposed 32 1 4 2 1 0`."""
        return " ".join(map(str, self[: 1 + KINDS[self.kind]]))

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """Return the shape that the layer takes, and that which it gives.

        Features are what channels become when they are flattened, and the other way round: channels are made of
        features where they fill squares.

        Args:
            shape: what comes to it.

        Raises:
            ValueError: it cannot take that.
        """
        n = math.prod(shape)
        if self.kind == "linear":
            if n != self.inputs:
                raise ValueError(f"takes {self.inputs} numbers, and gets {n}")
            return (self.inputs,), (self.outputs,)
        side = math.isqrt(n // self.inputs)
        square = (self.inputs, side, side)
        if (shape != square) if len(shape) > 1 else n != math.prod(square):
            raise ValueError(f"takes {self.inputs} channels, and gets {shape_text(shape)}")
        if self.kind == "convolution":
            after = (side + 2 * self.padding - self.kernel) // self.stride + 1
        else:
            after = (side - 1) * self.stride - 2 * self.padding + self.kernel + self.output_padding
        if not 1 <= after <= MAX_SIDE or self.outputs * after**2 > MAX_OUTPUTS:
            raise ValueError(f"makes {self.outputs} pictures of {after} x {after} of those of {side} x {side}")
        return square, (self.outputs, after, after)


def read_layer(text: object) -> Layer:
    """Read a layer from its text.

    Raises:
        ValueError: the text is none of a layer.
    """
    kind, *numbers = text.split(" ") if isinstance(text, str) else ("",)
    if len(numbers) != KINDS.get(kind) or not all(re.fullmatch(r"[0-9]{1,7}", number) for number in numbers):
        raise ValueError(f"{text!r:.60} is no layer")
    layer = Layer(kind, *map(int, numbers))
    least = (1, 1, *((1, 1, 0, 0) if kind != "linear" else (0, 1, 0, 0)))
    if any(number < minimum or number > MAX_NUMBER for number, minimum in zip(layer[1:], least, strict=True)):
        raise ValueError(f"{text!r} is no layer: a number of it is out of range")
    # As torch demands; what is filled up at an edge is less than a stride.
    if layer.output_padding and layer.output_padding >= layer.stride:
        raise ValueError(f"{text!r} is no layer: its output padding must be smaller than its stride")
    return layer


def chain(texts: Iterable[object], shape: Shape) -> list[Shape]:
    """Return the shapes through which layers lead, that which comes to the first included.

    Raises:
        ValueError: a text is none of a layer, or a layer cannot take what the one before gives.
    """
    shapes = [shape]
    for text in texts:
        try:
            shapes.append(read_layer(text).shapes(shapes[-1])[1])
        except ValueError as error:
            raise ValueError(f"{text!r:.60}: {error}") from error
    return shapes


def shape_text(shape: Shape) -> str:
    """Return a shape as `784` or `32x14x14`."""
    return "x".join(map(str, shape))
