"""Throughput of a sweep: a grid on Dask's workers, one a core, against the same fits one after the other.

The baseline is one process that computes with as many threads as there are cores. Both fit 784-400-d to MNIST, three
epochs each, and measure what they have fitted. The sweep's time is from the command on: its workers start in it.

A fit with two threads takes less time than one with one. So much of the cores' work the baseline makes use of already:
a schedule of fits with one thread each gets no further than what is told as the most.
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
from training.datasets import Data, load
from training.experiments import EXPERIMENTS
from training.sweep import Sweep, sweep_of
from training.sweep_table import Point, read_table, table_path

ASKED = 1.8
EACH = 5  # so many models further stands the next that is fitted with one thread
EXPERIMENT = replace(EXPERIMENTS["mnist-2d"], name="benchmark", hidden_layers=(400,), epochs=3)
# Two AEs and ten VAEs for either seed.
GRID = replace(sweep_of("benchmark", EXPERIMENT), latent_dims=(2, 8), betas=(0.1, 0.5, 1.0, 2.0, 5.0), seeds=(0, 1))


def main(grid: Sweep = GRID) -> None:
    """Print models a minute of both, and their ratio."""
    data = load(grid.experiment.dataset, folders.data_dir())
    points, cores = grid.points(), usable_cores()
    with_all = [_seconds(grid, point, data, cores) for point in points]
    some = range(0, len(points), EACH)
    with_one = sum(_seconds(grid, points[each], data, 1) for each in some)
    most = cores * sum(with_all[each] for each in some) / with_one
    one_after_the_other = sum(with_all)
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
    print(f"the most that {cores} cores give: {most:.2f} times, by {len(some)} of these fits with one thread, alone")


def _seconds(grid: Sweep, point: Point, data: Data, threads: int) -> float:
    """Fit and measure a model in this process with so many threads."""
    torch.set_num_threads(threads)
    began = time.perf_counter()
    if isinstance(outcome := fit_and_measure(grid.experiment, point, data, {}, []), Failed):
        raise RuntimeError(outcome.reason)
    return time.perf_counter() - began
