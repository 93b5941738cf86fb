"""The optimizer of every fit."""

import inspect
from typing import Any

import torch
from torch.optim import AdamW, Optimizer

__all__ = ["LightAdamW"]

# Each loads torch's whole compiler at its first call, only to be left out of what is compiled.
for _method in (Optimizer.add_param_group, Optimizer.zero_grad, Optimizer.state_dict, Optimizer.load_state_dict):
    _eager = inspect.unwrap(_method)
    _eager.__dict__.setdefault("__dynamo_disable", _eager)  # where `torch._disable_dynamo` looks before it loads it


class LightAdamW(AdamW):
    """`AdamW` without torch's compiler, whose import takes 2 of the 5 seconds until a fit has begun.

    Where torch arranges this otherwise one day, the compiler is loaded again, and nothing else changes. Loshchilov and
    Hutter, Decoupled weight decay regularization, 2019.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take a step; see `AdamW.step`."""
        return inspect.unwrap(AdamW.step)(self, closure)
