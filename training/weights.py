"""Weights that were fitted elsewhere: a state dict of linear and convolutional layers becomes one of the models.

A state dict holds neither activations nor strides, nor which layer is whose: that is said beside it.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from training.checkpoint import Curve, Snapshots
from training.datasets import Data
from training.experiments import Experiment
from training.fit import export
from training.foreign import how_to_bring
from training.layers import Layer, Shape, shape_text
from training.models import Autoencoder, build

__all__ = ["ImportedWeights", "WeightsError", "read_weights", "write_weights"]

PIXELS = 784  # of an image, 28 x 28


class WeightsError(Exception):
    """Weights that cannot be imported; the message is one sentence for the user."""


class ImportedWeights(NamedTuple):
    """A network of one of the models, with its weights."""

    experiment: Experiment
    model_name: str
    network: Autoencoder


class _Named(NamedTuple):
    """A layer of the file: its name there, what it is, its tensors."""

    name: str
    layer: Layer
    weight: Tensor
    bias: Tensor


def read_weights(
    file: Path,
    *,
    name: str,
    encoder: str,
    decoder: str,
    mean: str | None = None,
    log_variance: str | None = None,
    activation: str = "relu",
    dataset: str = "mnist",
) -> ImportedWeights:
    """Read a network from a state dict in a safetensors file.

    The halves are named by layers or their prefixes, with commas between them: `fc1`, `encoder`, `encoder.0,encoder.2`.
    A prefix stands for all of its layers, ordered by name, numbers by value. A convolution's stride, padding and output
    padding follow its name, `conv1:2:1`, as in torch 1, 0 and 0 where they are left out.

    Args:
        file: the state dict; all of its tensors are layers of either half.
        name: of the experiment.
        encoder: its layers; of an AE the last one gives the code.
        decoder: its layers, the last of which gives the logits of the pixels.
        mean: the layer that gives the posterior mean; of a VAE.
        log_variance: the layer that gives log sigma^2; if it is that of the mean, the second half of its outputs.
        activation: after each layer but the last of either half.
        dataset: what the network was fitted to.

    Raises:
        WeightsError: the file or its layers cannot be used, in one sentence.
        ValueError: a setting that `Experiment` does not take.
    """
    if (mean is None) != (log_variance is None):
        raise WeightsError("a VAE has --mean and --log-variance, an AE neither; one of them was given")
    tensors = _read(file)
    heads = [each for each in (mean, log_variance) if each is not None]
    trunk = _half(tensors, file, "--encoder", encoder, but=heads)
    back = _half(tensors, file, "--decoder", decoder, but=heads)
    if mean is None or log_variance is None:
        *trunk, head = trunk
        latent_dim = head.layer.outputs
    else:
        head, latent_dim = _head(tensors, file, mean, log_variance)
    used = {each.name for each in (*trunk, *back)} | set(heads or [head.name])
    if left := sorted(_layer_names(tensors) - used):
        raise WeightsError(
            f"{file} has layers that neither half names: {', '.join(left):.100}; name them, or leave them out"
        )
    before = _follow(trunk, (PIXELS,), "an image of 28 x 28")
    if head.layer.kind != "linear":
        raise WeightsError(f"{head.name} gives the code, and must be a linear layer; it is a {head.layer.kind}")
    _follow([head], before, trunk[-1].name if trunk else "an image of 28 x 28")
    end = _follow(back, (latent_dim,), "the code")
    if np.prod(end) != PIXELS:
        raise WeightsError(
            f"the decoder ends in {back[-1].name} with {shape_text(end)}; it must end in {PIXELS}, or 1x28x28"
        )
    experiment = Experiment(
        name=name,
        title=f"{dataset}, {latent_dim} latent dimensions, imported",
        dataset=dataset,
        architecture="imported",
        latent_dim=latent_dim,
        hidden_layers=(),
        activation=activation,
        encoder_layers=tuple(each.layer.text for each in trunk),
        decoder_layers=tuple(each.layer.text for each in back),
    )
    model_name = "autoencoder" if mean is None else "vae"
    network = build(experiment, model_name)
    for half, layers in ((network.encoder, [*trunk, head]), (network.decoder, back)):
        modules = [module for module in half if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
        for module, each in zip(modules, layers, strict=True):
            module.load_state_dict({"weight": each.weight, "bias": each.bias})
    return ImportedWeights(experiment, model_name, network)


def write_weights(imported: ImportedWeights, data: Data, path: Path, device: torch.device) -> None:
    """Evaluate a network on test images, and write its checkpoint, without curves and film.

    Raises:
        FitError: a weight is too large for half precision.
        OSError: the file could not be written; what stood there is unharmed.
    """
    latent_dim = imported.experiment.latent_dim
    export(
        path,
        imported.experiment,
        imported.network.to(device),
        data,
        device=device,
        seconds=0.0,
        history={split: _no_curve(imported.model_name) for split in ("training", "validation")},
        snapshots=Snapshots(
            np.zeros(0, np.int64), np.zeros((0, 0, latent_dim), np.float16), labels=np.zeros(0, np.uint8)
        ),
    )


def _read(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise WeightsError(f"{file} is not there; give the safetensors file with the state dict")
    if file.suffix.lower() != ".safetensors" and (sentence := how_to_bring(file, "NAME")):
        raise WeightsError(sentence)
    try:
        with safe_open(file, framework="pt") as opened:
            if "settings" in (opened.metadata() or {}):
                raise WeightsError(
                    f"{file} is a file of this program, no state dict; copy it to its experiment's folder"
                )
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{file} is no safetensors file, or is cut short ({error})") from error
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            kind = f"{tensor.dtype}".removeprefix("torch.")
            raise WeightsError(f"{name} in {file} holds {kind}, expected floating-point numbers, as linear layers have")
        if not tensor.half().isfinite().all():
            raise WeightsError(
                f"{name} in {file} has values that are not finite in half precision, as a checkpoint has it"
            )
    return {name: tensor.float() for name, tensor in tensors.items()}


def _layer_names(tensors: dict[str, Tensor]) -> set[str]:
    return {name.rpartition(".")[0] for name in tensors}


def _ordered(names: set[str]) -> list[str]:
    """Order names so that `encoder.10` comes after `encoder.2`: a file has no order of its own."""
    return sorted(names, key=lambda name: [(not part.isdigit(), part.zfill(9)) for part in re.split(r"(\d+)", name)])


def _half(tensors: dict[str, Tensor], file: Path, option: str, named: str, *, but: Sequence[str]) -> list[_Named]:
    """Find the layers that an option names, in its order; a prefix does not stand for the layers `but`."""
    transposed, found = option == "--decoder", []
    names = _layer_names(tensors)
    for part in named.split(","):
        name, *numbers = part.strip().split(":")
        if len(numbers) > 3 or not all(re.fullmatch(r"\d{1,4}", number) for number in numbers):
            raise WeightsError(
                f"{option} has {part!r}; expected NAME, or a convolution's NAME:STRIDE:PADDING:OUTPUT_PADDING"
            )
        inside = [name] if name in names else _ordered({e for e in names if e.startswith(f"{name}.")} - set(but))
        if not inside:
            raise _unknown(file, option, name, names)
        found += [_layer(tensors, file, each, transposed, [int(number) for number in numbers]) for each in inside]
    return found


def _head(tensors: dict[str, Tensor], file: Path, mean: str, log_variance: str) -> tuple[_Named, int]:
    """Make one layer of those of mean and log-variance; return it, and the size of the latent space."""
    names = _layer_names(tensors)
    for option, name in (("--mean", mean), ("--log-variance", log_variance)):
        if name not in names:
            raise _unknown(file, option, name, names)
    one, other = (_layer(tensors, file, name, False, []) for name in (mean, log_variance))
    if mean == log_variance:
        if one.layer.outputs % 2:
            raise WeightsError(
                f"{mean} gives {one.layer.outputs} numbers, which are no mean and log-variance of one size"
            )
        return one, one.layer.outputs // 2
    if one.layer != other.layer:
        raise WeightsError(
            f"{mean} and {log_variance} must have the same shape; they are {one.layer.text} and {other.layer.text}"
        )
    layer = one.layer._replace(outputs=2 * one.layer.outputs)
    both = (torch.cat(each) for each in ((one.weight, other.weight), (one.bias, other.bias)))
    return _Named(f"{mean}, {log_variance}", layer, *both), one.layer.outputs


def _unknown(file: Path, option: str, name: str, names: set[str]) -> WeightsError:
    return WeightsError(
        f"{option} names {name!r}, and {file} has no such layer; it has {', '.join(_ordered(names)):.300}"
    )


def _layer(tensors: dict[str, Tensor], file: Path, name: str, transposed: bool, numbers: list[int]) -> _Named:
    own = {key.rpartition(".")[2]: tensor for key, tensor in tensors.items() if key.rpartition(".")[0] == name}
    weight = own.get("weight")
    if weight is None or weight.ndim not in (2, 4) or not own.keys() <= {"weight", "bias"}:
        shapes = ", ".join(f"{key} {shape_text(tuple(tensor.shape))}" for key, tensor in sorted(own.items()))
        raise WeightsError(
            f"{name} in {file} is no linear or convolutional layer ({shapes}); others cannot be imported"
        )
    outputs, inputs, *sides = weight.shape
    if not sides:
        if numbers:
            raise WeightsError(f"{name} is a linear layer; a stride and a padding are for convolutions")
        layer = Layer("linear", inputs, outputs)
    else:
        if transposed:
            outputs, inputs = inputs, outputs
        stride, padding, output_padding = [*numbers, *(1, 0, 0)[len(numbers) :]]
        if sides[0] != sides[1] or stride < 1 or (output_padding and (not transposed or output_padding >= stride)):
            raise WeightsError(
                f"{name} has a kernel of {shape_text(tuple(sides))}, stride {stride} and output padding "
                f"{output_padding}; expected a square one, a stride of at least 1, and an output padding below it, "
                "in a decoder only"
            )
        layer = Layer(
            "transposed" if transposed else "convolution", inputs, outputs, sides[0], stride, padding, output_padding
        )
    bias = own.get("bias", torch.zeros(outputs))
    if bias.shape != (outputs,):
        raise WeightsError(f"{name}.bias has {shape_text(tuple(bias.shape))} numbers, expected {outputs}")
    return _Named(name, layer, weight, bias)


def _follow(layers: Sequence[_Named], shape: Shape, origin: str) -> Shape:
    """Return the shape that layers make of one that comes from `origin`."""
    for each in layers:
        try:
            shape = each.layer.shapes(shape)[1]
        except ValueError as error:
            raise WeightsError(
                f"{each.name} {error} from {origin}; check the layers' order, strides and paddings"
            ) from error
        origin = each.name
    return shape


def _no_curve(model_name: str) -> Curve:
    none = np.zeros(0)
    return Curve(none, none, none, none, none if model_name == "vae" else None)
