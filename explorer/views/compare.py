"""Compare: the numbers behind the claims, the AE's beside the VAE's."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from explorer import catalog, figures, measuring, selection
from explorer.choices import Choice
from explorer.classes import Classes
from explorer.components import latent_map
from explorer.evaluation import PAIRS, POSTERIORS, SAMPLES
from explorer.fragments import fragment
from explorer.metrics import K_NEIGHBOURS, MIN_CONFIDENCE
from explorer.models import ModelPair
from explorer.rate_distortion import rate_distortion
from explorer.stage import ALL, CROWD, EXTENT, FACE, Stage
from explorer.text import escape_markdown, number, percent, rounded
from explorer.translator import reset, translator
from training.array_file import MissingError
from training.checkpoint import MODEL_NAMES
from training.sweep import STUDY

__all__ = ["NEEDS", "clear_difference", "offer_measuring", "render", "reset", "rows", "sweep_figure", "verdict"]

NEEDS = MODEL_NAMES  # it compares two
NO_PRIOR = "– (an AE has no prior)"
COLUMNS_SHOWN = 10  # classes side by side
COLUMNS = [4.6, 2, 2, 2.8, 1.2]
# What the textbook's words are taken to mean. They have no numbers there, so these are stated with the verdict.
MAX_OFFSET = 0.25  # of a standard deviation: the codes' mean is no farther from the origin
NEAR_PRIOR = 0.5  # nats: the codes, as one Gaussian, differ from the prior by no more
MAX_GAPS = 0.1  # of the map
MAJORITY = 0.5  # of what is counted
MAX_SMOOTH_STEP = 2.0  # times the mean step: the largest one is no larger
MIN_DIFFERENCE = 0.01  # of the AE's number: smaller differences are not called any

COLOURS = {"confirmed": ":green[{}]", "contradicted": ":red[{}]"}

Numbers = Mapping[str, float]  # of one model, by metric


@dataclass(frozen=True)
class Claim:
    """A part of a textbook's sentence, and what the numbers say of it."""

    text: str
    holds: Callable[[Numbers, Numbers], bool | None]  # from the AE's and the VAE's numbers; None: no clear difference


@dataclass(frozen=True, kw_only=True)
class Row:
    """A number of both models, what it means, and what the textbook says of it."""

    name: str  # of the metric, as in `explorer.evaluation`
    title: str
    meaning: str
    format_value: Callable[[float], str]  # the number as it is read, without its unit
    unit: str = ""
    better: int  # 1: a higher number is better; -1: a lower one; 0: neither
    claims: tuple[Claim, ...] = ()
    note: Callable[[str, Numbers], str] = lambda model_name, numbers: ""  # what stands below a model's number
    tool: str  # shows it
    settings: Mapping[Choice[Any], Any] = field(default_factory=dict)  # what to set there


def clear_difference(name: str, ae: Numbers, vae: Numbers) -> float:
    """Return how much larger the VAE's number is; 0 below two standard errors, or below `MIN_DIFFERENCE`."""
    difference = vae[name] - ae[name]
    error = math.hypot(*(numbers.get(f"{name}_error", 0.0) for numbers in (ae, vae)))
    return 0.0 if abs(difference) < max(2 * error, MIN_DIFFERENCE * abs(ae[name])) else difference


def _larger(name: str, model_name: str) -> Callable[[Numbers, Numbers], bool | None]:
    """Claim that a model has the larger number."""

    def holds(ae: Numbers, vae: Numbers) -> bool | None:
        difference = clear_difference(name, ae, vae)
        return (difference > 0) == (model_name == "vae") if difference else None

    return holds


def _smaller(name: str, model_name: str) -> Callable[[Numbers, Numbers], bool | None]:
    """Claim that a model has the smaller number."""
    return _larger(name, "autoencoder" if model_name == "vae" else "vae")


def even_entropy(classes: Classes) -> float:
    """Return what counts as even: the entropy of all classes but one, equally frequent, in nats."""
    return math.log(max(len(classes) - 1, 1))


def _in_percent(share: float) -> str:
    return number(100 * share, ".1f")


def _prior_kl_note(model_name: str, numbers: Numbers) -> str:
    return f"{rounded(numbers['aggregate_kl'])} nats with the encoder's spread" if model_name == "vae" else ""


def _slack_note(model_name: str, numbers: Numbers) -> str:
    exact, sampled, error, bound = (
        number(numbers[name], ".3f")
        for name in ("evidence", "evidence_weighted", "evidence_weighted_error", "evidence_elbo")
    )
    return (
        f"median {rounded(numbers['slack_median'])} nats  \nlog p(x) {exact}, by sampling {sampled} ± {error}  \n"
        f"ELBO of the same images {bound}"
    )


def _prior_unread_note(model_name: str, numbers: Numbers) -> str:
    if model_name == "vae":
        return ""
    share, error = 1 - numbers["fitted_read"], numbers["fitted_read_error"]
    return f"{percent(share)} ± {percent(error)} with the Gaussian fitted to its codes"


def _prior_entropy_note(model_name: str, numbers: Numbers) -> str:
    if model_name == "vae":
        return ""
    return f"{rounded(numbers['fitted_entropy'])} nats with the Gaussian fitted to its codes"


@cache
def rows(classes: Classes) -> tuple[Row, ...]:
    """Return the table's rows, in the words of a data set."""
    noun, nouns, recognised = classes.noun, classes.nouns, classes.recognised
    other_nouns = "other digits" if classes.are_digits else "of other classes"
    equal = math.log(len(classes))
    even = even_entropy(classes)
    all_but_one = "nine" if classes.are_digits else str(max(len(classes) - 1, 1))
    return (
        Row(
            name="reconstruction",
            title="Reconstruction",
            meaning="Log-probability of a test image given its code, log p(x|z).",
            format_value=rounded,
            unit="nats",
            better=1,
            claims=(Claim("An AE reconstructs better: it pays no KL.", _larger("reconstruction", "autoencoder")),),
            tool="Reconstruct",
        ),
        Row(
            name="elbo",
            title="ELBO",
            meaning="Reconstruction minus KL: a lower bound of log p(x), the log-probability of a test image.",
            format_value=rounded,
            unit="nats",
            better=1,
            tool="Training curves",
        ),
        Row(
            name="kl",
            title="KL of the encoder's Gaussians to the prior",
            meaning="What a code costs: how far each image's Gaussian is from N(0, I), on average. Neither end is "
            "good: 0 says nothing of the image.",
            format_value=rounded,
            unit="nats",
            better=0,
            tool="Training curves",
        ),
        Row(
            name="slack",
            title="Gap between ELBO and log p(x)",
            meaning="How far the encoder's guess q(z|x) is from the exact posterior p(z|x): KL(q(z|x) || p(z|x)). "
            f"Mean over the first {POSTERIORS} test images, or all.",
            format_value=rounded,
            unit="nats",
            better=-1,
            note=_slack_note,
            tool="Posterior",
        ),
        Row(
            name="centre_over_spread",
            title="Centre of the codes over their spread",
            meaning="Distance of the codes' mean from the origin, in units of their standard deviation. 0 is centred.",
            format_value=number,
            better=-1,
            claims=(
                Claim(
                    f"A VAE's codes are centred (at most {MAX_OFFSET})",
                    lambda ae, vae: vae["centre_over_spread"] <= MAX_OFFSET,
                ),
                Claim("an AE's lie anywhere", lambda ae, vae: ae["centre_over_spread"] > MAX_OFFSET),
            ),
            tool="Explore",
            settings={FACE: "codes", EXTENT: ALL},
        ),
        Row(
            name="prior_kl",
            title="KL(N(m, S) || N(0, I)) of all codes",
            meaning="How far the codes, taken together as one Gaussian with their mean m and covariance S, are from "
            "the prior.",
            format_value=rounded,
            unit="nats",
            better=-1,
            claims=(
                Claim(
                    f"A VAE's codes fill the standard Gaussian (at most {NEAR_PRIOR} nats)",
                    lambda ae, vae: vae["prior_kl"] <= NEAR_PRIOR,
                ),
                Claim("an AE's do not", lambda ae, vae: ae["prior_kl"] > NEAR_PRIOR),
            ),
            note=_prior_kl_note,
            tool="Explore",
            settings={FACE: "codes", EXTENT: ALL},
        ),
        Row(
            name="plane_entropy",
            title=f"How evenly the {nouns} share the plane",
            meaning=f"Entropy of the areas of the map nearest to each {noun}'s codes; "
            f"{rounded(equal)} nats if all are equal.",
            format_value=rounded,
            unit="nats",
            better=1,
            claims=(
                Claim(
                    f"In an AE's space some {nouns} get a lot of room, others little "
                    f"(less even than {rounded(even)} nats)",
                    lambda ae, vae: ae["plane_entropy"] < even,
                ),
                Claim(f"a VAE's {nouns} share it more evenly", _larger("plane_entropy", "vae")),
            ),
            tool="Explore",
            settings={FACE: "grid", EXTENT: ALL},
        ),
        Row(
            name="overlap",
            title=f"Overlap of the {nouns}",
            meaning=f"Share of a code's {K_NEIGHBOURS} nearest neighbours that are {other_nouns}, averaged over the "
            f"{nouns}.",
            format_value=_in_percent,
            unit="%",
            better=-1,
            claims=(Claim("A VAE's clusters overlap more: the prior pulls them together.", _larger("overlap", "vae")),),
            tool="Explore",
            settings={FACE: "codes", EXTENT: CROWD},
        ),
        Row(
            name="window_gaps",
            title="Gaps: how much of the map is far from codes",
            meaning="Share of the map farther from any code than twice the codes' median distance to their nearest "
            "neighbour.",
            format_value=_in_percent,
            unit="%",
            better=-1,
            claims=(
                Claim(
                    f"An AE's space has gaps (more than {percent(MAX_GAPS, 0)} of the map)",
                    lambda ae, vae: ae["window_gaps"] > MAX_GAPS,
                ),
                Claim("a VAE's has few", lambda ae, vae: vae["window_gaps"] <= MAX_GAPS),
            ),
            tool="Explore",
            settings={FACE: "codes", EXTENT: ALL},
        ),
        Row(
            name="prior_unread",
            title=f"Gaps: how much of N(0, I) decodes to no {noun}",
            meaning=f"Share of {SAMPLES:,} random codes whose picture the classifier reads with "
            f"less than {percent(MIN_CONFIDENCE, 0)} confidence.",
            format_value=_in_percent,
            unit="%",
            better=-1,
            claims=(
                Claim(
                    f"A random code gives {recognised} in a VAE (mostly)",
                    lambda ae, vae: vae["prior_unread"] < MAJORITY,
                ),
                Claim("but not in an AE", lambda ae, vae: ae["prior_unread"] >= MAJORITY),
            ),
            note=_prior_unread_note,
            tool="Generate",
        ),
        Row(
            name="prior_entropy",
            title=f"How evenly random codes give the {nouns}",
            meaning=f"Entropy of the {nouns} among those pictures that are read; "
            f"{rounded(equal)} nats if {classes.all_equally} are equal.",
            format_value=rounded,
            unit="nats",
            better=1,
            claims=(
                Claim(
                    f"A VAE generates all {nouns} (at least {rounded(even)} nats: {all_but_one} equally often)",
                    lambda ae, vae: vae["prior_entropy"] >= even,
                ),
                Claim("an AE only those that lie near the origin", lambda ae, vae: ae["prior_entropy"] < even),
            ),
            note=_prior_entropy_note,
            tool="Generate",
        ),
        Row(
            name="knn_accuracy",
            title=f"Accuracy of a vote of {K_NEIGHBOURS} neighbours",
            meaning="Share of test codes whose nearest other codes are, by majority, of the same "
            f"{noun}. High: the space tells the {nouns} apart.",
            format_value=_in_percent,
            unit="%",
            better=1,
            claims=(
                Claim(
                    f"Without the prior's pull an AE tells the {nouns} apart at least as well.",
                    lambda ae, vae: clear_difference("knn_accuracy", ae, vae) <= 0,
                ),
            ),
            tool="Explore",
            settings={FACE: "codes", EXTENT: ALL},
        ),
        Row(
            name="jump",
            title="Interpolation: largest step over the mean step",
            meaning="How much more than usual a picture changes at once on the path between two images. "
            f"{PAIRS} pairs of different {nouns}; 1 is an even change.",
            format_value=number,
            better=-1,
            claims=(
                Claim(
                    f"A VAE interpolates smoothly (at most {MAX_SMOOTH_STEP:g})",
                    lambda ae, vae: vae["jump"] <= MAX_SMOOTH_STEP,
                ),
                Claim("an AE jumps", lambda ae, vae: ae["jump"] > MAX_SMOOTH_STEP),
            ),
            tool="Interpolate",
        ),
        Row(
            name="middle_held",
            title=f"Interpolation: middles between the two {nouns}",
            meaning=f"Share of middle frames in which a classifier gives the two end {nouns} together at least "
            f"{percent(MIN_CONFIDENCE, 0)}. Low: the path leads through a third {noun}.",
            format_value=_in_percent,
            unit="%",
            better=1,
            claims=(
                Claim(
                    "The middle of a VAE's path is a blend of its two ends (mostly)",
                    lambda ae, vae: vae["middle_held"] > MAJORITY,
                ),
                Claim("more often than an AE's", _larger("middle_held", "vae")),
            ),
            tool="Interpolate",
        ),
        Row(
            name="middle_sureness",
            title="Interpolation: sureness in the middle",
            meaning="Mean confidence of the classifier in the middle frames: whether they are "
            f"{'digits' if classes.are_digits else 'images of a class'} at all.",
            format_value=_in_percent,
            unit="%",
            better=1,
            claims=(
                Claim(
                    f"In the middle of a VAE's path there is {recognised} (at least {percent(MIN_CONFIDENCE, 0)} sure)",
                    lambda ae, vae: vae["middle_sureness"] >= MIN_CONFIDENCE,
                ),
                Claim(
                    f"in an AE's there is none (below {percent(MAJORITY, 0)})",
                    lambda ae, vae: ae["middle_sureness"] < MAJORITY,
                ),
            ),
            tool="Interpolate",
        ),
    )


def verdict(row: Row, ae: Numbers, vae: Numbers) -> tuple[str, list[tuple[str, str]]]:
    """Judge a row's sentence by the numbers: the whole of it, and each part with its mark."""
    holds = [claim.holds(ae, vae) for claim in row.claims]
    marks = {True: "✓", False: "✗", None: "≈"}
    if all(holds):
        whole = "confirmed"
    elif not any(holds):
        whole = "contradicted" if False in holds else "no clear difference"
    else:
        whole = "half true" if False in holds else "true as far as it is clear"
    return whole, [(marks[each], claim.text) for each, claim in zip(holds, row.claims, strict=True)]


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the page: one table, one row per metric."""
    with stage.page():
        _page(pair)


def _page(pair: ModelPair) -> None:
    st.markdown(
        "**The textbook's sentences, measured.** Look for sentences that the numbers contradict, or half confirm. "
        "*Show* opens the view in which it can be seen.",
        help="A verdict is about the sentence, part by part. What its words are taken to mean stands in brackets. "
        "All is measured on the test images; the better number is bold.",
    )
    with catalog.show_errors():
        translator(pair)
    with catalog.show_errors():
        _table(pair)
    with catalog.show_errors():
        _study()
    rate_distortion()


def offer_measuring(pair: ModelPair, lacking: str) -> None:
    """Say what an experiment that was not measured lacks, and have it measured on a click; show how far that is."""
    folder = pair.folder
    state = measuring.measuring(folder)
    if state is not None and not state.is_over:
        _watch_measuring(folder)
        return
    if state is not None and state.error:
        st.error(escape_markdown(f"{folder.name} could not be measured: {state.error}."))
    st.info(
        f"{escape_markdown(lacking)} It takes some minutes, and goes on while you look at other things. "
        f"In a terminal: `python -m explorer measure {folder.name}`."
    )
    st.button("Measure it", icon=":material/straighten:", on_click=_start_measuring, args=(folder,), type="primary")


def _start_measuring(folder: Path) -> None:
    """Have an experiment measured; a callback."""
    try:
        measuring.start(folder)
    except OSError as error:
        st.toast(escape_markdown(f"Measuring cannot begin: {error}."))


@fragment(run_every=1.0)
def _watch_measuring(folder: Path) -> None:
    state = measuring.measuring(folder)
    if state is None or state.is_over:
        st.rerun()
    st.progress(state.share, text=escape_markdown(f"Measuring {folder.name}: {state.label}"))


def _table(pair: ModelPair) -> None:
    try:
        values = _values(pair)
    except MissingError:
        offer_measuring(pair, f"{pair.folder.name} has not been measured yet.")
        return
    header = st.container(key="compare_head").columns(COLUMNS)
    for place, text in zip(header, ("Measure", "AE", "VAE", "The textbook"), strict=False):
        place.markdown(f"#### {text}")
    for row in rows(pair.classes):
        if row.name in values["vae"]:  # the slack is known in two dimensions, where the images were at hand
            _show(row, values)
    if "slack" not in values["vae"]:
        st.caption(
            "The gap between ELBO and log p(x) is missing. It is measured in two dimensions, where the test images "
            "are at hand."
        )
    noun = pair.classes.noun
    st.markdown(f"**Overlap, {noun} by {noun}**\n\n{_overlap_tables(pair)}")
    st.caption(
        f"Written by `python -m explorer measure {pair.folder.name}`. ± is a standard error. No clear difference: "
        "less than two standard errors, or less than 1 %."
    )


def sweep_figure() -> go.Figure:
    """Draw the latent-size sweep; raises as `catalog.study`."""
    sizes = catalog.study()
    return figures.sweep(sizes)


def _study() -> None:
    sizes = catalog.study()
    st.markdown("### What more dimensions buy")
    first, last = sizes[0], sizes[-1]
    used = last.active
    st.markdown(
        f"The network {STUDY.network.rsplit('-', 1)[0]}-d, "
        f"fitted to {STUDY.dataset} for {STUDY.epochs} epochs at each latent size d. Look "
        "at where the VAE's curves level off while the AE's go on. How far apart are training and test images? "
        f"In the KL's panel stands how many dimensions the VAE uses: {used} of {last.latent_dim} at the end. "
        "It has switched the others off."
    )
    latent_map.chart(sweep_figure(), key="latent_sizes")
    texts = []
    for model_name, short in (("autoencoder", "AE"), ("vae", "VAE")):
        values = [size.training[model_name].reconstruction for size in sizes]
        steps = [
            (now.latent_dim, now.training[model_name].reconstruction - before.training[model_name].reconstruction)
            for before, now in pairwise(sizes)
        ]
        falls = [f"{latent_dim} dimensions by {rounded(-step)} nats" for latent_dim, step in steps if step < 0]
        course = f"falls at {' and at '.join(falls)}" if falls else "rises with every step"
        texts.append(f"The {short}'s goes from {rounded(values[0])} nats to {rounded(values[-1])} nats and {course}.")
    better = all(
        last.training[model_name].reconstruction > first.training[model_name].reconstruction
        for model_name in last.training
    )
    st.markdown(
        "A well-known write-up claims that a larger latent space means a higher reconstruction error on the training "
        f"images. Measured is log p(x|z) of the training images; higher is better. {' '.join(texts)} "
        + ("**The claim does not hold.**" if better else "**For one of the models the claim holds.**")
    )
    st.caption(
        "Written by `python -m training sweep latent-sizes`; figures are means. "
        "A VAE's are over posterior samples, too."
    )


def _overlap_tables(pair: ModelPair) -> str:
    """Tell the overlap of each class, ten to a table, in Markdown."""
    overlap = catalog.load_evaluation(pair).overlap
    names = [escape_markdown(name) for name in pair.classes.short_names]
    tables = []
    for first in range(0, len(names), COLUMNS_SHOWN):
        part = slice(first, first + COLUMNS_SHOWN)
        lines = [[pair.classes.noun.capitalize(), *names[part]], ["---"] * (1 + len(names[part]))]
        lines += [[model.short, *map(_share, overlap[model.name][part])] for model in pair]
        tables.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(tables)


def _share(share: float) -> str:
    return "–" if math.isnan(share) else percent(share)


def _values(pair: ModelPair) -> dict[str, dict[str, float]]:
    """Return the metrics by model, with those that the table derives from them."""
    evaluation = catalog.load_evaluation(pair)
    values = {}
    for model_name, numbers in evaluation.values.items():
        values[model_name] = numbers | {
            "overlap": float(np.nanmean(evaluation.overlap[model_name])),
            "prior_unread": 1 - numbers["prior_read"],
            "prior_unread_error": numbers["prior_read_error"],
        }
    return values


def _show(row: Row, values: Mapping[str, Numbers]) -> None:
    about, *cells, textbook, view = st.columns(COLUMNS, vertical_alignment="center", border=False)
    better = {1: " Higher is better.", -1: " Lower is better.", 0: ""}[row.better]
    about.markdown(f"**{row.title}**  \n{row.meaning}{better}")
    winner = _winner(row, values)
    for cell, (model_name, numbers) in zip(cells, values.items(), strict=True):
        cell = cell.container(key=f"cell_{model_name}_{row.name}")  # on a phone no head stands above it: see `page.css`
        if row.name not in numbers:
            cell.markdown(NO_PRIOR)
            continue
        error = numbers.get(f"{row.name}_error")
        plus_minus = f" ± {row.format_value(error)}" if error else ""
        text = f"{row.format_value(numbers[row.name])}{plus_minus} {row.unit}".strip()
        bold = "**" if model_name == winner else ""
        note = row.note(model_name, numbers)
        cell.markdown(f"{bold}{text}{bold}" + (f"  \n{note}" if note else ""))
    if row.claims:
        whole, parts = verdict(row, values["autoencoder"], values["vae"])
        claims = "  \n".join(f"{mark} {text}" for mark, text in parts)
        textbook.markdown(f"{claims}  \n{COLOURS.get(whole, '{}').format(f'**{whole}**')}")
    with view:
        selection.show_button("Show", row.tool, dict(row.settings), key=f"show_{row.name}")


def _winner(row: Row, values: Mapping[str, Numbers]) -> str:
    """Name the model with the better number; empty where none is, or where there is no clear difference."""
    ae, vae = values["autoencoder"], values["vae"]
    if row.name not in ae or row.better == 0:
        return ""
    difference = row.better * clear_difference(row.name, ae, vae)
    return "vae" if difference > 0 else "autoencoder" if difference < 0 else ""
