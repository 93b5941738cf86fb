"""What there is of the AE and of the VAE of an experiment, side by side; one of the two may be lacking."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from training.checkpoint import CheckpointError

__all__ = ["Pair"]

T = TypeVar("T")


class Pair(Generic[T]):
    """Something of the AE and of the VAE; its iterator gives those that are there, the AE's first.

    Args:
        ae: the AE's; None: there is no AE.
        vae: the VAE's; None: there is no VAE.
        lacking: what is missing and how to bring it, one sentence; empty where both are there.
    """

    def __init__(self, ae: T | None, vae: T | None, lacking: str = "") -> None:
        self._by_name = {"autoencoder": ae, "vae": vae}
        self.lacking = lacking

    def __iter__(self) -> Iterator[T]:
        return iter([each for each in self._by_name.values() if each is not None])

    def find(self, model_name: str) -> T | None:
        """Return what is of `autoencoder` or `vae`; None where that model is lacking."""
        return self._by_name[model_name]

    @property
    def either(self) -> T:
        """The VAE's, or the AE's where there is no VAE: for what both have in common."""
        *_, last = self
        return last

    @property
    def ae(self) -> T:
        """The AE's.

        Raises:
            CheckpointError: there is no AE; the message says how to bring one.
        """
        return self._demand("autoencoder")

    @property
    def vae(self) -> T:
        """The VAE's.

        Raises:
            CheckpointError: there is no VAE; the message says how to bring one.
        """
        return self._demand("vae")

    def _demand(self, model_name: str) -> T:
        found = self._by_name[model_name]
        if found is None:
            raise CheckpointError(self.lacking)
        return found
