"""The layers of the models."""

import pytest
import torch
from torch import nn

from training import models
from training.models import WIDE, _Linear


def gradients(layer: nn.Linear, images: torch.Tensor, wanted: torch.Tensor) -> list[torch.Tensor]:
    """What a layer gives, and the gradients of its weight, its bias, and what it is given."""
    images = images.clone().requires_grad_()
    given = layer(images)
    return [given, *torch.autograd.grad((given * wanted).sum(), [layer.weight, layer.bias, images])]


@pytest.mark.parametrize("features", [(WIDE, 2 * WIDE), (WIDE, 3)])
def test_a_layer_in_16_bits_is_that_in_32_to_their_precision(
    features: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "HAS_BFLOAT16", True)  # any processor has it, most are slow at it
    random = torch.Generator().manual_seed(0)
    images, wanted = (torch.randn(32, width, generator=random) for width in features)
    layer, plain = _Linear(*features), nn.Linear(*features)
    plain.load_state_dict(layer.state_dict())
    exact = gradients(plain, images, wanted)
    given, weight, bias, towards_images = gradients(layer, images, wanted)
    for single, half in zip(exact, [given, weight, bias, towards_images], strict=True):
        assert half.dtype == torch.float32
        error = (half - single).norm() / single.norm()
        is_exact = half is bias or min(features) < WIDE  # a sum, no product; narrow layers are of a latent space
        assert error == 0 if is_exact else 1e-4 < error < 0.01
    # What is fitted is measured, decoded and shown as ever, and where 64 bits are asked for there are 64.
    torch.testing.assert_close(layer.eval()(images), exact[0], rtol=0, atol=0)
    assert layer.train().double()(images.double()).dtype == torch.float64
