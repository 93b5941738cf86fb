"""Compare: the numbers behind the claims, the AE's beside the VAE's."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import streamlit as st

from explorer import library
from explorer.components import latent_map
from explorer.measures import PAIRS, POSTERIORS, SAMPLES
from explorer.quality import NEIGHBOURS, SURE
from explorer.state import Key, State
from explorer.twins import Twins
from training.study import RECIPE

__all__ = ["render"]

NO_PRIOR = "undefined: it has no prior"
COLUMNS = [5, 2, 2, 2.2, 1.2]


@dataclass(frozen=True)
class Row:
    """A number of both models, what it means, and what the textbook expects of it."""

    name: str  # of the measure, as in `explorer.measures`
    title: str
    meaning: str
    text: Callable[[float], str]  # the number as it is read
    better: int  # 1: a higher number is better; -1: a lower one; 0: neither
    expected: str  # the model that the textbook says does better; empty: it says nothing
    claim: str  # the textbook's sentence
    view: tuple[str, dict[str, Any]]  # the tab that shows it, and what to set there


def _nats(value: float) -> str:
    return f"{value:.{2 if abs(value) >= 0.1 else 4}f} nats".replace("-", "−")


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _number(value: float) -> str:
    return f"{value:.2f}"


ROWS = (
    Row(
        "reconstruction",
        "Reconstruction",
        "Log-probability of a test image given its code, log p(x|z).",
        _nats,
        1,
        "autoencoder",
        "An AE reconstructs better: it pays no KL.",
        ("Reconstruct", {}),
    ),
    Row(
        "elbo",
        "ELBO",
        "Reconstruction minus KL: a lower bound of log p(x), the log-probability of a test image.",
        _nats,
        1,
        "",
        "",
        ("Training curves", {}),
    ),
    Row(
        "kl",
        "KL of the encoder's Gaussians to the prior",
        "What a code costs: how far each image's Gaussian is from N(0, I), on average. Neither end is good: "
        "0 says nothing of the image.",
        _nats,
        0,
        "",
        "",
        ("Training curves", {}),
    ),
    Row(
        "slack",
        "Slack of the ELBO",
        "log p(x) minus ELBO: how far the encoder's Gaussian of an image is from its true posterior, "
        f"KL(q(z|x) || p(z|x)). Mean over {POSTERIORS} test images.",
        _nats,
        -1,
        "",
        "",
        ("Posterior", {}),
    ),
    Row(
        "centre_over_spread",
        "Centre of the codes over their spread",
        "Distance of the codes' mean from the origin, in units of their standard deviation. 0 is centred.",
        _number,
        -1,
        "vae",
        "A VAE's codes are centred, an AE's lie anywhere.",
        ("Explore", {Key.FACE: "codes"}),
    ),
    Row(
        "prior_kl",
        "KL(N(m, S) || N(0, I)) of all codes",
        "How far the codes, taken together as one Gaussian with their mean m and covariance S, are from the prior.",
        _nats,
        -1,
        "vae",
        "A VAE's codes fill the standard Gaussian, an AE's do not.",
        ("Explore", {Key.FACE: "codes"}),
    ),
    Row(
        "plane_entropy",
        "How evenly the digits share the plane",
        f"Entropy of the areas of the map nearest to each digit's codes; {_nats(math.log(10))} if all are equal.",
        _nats,
        1,
        "vae",
        "In an AE's space some digits get a lot of room, others little.",
        ("Explore", {Key.FACE: "grid"}),
    ),
    Row(
        "overlap",
        "Overlap of the digits",
        f"Share of a code's {NEIGHBOURS} nearest neighbours that are other digits, averaged over the digits.",
        _percent,
        -1,
        "autoencoder",
        "A VAE's clusters overlap more: the prior pulls them together.",
        ("Explore", {Key.FACE: "codes"}),
    ),
    Row(
        "window_gaps",
        "Gaps: how much of the map is far from codes",
        "Share of the map farther from any code than twice the codes' median distance to their nearest neighbour.",
        _percent,
        -1,
        "vae",
        "An AE's space has gaps, a VAE's has few.",
        ("Explore", {Key.FACE: "codes"}),
    ),
    Row(
        "prior_unread",
        "Gaps: how much of N(0, I) decodes to no digit",
        f"Share of {SAMPLES:,} random codes whose picture the classifier reads with "
        f"less than {100 * SURE:.0f} % confidence.",
        _percent,
        -1,
        "vae",
        "A random code gives a digit in a VAE, but not in an AE.",
        ("Generate", {}),
    ),
    Row(
        "prior_entropy",
        "How evenly random codes give the digits",
        f"Entropy of the digits among those pictures that are read; {_nats(math.log(10))} if all ten are equal.",
        _nats,
        1,
        "vae",
        "A VAE generates all digits, an AE only those that lie near the origin.",
        ("Generate", {}),
    ),
    Row(
        "knn_accuracy",
        f"Accuracy of a vote of {NEIGHBOURS} neighbours",
        "Share of test codes whose nearest other codes, by majority, are of the same digit: how well the space tells "
        "digits apart.",
        _percent,
        1,
        "autoencoder",
        "Without the prior's pull an AE tells the digits apart at least as well.",
        ("Explore", {Key.FACE: "codes"}),
    ),
    Row(
        "jump",
        "Interpolation: largest step over the mean step",
        f"How much more than usual a picture changes at once on the way between two images ({PAIRS} pairs of different "
        "digits). 1 is an even change.",
        _number,
        -1,
        "vae",
        "A VAE interpolates smoothly, an AE jumps.",
        ("Interpolate", {}),
    ),
    Row(
        "middle_held",
        "Interpolation: middles between the two digits",
        f"Share of middle frames in which the two end digits together hold {100 * SURE:.0f} % of the classifier's "
        "belief. "
        "Low: the way leads through a third digit.",
        _percent,
        1,
        "vae",
        "The middle of a VAE's way is a blend of its two ends.",
        ("Interpolate", {}),
    ),
    Row(
        "middle_sureness",
        "Interpolation: sureness in the middle",
        "Mean confidence of the classifier in the middle frames: whether they are digits at all.",
        _percent,
        1,
        "vae",
        "In the middle of a VAE's way there is a digit, in an AE's there is none.",
        ("Interpolate", {}),
    ),
)


def render(twins: Twins, state: State) -> None:
    """The tab: one table, a measure a row."""
    st.markdown(
        "**The textbook's sentences, measured.** Look for rows in which the number contradicts the sentence: they are "
        "worth a discussion. All is measured on the test images; the better number is bold. *Show* opens the view "
        "in which it can be seen."
    )
    with library.sentences():
        values = _values(twins)
        header = st.columns(COLUMNS)
        for place, text in zip(header, ("Measure", "AE", "VAE", "The textbook"), strict=False):
            place.markdown(f"#### {text}")
        for row in ROWS:
            if row.name in values["vae"]:  # the slack is known in two dimensions, where the images were at hand
                _show(row, values, state)
        st.markdown(f"**Overlap, digit by digit**\n\n{_overlap_table(twins)}")
        st.caption(
            f"Written by `python -m explorer measure {twins.folder.name}`. ± is a standard error. No clear difference: "
            "less than two standard errors, or less than 1 %."
        )
    with library.sentences():
        _study()


def _study() -> None:
    sizes = library.study()
    st.markdown("### What more dimensions buy")
    first, last = sizes[0], sizes[-1]
    used = library.active_dimensions(last)
    st.markdown(
        f"The network {RECIPE.network.rsplit('-', 1)[0]}-d, fitted {RECIPE.epochs} epochs at each latent size d. Look "
        "at where the VAE's curves level off while the AE's go on, and at the distance between training and test "
        f"images. In the KL's panel: how many dimensions the VAE uses, the others being switched off ({used} of "
        f"{last.latent_dim} at the end)."
    )
    latent_map.chart(library.study_figure(), key="study")
    told = []
    for model, short in (("autoencoder", "AE"), ("vae", "VAE")):
        values = [size.training[model]["reconstruction"] for size in sizes]
        steps = [
            (now.latent_dim, now.training[model]["reconstruction"] - before.training[model]["reconstruction"])
            for before, now in pairwise(sizes)
        ]
        falls = [f"{latent_dim} dimensions by {_nats(-step)}" for latent_dim, step in steps if step < 0]
        course = f"falls at {' and at '.join(falls)}" if falls else "rises with every step"
        told.append(f"the {short}'s goes from {_nats(values[0])} to {_nats(values[-1])} and {course}")
    better = all(
        last.training[model]["reconstruction"] > first.training[model]["reconstruction"] for model in last.training
    )
    st.markdown(
        "A well-known write-up claims that a larger latent space means a higher reconstruction error on the training "
        f"images. Measured, as log p(x|z) of the training images, higher is better: {'; '.join(told)}. "
        + ("**The claim does not hold.**" if better else "**For one of the models the claim holds.**")
    )
    st.caption("Written by `python -m training study`; figures are means, ten posterior samples of each image.")


def _overlap_table(twins: Twins) -> str:
    overlap = library.measured(twins).overlap
    rows = [["", *map(str, range(10))], ["---"] * 11]
    rows += [[twin.short, *(_percent(share) for share in overlap[twin.name])] for twin in twins]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _values(twins: Twins) -> dict[str, dict[str, float]]:
    """The measures by model, with those that the table derives from them."""
    measured = library.measured(twins)
    values = {}
    for model, numbers in measured.values.items():
        values[model] = numbers | {
            "overlap": float(np.mean(measured.overlap[model])),
            "prior_unread": 1 - numbers["prior_read"],
            "prior_unread_error": numbers["prior_read_error"],
        }
    return values


def _show(row: Row, values: dict[str, dict[str, float]], state: State) -> None:
    about, *cells, textbook, view = st.columns(COLUMNS, vertical_alignment="center", border=False)
    better = {1: " Higher is better.", -1: " Lower is better.", 0: ""}[row.better]
    about.markdown(f"**{row.title}**  \n{row.meaning}{better}")
    ae, vae = values["autoencoder"].get(row.name), values["vae"][row.name]
    verdict = None if ae is None else _winner(row, values)
    for cell, (model, value) in zip(cells, (("autoencoder", ae), ("vae", vae)), strict=True):
        if value is None:
            cell.markdown(NO_PRIOR)
            continue
        text = row.text(value)
        if error := values[model].get(f"{row.name}_error"):
            number, *unit = text.split(maxsplit=1)
            text = " ".join([number, "±", row.text(error).split()[0], *unit])
        bold = "**" if verdict == model else ""
        cell.markdown(f"{bold}{text}{bold}{_more(row, model, values[model])}")
    if row.expected:
        told = {row.expected: ":green[**✓ borne out**]", "": "**≈ no clear difference**"}
        textbook.markdown(f"{row.claim}  \n{told.get(str(verdict), ':red[**✗ contradicted**]')}")
    tab, settings = row.view
    view.button("Show", key=f"show_{row.name}", on_click=state.show, args=(tab, settings))


def _more(row: Row, model: str, numbers: dict[str, float]) -> str:
    if row.name == "prior_kl" and model == "vae":
        return f"  \n{_nats(numbers['aggregate_kl'])} with the encoder's spread"
    if row.name == "slack":
        sampled, error = numbers["evidence_weighted"], numbers["evidence_weighted_error"]
        evidence = f"log p(x) {numbers['evidence']:.3f}, by sampling {sampled:.3f} ± {error:.3f}"
        bound = f"ELBO of the same images {numbers['evidence_elbo']:.3f}"
        return f"  \nmedian {_nats(numbers['slack_median'])}  \n{evidence}  \n{bound}".replace("-", "−")
    if row.name == "prior_unread" and model == "autoencoder":
        share, error = 1 - numbers["fitted_read"], numbers["fitted_read_error"]
        return f"  \n{_percent(share)} ± {_percent(error)} with the Gaussian fitted to its codes"
    if row.name == "prior_entropy" and model == "autoencoder":
        return f"  \n{_nats(numbers['fitted_entropy'])} with the Gaussian fitted to its codes"
    return ""


def _winner(row: Row, values: dict[str, dict[str, float]]) -> str | None:
    """The model with the better number; empty if there is no clear difference; None where neither is better."""
    if row.better == 0:
        return None
    ae, vae = values["autoencoder"], values["vae"]
    difference = row.better * (vae[row.name] - ae[row.name])
    error = math.hypot(*(numbers.get(f"{row.name}_error", 0.0) for numbers in (ae, vae)))
    if abs(difference) < max(2 * error, 0.01 * abs(ae[row.name])):
        return ""
    return "vae" if difference > 0 else "autoencoder"
