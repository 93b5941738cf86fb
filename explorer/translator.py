"""The translator: what a loss that somebody reports says beside the models of the open experiment."""

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer import catalog, figures, losses, originals, selection
from explorer.cache import cached
from explorer.choices import Choice, renamed_input
from explorer.components import latent_map
from explorer.evaluation import POSTERIORS, SEED
from explorer.losses import Error, Finding, Kl, Landmark, Loss, Reduction, Scale
from explorer.models import ModelPair
from explorer.stage import FACE
from explorer.text import escape_markdown, number
from training.array_file import CheckpointError
from training.sweep import STUDY

__all__ = ["reset", "translator"]

Array = NDArray[Any]

IS_OPEN = Choice("translate", False)
VALUE, ERROR = Choice("loss", 0.2634), Choice("loss_of", str(Error.BINARY))
REDUCTION, KL = Choice("loss_per", str(Reduction.PIXEL)), Choice("loss_kl", str(Kl.SUM))
PIXELS, LATENT_DIM, SIGMA = Choice("loss_pixels", 784), Choice("loss_latent_dim", 2), Choice("loss_sigma", 1.0)
IMAGES = Choice("loss_images", 1)

ERRORS: dict[str, str] = {
    Error.BINARY: "cross-entropy, binarised",
    Error.GREY: "cross-entropy, grey",
    Error.SQUARED: "squared error",
}
REDUCTIONS: dict[str, str] = {
    Reduction.PIXEL: "per pixel (mean)",
    Reduction.IMAGE: "per image (sum)",
    Reduction.BITS: "bits per image",
    Reduction.BITS_PER_DIMENSION: "bits per dimension",
}
KLS: dict[str, str] = {
    Kl.NONE: "no KL",
    Kl.SUM: "summed",
    Kl.MEAN: "mean over latent dimensions",
    Kl.ALIKE: "as the error: the ELBO",
}
MAX_VALUE, MAX_PIXELS, MAX_LATENT_DIM, MAX_IMAGES = 1e12, 10_000_000, 100_000, 10_000_000
BATCH = 1000  # images at a time; bounds the memory


def reset(pair: ModelPair) -> None:
    """Take the size of another experiment's images."""
    PIXELS.set(pair.experiment.image_size**2)
    LATENT_DIM.set(pair.latent_dim)


def translator(pair: ModelPair) -> None:
    """Draw the translator, folded until it is wanted: the answer, the scale, what is said of the number."""
    folded = st.expander(
        f"**“My loss is {VALUE.default}. Is that good?”** Type yours, and see what it says.",
        icon=":material/translate:",
        **IS_OPEN.bound,
    )
    if not folded.open:
        return
    with folded:
        answer = st.container(gap="xsmall")
        loss = _loss_inputs(pair)
        scale, notes = _scale(pair, loss)
        with answer:
            _answer(pair, loss, scale)
        latent_map.chart(
            figures.loss_scale(scale.landmarks, loss.nats, has_kl=loss.kl != Kl.NONE),
            key="loss_scale",
        )
        st.caption(" ".join([_how_measured(pair, loss), *notes]))


def _loss_inputs(pair: ModelPair) -> Loss:
    """Draw the widgets that say what a number is; return it, in the sign of a loss."""
    experiment = pair.experiment
    with st.container(horizontal=True, vertical_alignment="bottom"):
        value = st.number_input(
            "Your number",
            -MAX_VALUE,
            MAX_VALUE,
            VALUE.default,
            step=0.01,
            format="%.6g",
            width=140,
            help="A negative number is taken for a log-likelihood: a loss is its opposite.",
            **VALUE.bound,
        )
        error = Error(renamed_input("It is a", ERROR, ERRORS))
        is_squared = error == Error.SQUARED  # it has no bits
        words = dict(list(REDUCTIONS.items())[:2]) if is_squared else REDUCTIONS
        reduction = Reduction(renamed_input("Counted" if is_squared else "Counted in nats, or bits", REDUCTION, words))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kl = Kl(renamed_input("KL added to it", KL, KLS))
        pixels = st.number_input(
            "Pixels of an image",
            1,
            MAX_PIXELS,
            experiment.image_size**2,
            width=150,
            help="Width times height; of colours, three times as many.",
            **PIXELS.bound,
        )
        images = st.number_input(
            "Images summed over",
            1,
            MAX_IMAGES,
            IMAGES.default,
            width=190,
            help="1: the number is a mean over images, as most programs print it. Of a sum over a batch, its size.",
            **IMAGES.bound,
        )
        latent_dim, sigma = pair.latent_dim, SIGMA.default
        if kl == Kl.MEAN:
            latent_dim = int(
                st.number_input("Latent dimensions", 1, MAX_LATENT_DIM, pair.latent_dim, width=150, **LATENT_DIM.bound)
            )
        if is_squared:
            sigma = st.number_input(
                "Sigma",
                0.001,
                1000.0,
                SIGMA.default,
                step=0.1,
                format="%.4g",
                width=130,
                help="Of the Gaussian around each pixel, in [0, 1]. The sum of squares plus the KL has sigma 0.7071.",
                **SIGMA.bound,
            )
    return Loss(
        value=abs(value),
        error=error,
        reduction=reduction,
        kl=kl,
        pixels=int(pixels),
        latent_dim=latent_dim,
        sigma=float(sigma),
        images=int(images),
    )


def _answer(pair: ModelPair, loss: Loss, scale: Scale) -> None:
    """Say what the number is in nats per image, what is typical of it, and what it cannot be compared with."""
    text, view = st.columns([14, 1], vertical_alignment="center")
    bits = (
        ""
        if loss.error == Error.SQUARED
        else f", {number(-loss.nats / (loss.pixels * np.log(2)), ',.4g')} bits per dimension"
    )
    text.markdown(
        f"#### {number(loss.nats, ',.1f')} nats per image{bits}\n\n{losses.said(loss, scale)}  \n"
        + " ".join(losses.caveats(loss))
    )
    if shows := _view(pair, losses.find(loss, scale)):
        view.button("Show", key="show_loss", on_click=selection.show, args=shows)


def _view(pair: ModelPair, finding: Finding) -> tuple[str, dict[Choice[Any], Any]] | None:
    """Return the tool in which what is typical of a number is seen, and what to set there."""
    if finding == Finding.COLLAPSED:
        collapsed = [
            beta
            for beta in catalog.betas(pair.folder.name)
            if catalog.load(pair.folder.name, beta).vae.checkpoint.test["kl"] < losses.COLLAPSED_KL
        ]
        return ("Beta", {selection.BETA: collapsed[0], FACE: "codes"}) if collapsed else ("Traverse", {})
    if finding in (Finding.UNTRAINED, Finding.WORSE_THAN_MEAN_IMAGE):
        return "Training curves", {}
    if finding in (Finding.AMONG_MODELS, Finding.BEST):
        return "Reconstruct", {}
    return None


def _scale(pair: ModelPair, loss: Loss) -> tuple[Scale, list[str]]:
    """Return the landmarks of a loss in the experiment; and what is to be said of them, and why others lack."""
    experiment = pair.experiment
    own_pixels = experiment.image_size**2
    half = -loss.pixels * float(np.log(2)) if loss.error != Error.SQUARED else None
    if loss.pixels != own_pixels:
        return Scale(half, None, None), [
            f"The images here have {own_pixels:,} pixels. Nats per image grow with the image, so nothing here compares."
        ]
    if loss.error != Error.BINARY and experiment.binarised:
        return Scale(half, None, None), ["The images here are black and white: what grey ones reach is not known."]
    if loss.error == Error.BINARY:
        return _binary_scale(pair, loss)
    if not originals.has_data(pair):
        return Scale(half, None, None), [originals.missing(pair, "All other marks need the images, which are missing.")]
    return _grey_scale(pair, loss), []


def _binary_scale(pair: ModelPair, loss: Loss) -> tuple[Scale, list[str]]:
    """Return the landmarks in the experiment's own likelihood."""
    ae, vae = pair.ae.checkpoint.test, pair.vae.checkpoint.test
    models = [
        Landmark("the AE's log p(x|z)", ae["reconstruction"], False, "autoencoder"),
        Landmark("the VAE's log p(x|z)", vae["reconstruction"], False, "vae"),
        Landmark("the VAE's ELBO", vae["elbo"], True, "vae"),
    ]
    notes = []
    try:
        measured = catalog.load_evaluation(pair).values["vae"]
    except CheckpointError as error:
        notes.append(f"log p(x) is left out: {escape_markdown(str(error))}.")
    else:
        if "evidence" in measured:
            first = min(POSTERIORS, len(pair.labels))
            models.append(Landmark(f"the VAE's log p(x), {first} images", measured["evidence"], True, "vae"))
            notes.append(
                f"log p(x) is that of the first {first} test images; their ELBO is {number(measured['evidence_elbo'])}."
            )
        else:
            notes.append("log p(x) is left out: it is measured in two dimensions, where the test images are at hand.")
    sizes, note = _study(pair, has_kl=loss.kl != Kl.NONE)
    mean = None
    if originals.has_data(pair):
        mean = -_errors(pair, Error.BINARY)["mean image"]
    else:
        notes.append("The mean image is left out: it needs the images, which are not on this computer.")
    return Scale(-loss.pixels * float(np.log(2)), mean, None, (*models, *sizes)), [*notes, note]


def _study(pair: ModelPair, *, has_kl: bool) -> tuple[list[Landmark], str]:
    """Return what VAEs of a few latent sizes reach, if they were fitted to such images; and of what they are."""
    own = pair.experiment
    if any(getattr(own, name) != getattr(STUDY, name) for name in ("dataset", "image_size", "binarised")):
        size = STUDY.image_size
        return [], (f"The study of latent sizes is left out: it is of {STUDY.dataset} at {size} x {size} pixels.")
    try:
        sizes = catalog.study()
    except CheckpointError as error:
        return [], f"The study of latent sizes is left out: {escape_markdown(str(error))}."
    term, words = ("elbo", "the ELBO") if has_kl else ("reconstruction", "the log p(x|z)")
    few = [sizes[at] for at in sorted({0, len(sizes) // 2, len(sizes) - 1})]
    landmarks = [
        Landmark(f"{words} of a VAE of {size.latent_dim} dimensions", getattr(size.test["vae"], term), has_kl, "vae")
        for size in few
    ]
    epochs = STUDY.epochs
    return landmarks, f"The VAEs named by their dimensions are of the study of latent sizes, of {epochs} epochs."


def _grey_scale(pair: ModelPair, loss: Loss) -> Scale:
    """Return the landmarks of an error on grey images."""
    errors = _errors(pair, loss.error)
    reached = {name: loss.log_likelihood(error) for name, error in errors.items()}
    kl = float(pair.vae.kl_per_dimension.sum())
    return Scale(
        reached["half"],
        reached["mean image"],
        reached["perfect"],
        (
            Landmark("the AE, without KL", reached["autoencoder"], False, "autoencoder"),
            Landmark("the VAE, without KL", reached["vae"], False, "vae"),
            Landmark("the VAE, with KL", reached["vae"] - kl, True, "vae"),
        ),
    )


@cached("Computing the error of each test image …")
def _errors(pair: ModelPair, error: Error) -> dict[str, float]:
    """Return the mean error on the test images, summed over the pixels; the images must be at hand.

    Of black and white images that of the mean image only: the models' stand in their checkpoints.
    """
    from scipy.special import expit, logit, xlogy

    images = originals.split(pair, "test").images.numpy()
    # Of some data sets only the test images come along. Their own mean is better than it should be, by next to nothing.
    known = originals.split(pair, "train").images.numpy() if originals.has_split(pair, "train") else images
    mean = losses.mean_image(known.reshape(len(known), -1))
    if error == Error.BINARY:
        binary = originals.all_binarised(pair).reshape(len(images), -1)
        return {"mean image": float(losses.cross_entropy(binary, logit(mean)).mean())}
    noise = np.random.default_rng(SEED)
    totals = dict.fromkeys(("half", "mean image", "perfect", "autoencoder", "vae"), 0.0)
    for first in range(0, len(images), BATCH):
        part = slice(first, first + BATCH)
        x = images[part].reshape(len(images[part]), -1) / 255
        logits: dict[str, Array] = {"half": np.zeros(x.shape[1]), "mean image": logit(mean)}
        for model in pair:
            code = model.codes.code[part]
            if model.codes.std is not None:  # one sample of q(z|x) an image
                code = code + model.codes.std[part] * noise.standard_normal(code.shape)
            logits[model.name] = model.logits(code).reshape(len(x), -1)
        for name, each in logits.items():
            own = losses.cross_entropy(x, each) if error == Error.GREY else losses.squared_error(x, expit(each))
            totals[name] += float(own.sum())
        if error == Error.GREY:  # the pixels' own entropy
            totals["perfect"] -= float((xlogy(x, x) + xlogy(1 - x, 1 - x)).sum())
    return {name: total / len(images) for name, total in totals.items()}


def _how_measured(pair: ModelPair, loss: Loss) -> str:
    """Say what the scale is of."""
    experiment = pair.experiment
    if loss.error == Error.BINARY:
        drawn = (
            "black or white, cut at one half."
            if experiment.binarised
            else "drawn black or white once, its grey value the probability. Images cut at one half hold less noise."
        )
        likelihood = f"The scale is this experiment's own likelihood: Bernoulli, each pixel {drawn}"
    else:
        likelihood = "The marks are of the grey test images; the models were fitted to black and white ones."
    dataset = escape_markdown(experiment.dataset)
    has_mean_of_test = originals.has_data(pair) and not originals.has_split(pair, "train")
    return (
        f"Look for the marks next to your number. Hollow ones hold other terms: with KL, or without. {likelihood} "
        f"The marks are of {dataset}'s test images: the same loss on other images means something else."
        + (" The mean image is theirs, too: the training images are not here." if has_mean_of_test else "")
    )
