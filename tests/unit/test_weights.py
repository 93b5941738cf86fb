"""Weights from elsewhere: what torch makes of them is what the experiment makes of them; what cannot be is told."""

import pickle
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.conftest import rewrite, run_command
from training.__main__ import app
from training.checkpoint import Checkpoint, CheckpointError, checkpoint_path
from training.datasets import Data
from training.foreign import how_to_bring
from training.live import unfinished_path
from training.models import VariationalAutoencoder
from training.weights import WeightsError, read_weights

Tensors = dict[str, Tensor]
VAE = {"encoder": "fc1", "mean": "fc21", "log_variance": "fc22", "decoder": "fc3,fc4"}
VAE_OPTIONS = ["--encoder", "fc1", "--mean", "fc21", "--log-variance", "fc22", "--decoder", "fc3,fc4"]
AE_OPTIONS = ["--encoder", "encoder", "--decoder", "decoder"]


class ExampleVae(nn.Module):
    """The VAE of pytorch/examples, with few latent dimensions.

    Reference:
        https://github.com/pytorch/examples/blob/main/vae/main.py
    """

    def __init__(self, latent_dim: int = 2) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 40)
        self.fc21 = nn.Linear(40, latent_dim)
        self.fc22 = nn.Linear(40, latent_dim)
        self.fc3 = nn.Linear(latent_dim, 40)
        self.fc4 = nn.Linear(40, 784)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.fc4(torch.relu(self.fc3(z))))


def sequential_ae(activation: Callable[[], nn.Module] = nn.ReLU) -> nn.ModuleDict:
    """An AE of more than ten modules a half: `encoder.10` comes after `encoder.2`."""
    widths = [784, 40, 30, 20, 15, 10, 2]
    halves = {}
    for name, sizes in (("encoder", widths), ("decoder", widths[::-1])):
        modules: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            modules += [nn.Linear(fan_in, fan_out), activation()]
        halves[name] = nn.Sequential(*modules[:-1])
    return nn.ModuleDict(halves)


def conv_vae() -> nn.ModuleDict:
    """Convolutions with and without padding, a bias that is left out, mean and log-variance of one layer."""
    return nn.ModuleDict(
        {
            "down": nn.Sequential(
                nn.Conv2d(1, 4, 3, 2, 1), nn.Tanh(), nn.Conv2d(4, 6, 4, bias=False), nn.Tanh(), nn.Flatten()
            ),
            "both": nn.Linear(6 * 11 * 11, 6),
            "up": nn.Sequential(
                nn.Linear(3, 5 * 7 * 7),
                nn.Tanh(),
                nn.Unflatten(1, (5, 7, 7)),
                nn.ConvTranspose2d(5, 4, 3, 2, 1, 1),
                nn.Tanh(),
                nn.ConvTranspose2d(4, 1, 4, 2, 1),
            ),
        }
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_file(ExampleVae().state_dict(), tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def test_an_example_is_what_torch_makes_of_it(tmp_path: Path, digits: Data) -> None:
    example = ExampleVae(5)
    save_file(example.state_dict(), tmp_path / "mine.safetensors")
    imported = read_weights(tmp_path / "mine.safetensors", name="mine", **VAE)
    network, images = imported.network, digits.test.images[:9].float() / 255
    assert (imported.model_name, imported.experiment.latent_dim) == ("vae", 5)
    assert isinstance(network, VariationalAutoencoder)
    for found, expected in zip(network.encode_posterior(images), example.encode(images.flatten(1)), strict=True):
        torch.testing.assert_close(found, expected)
    z = torch.randn(9, 5)
    torch.testing.assert_close(network.decode(z).sigmoid().flatten(1), example.decode(z))


@pytest.mark.parametrize(
    ("name", "activation"), [("relu", nn.ReLU), ("leaky-relu", nn.LeakyReLU), ("elu", nn.ELU), ("silu", nn.SiLU)]
)
def test_an_autoencoder_by_its_prefixes(
    name: str, activation: Callable[[], nn.Module], tmp_path: Path, digits: Data
) -> None:
    example = sequential_ae(activation)
    save_file(example.state_dict(), tmp_path / "mine.safetensors")
    imported = read_weights(
        tmp_path / "mine.safetensors", name="mine", encoder="encoder", decoder="decoder", activation=name
    )
    images = digits.test.images[:9].float() / 255
    code = imported.network.encode(images)
    torch.testing.assert_close(code, example["encoder"](images.flatten(1)))
    torch.testing.assert_close(imported.network.decode(code).flatten(1), example["decoder"](code))
    assert imported.experiment.network == "784-40-30-20-15-10-2-10-15-20-30-40-784"


def test_convolutions_with_their_strides(tmp_path: Path, digits: Data) -> None:
    example = conv_vae()
    save_file(example.state_dict(), tmp_path / "mine.safetensors")
    imported = read_weights(
        tmp_path / "mine.safetensors",
        name="mine",
        encoder="down.0:2:1,down.2",
        mean="both",
        log_variance="both",
        decoder="up.0,up.3:2:1:1,up.5:2:1",
        activation="tanh",
    )
    network, images = imported.network, digits.test.images[:9].float() / 255
    assert isinstance(network, VariationalAutoencoder)
    both = example["both"](example["down"](images[:, None]))
    for found, expected in zip(network.encode_posterior(images), both.chunk(2, dim=1), strict=True):
        torch.testing.assert_close(found, expected)
    z = torch.randn(9, 3)
    torch.testing.assert_close(network.decode(z), example["up"](z)[:, 0])


def test_the_file_holds_what_was_imported_and_no_fit(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    done = run_command(
        app, "import-weights", "mine", file, *VAE_OPTIONS, "--dataset", "digits", "--checkpoints", folder
    )
    assert done.exit_code == 0, done.output
    assert "mine has no AE; bring one of the same layers" in done.stdout
    checkpoint = Checkpoint(checkpoint_path(folder / "mine", "vae"))
    assert f"elbo {checkpoint.test['elbo']:.2f}" in done.stdout
    assert checkpoint.codes().code.shape == (300, 2)
    assert [len(curve.update) for curve in checkpoint.history().values()] == [0, 0]
    assert len(checkpoint.snapshots().update) == 0
    with safe_open(file, framework="pt") as opened:
        expected = torch.cat([opened.get_tensor("fc21.weight"), opened.get_tensor("fc22.weight")])
    # Half precision.
    torch.testing.assert_close(checkpoint.load_network().encoder[2].weight, expected, rtol=1e-3, atol=1e-3)
    again = run_command(app, "evaluate", "mine", "--checkpoints", folder)
    assert f"elbo {checkpoint.test['elbo']:.2f}" in again.stdout


def test_the_second_model_joins_if_it_belongs_to_the_first(file: Path, tmp_path: Path) -> None:
    folder, rest = tmp_path / "checkpoints", ["--dataset", "digits", "--checkpoints"]
    assert run_command(app, "import-weights", "mine", file, *VAE_OPTIONS, *rest, folder).exit_code == 0
    for hidden, sentence in ((30, "the new model would not belong to it"), (40, "")):
        example = nn.ModuleDict(
            {
                "encoder": nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 2)),
                "decoder": nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, 784)),
            }
        )
        save_file(example.state_dict(), tmp_path / "ae.safetensors")
        done = run_command(app, "import-weights", "mine", tmp_path / "ae.safetensors", *AE_OPTIONS, *rest, folder)
        assert (done.exit_code == 0) is not bool(sentence)
        assert sentence in done.stderr
    done = run_command(app, "import-weights", "mine", file, *VAE_OPTIONS, *rest, folder)
    assert "is there already; take another name, or delete it" in done.stderr
    listed = run_command(app, "list", "--checkpoints", folder).stdout
    assert listed.split("mine: made here")[1].count("reconstruction") == 2


def _set(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[Tensors], None]:
    return lambda tensors: tensors.update({name: change(tensors[name]).contiguous()})


def _infinite(tensor: Tensor) -> Tensor:
    tensor[0] = float("inf")
    return tensor


DEFECTS: dict[str, tuple[Callable[[Tensors], None], dict[str, Any], str]] = {
    "unknown layer": (lambda t: None, {"encoder": "fc9"}, "--encoder names 'fc9', .* it has fc1, fc3, fc4, fc21, fc22"),
    "unknown head": (lambda t: None, {"mean": "fc2"}, "--mean names 'fc2'"),
    "wrong order": (lambda t: None, {"decoder": "fc4,fc3"}, "fc4 takes 40 numbers, and gets 2 from the code"),
    "other images": (_set("fc1.weight", lambda w: w[:, :100]), {}, "fc1 takes 100 numbers, and gets 784 from an image"),
    "other end": (_set("fc4.weight", lambda w: w[:9]), {}, "fc4.bias has 784 numbers, expected 9"),
    "short end": (
        lambda t: t.update({"fc4.weight": t["fc4.weight"][:9].clone(), "fc4.bias": t["fc4.bias"][:9].clone()}),
        {},
        "the decoder ends in fc4 with 9; it must end in 784",
    ),
    "whole numbers": (_set("fc1.bias", lambda b: b.long()), {}, "fc1.bias .* holds int64, expected floating-point"),
    "too large": (_set("fc3.bias", lambda b: b + 1e5), {}, "fc3.bias .* not finite in half precision"),
    "not finite": (_set("fc3.bias", _infinite), {}, "fc3.bias .* not finite"),
    "half a VAE": (lambda t: None, {"log_variance": None}, "a VAE has --mean and --log-variance, an AE neither"),
    "heads that differ": (
        _set("fc22.weight", lambda w: w.repeat(2, 1)),
        {},
        "fc22.bias has 2 numbers, expected 4",
    ),
    "batch norm": (
        lambda t: t.update({"bn.running_mean": torch.zeros(3)}),
        {"encoder": "fc1,bn"},
        "bn .* is no linear",
    ),
    "layer left over": (lambda t: t.update({"fc5.weight": torch.zeros(3, 3)}), {}, "neither half names: fc5"),
    "stride of a line": (lambda t: None, {"encoder": "fc1:2"}, "fc1 is a linear layer"),
    "stride of words": (lambda t: None, {"encoder": "fc1:two"}, "expected NAME, or a convolution's"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_defect_is_a_sentence(defect: str, file: Path) -> None:
    change, options, sentence = DEFECTS[defect]
    with safe_open(file, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    read_weights(file, name="mine", **VAE)
    change(tensors)
    save_file(tensors, file)
    with pytest.raises(WeightsError, match=sentence) as told:
        read_weights(file, name="mine", **(VAE | options))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["mnist-2d"], "mnist-2d is an experiment that comes along"),
        (["../mine"], "it must be letters, digits"),
        (["mine", "--activation", "step"], "activation is 'step'; it must be one of"),
        (["mine", "--dataset", "none"], "none"),
    ],
)
def test_names_and_settings_are_checked(arguments: list[str], sentence: str, file: Path, tmp_path: Path) -> None:
    name, *options = arguments
    done = run_command(
        app,
        "import-weights",
        name,
        file,
        *VAE_OPTIONS,
        *options,
        "--checkpoints",
        tmp_path / "c",
        "--data-dir",
        tmp_path,
    )
    assert done.exit_code == 1
    assert sentence in done.stderr
    assert not (tmp_path / "c").exists()


IMPORTED: dict[str, tuple[dict[str, Any], str]] = {
    "no layer": ({"decoder_layers": ["dense 2 784"]}, "'dense 2 784' is no layer"),
    "no text": ({"decoder_layers": [784]}, "784 is no layer"),
    "monstrous layer": ({"encoder_layers": ["linear 784 9999999"]}, "out of range"),
    "broken chain": ({"decoder_layers": ["linear 2 40", "linear 50 784"]}, "takes 50 numbers, and gets 40"),
    "short end": ({"decoder_layers": ["linear 2 40"]}, "the decoder ends in 40; it must end in 784"),
    "other channels": ({"encoder_layers": ["convolution 3 8 3 1 0"]}, "takes 3 channels, and gets 784"),
    "too large a kernel": ({"encoder_layers": ["convolution 1 8 30 1 0"]}, "makes 8 pictures of -1 x -1"),
    "too much memory": (
        {"encoder_layers": ["convolution 1 9000 1 1 0"]},
        "makes 9000 pictures of 28 x 28",
    ),
    "endless": ({"encoder_layers": ["linear 784 784"] * 65}, "there are 67 layers"),
}


@pytest.mark.parametrize("defect", IMPORTED)
def test_forged_layers_are_told(defect: str, file: Path, tmp_path: Path) -> None:
    change, sentence = IMPORTED[defect]
    folder, options = tmp_path / "checkpoints", [*VAE_OPTIONS, "--dataset", "digits"]
    assert run_command(app, "import-weights", "mine", file, *options, "--checkpoints", folder).exit_code == 0
    path = checkpoint_path(folder / "mine", "vae")
    Checkpoint(path)
    rewrite(path, lambda arrays, settings: settings["experiment"].update(change))
    with pytest.raises(CheckpointError, match="settings that cannot be read") as told:
        Checkpoint(path)
    assert sentence in str(told.value)


def test_weights_are_not_mixed_with_an_unfinished_run(file: Path, tmp_path: Path) -> None:
    unfinished = unfinished_path(checkpoint_path(tmp_path / "mine", "autoencoder"))
    unfinished.parent.mkdir()
    unfinished.touch()
    done = run_command(app, "import-weights", "mine", file, *VAE_OPTIONS, "--checkpoints", tmp_path)
    assert done.exit_code == 1
    assert f"{unfinished} is of an unfinished run" in done.stderr


class Payload:
    """Unpickling this writes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


def test_files_of_other_programs_are_named_and_never_executed(file: Path, tmp_path: Path) -> None:
    mark, mine = tmp_path / "executed", tmp_path / "checkpoints" / "mine"
    mine.mkdir(parents=True)
    (mine / "vae.pt").write_bytes(pickle.dumps(Payload(mark)))
    pickle.loads((mine / "vae.pt").read_bytes())
    assert mark.exists()
    mark.unlink()
    (mine / "model.h5").touch()
    file.rename(mine / "bare.safetensors")
    listed = run_command(app, "list", "--checkpoints", mine.parent).stdout
    assert "vae.pt is PyTorch's own file" in listed
    assert 'save_file(model.state_dict(), "vae.safetensors")' in listed
    assert "model.h5 is Keras' own file" in listed
    assert "bare.safetensors holds weights and nothing else" in listed
    done = run_command(app, "import-weights", "mine", mine / "vae.pt", *VAE_OPTIONS, "--checkpoints", mine.parent)
    assert "is not opened, for it may run code" in done.stderr
    assert not mark.exists()


def test_files_of_this_program_are_none_of_others(fitted: Path) -> None:
    for path in fitted.rglob("*"):
        assert not how_to_bring(path, "mine")
