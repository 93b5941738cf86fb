"""Files of other programs among the checkpoints: what each is, and how to bring the model that it holds.

None of them is opened but safetensors, whose header is plain JSON: the others may run code.
"""

import re
from pathlib import Path

from safetensors import SafetensorError, safe_open

__all__ = ["how_to_bring", "sentences"]

PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
KERAS = (".h5", ".hdf5", ".keras")
_OURS = re.compile(r"(autoencoder|vae|vae-beta-.+)\.safetensors")  # see `training.checkpoint.checkpoint_path`


def how_to_bring(path: Path, name: str) -> str:
    """Say what a file of another program is, and how to bring the model that it holds: one sentence, empty for others.

    Args:
        path: the file; it is there.
        name: of the experiment that the model shall be of.
    """
    command = f"python -m training import-weights {name} {{}} --encoder ... --decoder ..."
    saved = path.with_suffix(".safetensors").name
    if path.suffix.lower() in PICKLED:
        return (
            f"{path} is PyTorch's own file, or a pickle, and is not opened, for it may run code; where you trust it, "
            f'save its weights in Python: safetensors.torch.save_file(model.state_dict(), "{saved}"), '
            f"then: {command.format(saved)}"
        )
    if path.suffix.lower() in KERAS:
        return (
            f"{path} is Keras' own file, and is not opened; where you trust it, save each dense layer in Python, its "
            'kernel transposed: safetensors.numpy.save_file({"fc1.weight": kernel.T.copy(), "fc1.bias": bias, ...}, '
            f'"{saved}"), then: {command.format(saved)}'
        )
    if path.suffix.lower() == ".safetensors" and _is_bare(path):
        file, rename = path, ""
        if _OURS.fullmatch(path.name):
            file = path.with_stem(f"{path.stem}-weights")
            rename = f"rename it to {file.name}, and "
        return f"{path} holds weights and nothing else; {rename}bring them: {command.format(file)}"
    return ""


def _is_bare(path: Path) -> bool:
    """Return whether a safetensors file is one of weights that this program has not written."""
    try:
        with safe_open(path, framework="numpy") as file:
            return not {"settings", "progress"} & (file.metadata() or {}).keys()
    except (SafetensorError, OSError):  # damaged: opening it as what it is says so
        return False


def sentences(folder: Path) -> list[str]:
    """Say of each file of other programs in an experiment's folder how to bring it, in alphabetical order.

    Not of those that stand in a model's place: opening the model says it.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and not _OURS.fullmatch(path.name))
    except OSError:
        return []
    return [sentence for path in paths if (sentence := how_to_bring(path, folder.name))]
