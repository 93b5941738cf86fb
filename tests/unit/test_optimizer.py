"""The optimizer, against its formula."""

import subprocess
import sys

import numpy as np
import torch

from training.optimizer import LightAdamW

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def test_it_takes_the_steps_of_adamw() -> None:
    rate, decay = 0.1, 0.2
    random = np.random.default_rng(0)
    start, gradients = random.normal(size=5), random.normal(size=(4, 5))
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = LightAdamW([parameter], lr=rate, weight_decay=decay, fused=True)
    for gradient in gradients:
        optimizer.zero_grad()
        (parameter * torch.tensor(gradient)).sum().backward()
        optimizer.step()
    # Algorithm 2 of Loshchilov and Hutter.
    expected, m, v = start.copy(), np.zeros(5), np.zeros(5)
    for t, gradient in enumerate(gradients, start=1):
        m, v = BETA_1 * m + (1 - BETA_1) * gradient, BETA_2 * v + (1 - BETA_2) * gradient**2
        unbiased_m, unbiased_v = m / (1 - BETA_1**t), v / (1 - BETA_2**t)
        expected -= rate * (unbiased_m / (np.sqrt(unbiased_v) + EPSILON) + decay * expected)
    np.testing.assert_allclose(parameter.detach().numpy(), expected)


def test_it_loads_no_compiler() -> None:
    script = """
import sys, torch
from training.optimizer import LightAdamW
optimizer = LightAdamW([parameter := torch.nn.Parameter(torch.ones(2))])
optimizer.zero_grad()
parameter.sum().backward()
optimizer.step()
optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "False"
