"""Throughput of a sweep: a grid on Dask's workers, one a core, against the same fits one after the other.

The baseline is one process that computes with as many threads as there are cores. Both fit 784-400-d to MNIST, three
epochs each, and measure what they have fitted. The sweep's time is from the command on: its workers start in it.
"""

import contextlib
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from training import folders
from training.cluster import Failed, fit_and_measure, fit_sweep
from training.cores import usable_cores
from training.datasets import load
from training.experiments import EXPERIMENTS
from training.sweep import Sweep, sweep_of
from training.sweep_table import read_table, table_path

ASKED = 1.8
EXPERIMENT = replace(EXPERIMENTS["mnist-2d"], name="benchmark", hidden_layers=(400,), epochs=3)
# Two AEs and ten VAEs for either seed.
GRID = replace(sweep_of("benchmark", EXPERIMENT), latent_dims=(2, 8), betas=(0.1, 0.5, 1.0, 2.0, 5.0), seeds=(0, 1))


def main(grid: Sweep = GRID) -> None:
    """Print models a minute of both, and their ratio."""
    data = load(grid.experiment.dataset, folders.data_dir())
    points, cores = grid.points(), usable_cores()
    torch.set_num_threads(cores)
    began = time.perf_counter()
    for point in points:
        if isinstance(outcome := fit_and_measure(grid.experiment, point, data, {}, []), Failed):
            raise RuntimeError(outcome.reason)
    one_after_the_other = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as silence:
        began = time.perf_counter()
        with contextlib.redirect_stderr(silence), contextlib.redirect_stdout(silence):
            failures = fit_sweep(grid, data, Path(folder))
        swept = time.perf_counter() - began
        if failures or len(read_table(table_path(Path(folder), grid.name)).rows) != len(points):
            raise RuntimeError(f"the sweep is not whole: {failures}")
    for how, seconds in ((f"one after the other, {cores} threads", one_after_the_other), ("swept", swept)):
        print(f"{len(points)} fits of 784-400-d, {how}: {seconds:.0f} s, {60 * len(points) / seconds:.1f} a minute")
    ratio = one_after_the_other / swept
    print(f"swept on {cores} cores: {ratio:.2f} times the throughput; asked are at least {ASKED}")
