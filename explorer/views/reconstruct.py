"""Reconstruct: images, and what both models make of them."""

import math
from enum import StrEnum
from html import escape
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer import catalog, images, originals
from explorer.choices import Choice, renamed_input
from explorer.classes import Classes
from explorer.components.card import picture
from explorer.fragments import fragment
from explorer.models import ModelPair
from explorer.stage import Stage
from explorer.text import nats, number

__all__ = ["IMAGES", "ImageSet", "render"]

Array = NDArray[Any]

SHOWN_AT_ONCE = 10


class ImageSet(StrEnum):
    """Which images are shown."""

    TRAINING = "training images"
    VALIDATION = "validation images"
    TEST = "test images"
    WORST = "worst test images"
    MEDIAN = "median test images"


IMAGE_SET_WORDS = {str(each): str(each) for each in ImageSet} | {
    str(ImageSet.WORST): "hardest test images",
    str(ImageSet.MEDIAN): "typical test images",
}
SPLITS = {str(ImageSet.TRAINING): "train", str(ImageSet.VALIDATION): "validation", str(ImageSet.TEST): "test"}
RANKINGS = {"VAE ELBO": "vae", "AE reconstruction": "autoencoder"}
IMAGES, RANK = Choice("images", str(ImageSet.TEST)), Choice("rank", next(iter(RANKINGS)))
PAGE = Choice("page", 0)  # which images of a split are shown: a seed
ERROR = "orange: lost, blue: added"
# With what stands below the pictures, or what they mean.
ROWS = {"original": "", "AE": "log p(x|f(x))", "AE error": ERROR, "VAE": "log p(x|z)", "VAE error": ERROR}
WHAT_NATS_ARE = (
    "Below each reconstruction stands what compares: log p(x|f(x)) of the AE, log p(x|z) of the VAE. The VAE's is a "
    "mean over five posterior samples. Both stand in nats and in bits. Bits: the length of a message that would tell "
    "the black-and-white image to one who has its code. The ELBO is the VAE's alone: it also pays for the code. The AE "
    "has no prior to pay by."
)
OF_GREY_IMAGES = " Pictures show the grey image."


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the page: rows of originals, the AE's and the VAE's reconstructions."""
    with stage.page():
        _draw(pair)


def _draw(pair: ModelPair) -> None:
    bottlenecks = "the bottleneck" if pair.lacking else "both bottlenecks"
    st.markdown(
        f"**The same images through {bottlenecks}.** Compare training with test images: a model that only remembered "
        "would do much worse on the test images. Look at the hardest ones: what makes them hard?"
    )
    with catalog.show_errors():
        if not originals.has_data(pair):
            told = originals.missing(pair, "The images that these models were fitted to are not on this computer.")
            if pair.classes.are_digits:
                told += " Shown are scikit-learn's small digits, enlarged, which the models have never seen."
            st.info(told)
        if originals.has_split(pair, "test"):
            _images(pair)


@fragment()
def _images(pair: ModelPair) -> None:
    with catalog.show_errors():
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = renamed_input(
                "Images",
                IMAGES,
                IMAGE_SET_WORDS,
                help="*hardest*: those that rank lowest. *typical*: those in the middle of the ranking.",
            )
            if chosen in (ImageSet.WORST, ImageSet.MEDIAN):
                rankings = [each for each, model_name in RANKINGS.items() if pair.find(model_name)]
                if RANK.value not in rankings:  # of another experiment
                    RANK.set(rankings[0])
                ranking = st.segmented_control("Ranked by", rankings, default=RANK.default, required=True, **RANK.bound)
                order = _ranked(pair, RANKINGS[str(ranking)])
                first = 0 if chosen == ImageSet.WORST else len(order) // 2 - SHOWN_AT_ONCE // 2
                split, shown = "test", order[first : first + SHOWN_AT_ONCE]
            else:
                split = SPLITS[chosen]
                st.button("Others", key="others", on_click=_next_page)
                size = len(originals.split(pair, split))
                if not size:
                    st.info(
                        f"The {chosen} are not on this computer: "
                        f"{originals.how_to_add(pair.experiment.dataset)} brings them."
                    )
                    return
                # Another seed for each page: drawn at random, and the same for everyone who opens the link.
                shown = np.random.default_rng(max(PAGE.value, 0)).permutation(size)[:SHOWN_AT_ONCE]
        reconstructions = _reconstructions(pair, split, tuple(shown.tolist()))
        st.html(_table(pair.classes, reconstructions, shown.tolist(), split))
        st.caption(WHAT_NATS_ARE + ("" if pair.experiment.binarised else OF_GREY_IMAGES))


class Reconstruction(NamedTuple):
    """An image and both models' reconstructions of it."""

    label: int
    # By row, of `ROWS`: the image, each model's decode of its code and what that misses; data URIs.
    pictures: dict[str, str]
    # By model, in nats: the AE's log p(x|f(x)), the VAE's log p(x|z) averaged over q(z|x).
    reconstructions: dict[str, float]
    kl: float | None  # of the VAE, in nats; None without one


def _reconstructions(pair: ModelPair, split: str, images_shown: tuple[int, ...]) -> list[Reconstruction]:
    """Reconstruct some images of a split with both models."""
    from training.datasets import Split

    part = originals.split(pair, split)
    chosen = list(images_shown)
    grey = part.images[chosen]
    decodes = {model.short: model.reconstruct(grey.float() / 255) for model in pair}
    # Test likelihoods are cached for ranking; other splits are computed for the shown images only.
    terms = {}
    for model in pair:
        if split == "test":
            reconstruction, kl = originals.test_terms(model, pair)
            terms[model.short] = reconstruction[chosen], None if kl is None else kl[chosen]
        else:
            terms[model.short] = model.elbo_terms(Split(grey, part.labels[chosen]))
    _, kl = terms.get("VAE", (None, None))
    return [
        Reconstruction(
            label=int(part.labels[image]),
            pictures=_pictures(grey[row].numpy() / 255, {short: each[row] for short, each in decodes.items()}),
            reconstructions={short: float(each[row]) for short, (each, _) in terms.items()},
            kl=None if kl is None else float(kl[row]),
        )
        for row, image in enumerate(chosen)
    ]


def _pictures(original: Array, decodes: dict[str, Array]) -> dict[str, str]:
    shown = {"original": original}
    for short, decode in decodes.items():
        shown |= {short: decode, f"{short} error": images.difference(original, decode)}
    return {row: images.data_uri(each) for row, each in shown.items()}


def _ranked(pair: ModelPair, by: str) -> Array:
    """Rank the test images from the worst to the best, by VAE ELBO (`vae`) or AE reconstruction (`autoencoder`)."""
    reconstruction, kl = originals.test_terms(pair.vae if by == "vae" else pair.ae, pair)
    return np.argsort(reconstruction if kl is None else reconstruction - kl, kind="stable")


def _table(classes: Classes, reconstructions: list[Reconstruction], numbers: list[int], split: str) -> str:
    head = "".join(
        f'<th title="{escape(classes.names[each.label])}">{escape(classes.short_names[each.label])}'
        f"<small>image {image}</small></th>"
        for each, image in zip(reconstructions, numbers, strict=True)
    )
    rows = []
    for label in reconstructions[0].pictures:
        cells = []
        for each, image in zip(reconstructions, numbers, strict=True):
            name = f"{label.lower().replace(' ', '-')}-{image}"
            shown = picture(each.pictures[label], f"{label}, {split} image {image}", name=name)
            value = _in_nats_and_bits(each.reconstructions[label]) if label in each.reconstructions else ""
            cells.append(f"<td>{shown}{value}</td>")
        rows.append(f"<tr><th>{label}<small>{ROWS[label]}</small></th>{''.join(cells)}</tr>")
    bounds = [_bound(each.reconstructions["VAE"], each.kl) for each in reconstructions if each.kl is not None]
    if bounds:
        cells = [f"<td>{bound}</td>" for bound in bounds]
        rows.append(f'<tr class="apart"><th>VAE: ELBO<small>log p(x|z) − KL</small></th>{"".join(cells)}</tr>')
    return f'<table class="images"><tr><td></td>{head}</tr>{"".join(rows)}</table>'


def _bound(reconstruction: float, kl: float) -> str:
    terms = f"{number(reconstruction, '.1f')} − {number(kl, '.1f')}"
    return f"<b>{nats(reconstruction - kl, '.1f')}</b><small>{terms}</small>"


def _in_nats_and_bits(value: float) -> str:
    return f"<b>{nats(value, '.1f')}</b><small>{number(-value / math.log(2), '.0f')} bits</small>"


def _next_page() -> None:
    PAGE.keep(PAGE.value + 1)
