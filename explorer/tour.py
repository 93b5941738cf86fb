"""The tour in ten steps: each with its text, formula, question, answer, sources, view, and the point it is set to."""

import ast
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

import training
from explorer import catalog, latent, originals, selection
from explorer.choices import Choice
from explorer.components import latent_map
from explorer.evaluation import PAIRS, SAMPLES, Evaluation
from explorer.maps import Map, MapPair
from explorer.metrics import K_NEIGHBOURS
from explorer.models import Model, ModelPair
from explorer.stage import ALL, CROWD, EXTENT, FACE, Stage
from explorer.text import escape_markdown, number, percent, vector
from explorer.translator import translator
from explorer.views import compare, curves, explore, generate, interpolate, reconstruct
from training.checkpoint import CheckpointError
from training.sweep import STUDY

__all__ = ["AFTERWARDS", "REFERENCES", "ROOT", "STEPS", "Ahead", "Source", "Step", "said", "share_beyond"]

ROOT = Path(training.__file__).parents[1]


View = Callable[[ModelPair, Stage], None]
Words = Callable[[ModelPair], str]  # Markdown; some change with the data set
Settings = Callable[[ModelPair], Mapping[Choice[Any], Any]]


@dataclass(frozen=True)
class Source:
    """Lines of this project: a function or class, or the part of it between two lines."""

    file: str
    name: str  # as `elbo_terms` or `Autoencoder.decode`
    since: str = ""  # is in the first line of the part, and in no other
    until: str = ""  # likewise in the last line

    def lines(self) -> tuple[str, int]:
        """Return the text, and the number of its first line.

        Raises:
            ValueError: the source no longer has it.
        """
        # Read, not imported and inspected: importing torch takes seconds, for which the map would have to wait.
        text = (ROOT / self.file).read_text()
        body = ast.parse(text).body
        for name in self.name.split("."):
            (definition,) = (
                each for each in body if isinstance(each, ast.FunctionDef | ast.ClassDef) and each.name == name
            )
            body = definition.body
        lines = text.splitlines()
        numbers = range(definition.lineno, (definition.end_lineno or definition.lineno) + 1)
        (first,) = [number for number in numbers if self.since in lines[number - 1]] if self.since else numbers[:1]
        (last,) = [number for number in numbers if self.until in lines[number - 1]] if self.until else numbers[-1:]
        return dedent("\n".join(lines[first - 1 : last])), first


@dataclass(frozen=True)
class Step:
    """A step of the tour. Texts are Markdown, some in the words of a data set."""

    title: str | Words
    text: str | Words
    formula: str | Words  # LaTeX
    question: str | Words
    answer: Words
    sources: tuple[Source, ...]
    view: View
    on_stage: bool = True  # whether the view is of the maps; else it is a page of its own
    settings: Settings | None = None  # the choices that the step makes when it is entered; None: none
    again: str = "Set the view again"


def said(text: str | Words, pair: ModelPair) -> str:
    """Return a text of a step in the words of a pair's data set."""
    return text if isinstance(text, str) else text(pair)


def _settings_at(maps: MapPair, points: Iterable[ArrayLike], image: int) -> dict[Choice[Any], Any]:
    """Return the choices that show the maps with these picks, and this test image ringed."""
    values: dict[Choice[Any], Any] = {FACE: "codes", EXTENT: CROWD, selection.RINGED_IMAGE: image}
    for map_, point in zip(maps, points, strict=True):
        # Where the map is no plane: the nearest code.
        shown = map_.project(map_.lift(np.reshape(point, (1, 2))))[0]
        values |= zip(selection.PICKS[map_.model.name], shown.tolist(), strict=True)
        low = (map_.crowd.left, map_.crowd.bottom)
        if not ((shown >= low) & (shown <= np.add(low, map_.crowd.side))).all():
            values[EXTENT] = ALL
    return values


def _posterior_stds(model: Model) -> np.ndarray:
    """Return the VAE's sigma(x) of each test image, (n, d)."""
    assert model.codes.std is not None
    return model.codes.std


def _widest_posterior(map_: Map) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the VAE's mu(x) and sigma(x) of the image with the widest Gaussian well inside the map, and its number."""
    stds, window = _posterior_stds(map_.model), map_.window
    off_centre = np.abs(map_.points - (window.left + window.side / 2, window.bottom + window.side / 2)).max(axis=1)
    image = int(np.where(off_centre < window.side / 3, np.log(stds).sum(axis=1), -np.inf).argmax())
    return map_.model.codes.code[image].astype(float), stds[image], image


def _evaluation(pair: ModelPair) -> Evaluation | None:
    try:
        return catalog.load_evaluation(pair)
    except CheckpointError:
        return None  # an experiment of one's own has none until it is measured; the answers do without


def _both(pair: ModelPair, evaluation: Evaluation, name: str, format_value: Callable[[float], str]) -> str:
    return " and ".join(f"{format_value(evaluation.values[model.name][name])} ({model.short})" for model in pair)


def _whole_percent(share: float) -> str:
    return percent(share, 0)


def _settings_for_held_out_images(pair: ModelPair) -> dict[Choice[Any], Any]:
    held_out = originals.has_split(pair, "validation")
    return {reconstruct.IMAGES: str(reconstruct.ImageSet.VALIDATION if held_out else reconstruct.ImageSet.TEST)}


def _what_is_lost(pair: ModelPair) -> str:
    pixels = pair.ae.checkpoint.experiment.image_size**2
    lost = (
        "What is common to images with such a code comes back; what is particular to one hand does not. Look for "
        "strokes that became smoother, and for a digit that came back as another."
        if pair.classes.are_digits
        else "What is common to images with such a code comes back; what is particular to one of them does not. Look "
        "for details that became smoother, and for an image that came back as one of another class."
    )
    return (
        f"Of {pixels} pixels, {pair.latent_dim} numbers pass. {lost} "
        "*Nats* are natural logarithms; nearer to 0 is better. The AE's mean over the test images is "
        f"{number(pair.ae.checkpoint.test['reconstruction'])} nats. Tossing a coin for each pixel would give "
        f"{number(pixels * math.log(0.5))}."
    )


AN_AUTOENCODER = Step(
    title="An autoencoder",
    text=r"""
        An **autoencoder** is two neural networks with a bottleneck between them. The *encoder* $f$ turns an image
        $x$ into a few numbers $z$, its *code*. The *decoder* $g$ turns a code into a probability of white for each
        pixel. The one aim of the fit: that images come back. Compare the row *AE* with the originals.
        """,
    formula=r"\max_{f,\,g}\ \sum_x \log p_g(x \mid z) \qquad z = f(x)",
    question="What gets lost in the bottleneck?",
    answer=_what_is_lost,
    sources=(
        Source("training/models.py", "Autoencoder"),
        Source("training/objective.py", "bernoulli_log_likelihood"),
    ),
    view=reconstruct.render,
    on_stage=False,
    settings=_settings_for_held_out_images,
)


def _settings_for_first_image(pair: ModelPair) -> dict[Choice[Any], Any]:
    maps = selection.chosen_maps(pair)
    return _settings_at(maps, (map_.points[0] for map_ in maps), 0)


def _why_alike(pair: ModelPair) -> str:
    evaluation, noun = _evaluation(pair), pair.classes.noun
    votes = (
        f" Let the {K_NEIGHBOURS} nearest other codes vote on an image's {noun}. They are right for "
        f"{_both(pair, evaluation, 'knn_accuracy', percent)} of the test images."
        if evaluation
        else ""
    )
    return (
        "A decoder changes little from one code to the next. So it serves images that look alike best when their codes "
        f"are neighbours. Images of one {noun} mostly look alike.{votes} Look for a {noun} in two separate places: "
        "what tells the two apart?"
    )


def _how_a_map_shows_codes(pair: ModelPair) -> str:
    if pair.latent_dim == 2:
        return "Two numbers are a point of the plane, so all of this *latent space* fits on the screen."
    return (
        f"A code of {pair.latent_dim} numbers is a point of a *latent space* of {pair.latent_dim} dimensions. "
        "No screen shows it whole: a map is one view of it."
    )


A_SPACE_OF_TWO_NUMBERS = Step(
    title=lambda pair: f"A space of {'two' if pair.latent_dim == 2 else pair.latent_dim} numbers",
    text=lambda pair: (
        f"""
        {_how_a_map_shows_codes(pair)} Each dot is the code
        of one test image, coloured by its {pair.classes.noun}, which neither model was ever told. Click on a dot: the
        ring marks the same image in both spaces.
        """
    ),
    formula=lambda pair: (
        r"x \ \longmapsto\ z = (z_1, z_2)" if pair.latent_dim == 2 else r"x \ \longmapsto\ z = (z_1, \ldots, z_d)"
    ),
    question="Then why do the colours lie together?",
    answer=_why_alike,
    sources=(Source("training/models.py", "_networks"),),
    view=explore.render,
    settings=_settings_for_first_image,
)


def _settings_for_gaps(pair: ModelPair) -> dict[Choice[Any], Any]:
    maps = selection.chosen_maps(pair)
    gaps = [map_.largest_empty_circle[:2] for map_ in maps]
    nearest = latent.nearest(pair.ae.codes.code, maps.ae.lift(gaps[0]))
    return _settings_at(maps, gaps, nearest.image)


def _what_gaps_hold(pair: ModelPair) -> str:
    radii = " and ".join(
        f"{radius:.3g} ({map_.model.short}: {percent(radius / map_.window.side, 0)} of the map's width)"
        for map_ in selection.chosen_maps(pair)
        for radius in [map_.largest_empty_circle.radius]
    )
    evaluation = _evaluation(pair)
    shares = (
        f" {_both(pair, evaluation, 'window_gaps', _whole_percent)} of the map lie farther from any code than twice "
        "the usual distance between neighbours."
        if evaluation
        else ""
    )
    return (
        f"The discs' radii are {radii}.{shares} A decoder is a smooth function and answers everywhere: with "
        f"{pair.classes.recognised}, a mixture of several, or a blot. Something comes out of a gap, too, but nothing "
        "in training fixes what it looks like."
    )


THE_GAPS = Step(
    title="The gaps",
    text=r"""
        Between the dots no test image has its code. Each cross is in the middle of the largest empty disc within
        the outline of its codes. The decoder was hardly ever asked about such a point, and no objective says what
        should be there. Yet it has to answer, between the maps. Then click between two colours.
        """,
    formula=r"\max_{z \,\in\, \text{outline}}\ \min_i\ \lVert z - z_i \rVert",
    question="What comes out of a gap?",
    answer=_what_gaps_hold,
    sources=(
        Source("training/objective.py", "elbo_terms", "return ElboTerms(bernoulli_log_likelihood(network.decode("),
        Source("explorer/latent.py", "largest_empty_circle"),
    ),
    view=explore.render,
    settings=_settings_for_gaps,
)


def _drawn_from_what(pair: ModelPair) -> str:
    classes, code = pair.classes, pair.ae.codes.code.astype(float)
    return (
        f"The AE's codes have the mean {vector(code.mean(axis=0))} and the standard deviations "
        f"{vector(code.std(axis=0))}. Another seed gives others. Below each block of pictures "
        f"stands how many of {SAMPLES:,} images a classifier reads as {classes.recognised}. Where they are many, for "
        f"the AE too, look at *which* {classes.nouns}. Do {classes.all_equally} come up, and about equally often?"
    )


A_RANDOM_CODE = Step(
    title="A random code",
    text=lambda pair: (
        f"""
        To invent {pair.classes.an_image}, draw a code at random and decode it. At random, but from *what*? The AE's
        objective rewards decodes and is silent about where codes lie. Nothing says around which centre, how far
        spread, or with which gaps. A draw may hit a gap, or the area of one {pair.classes.noun} over and over.
        """
    ),
    formula=r"z \sim\ ? \qquad x \sim p(x \mid z)",
    question=lambda pair: (
        "Guess: how many of them are digits?"
        if pair.classes.are_digits
        else "Guess: how many of them can be recognised?"
    ),
    answer=_drawn_from_what,
    sources=(Source("training/objective.py", "ElboTerms"),),
    view=generate.render,
)


def _settings_for_widest_posterior(pair: ModelPair) -> dict[Choice[Any], Any]:
    maps = selection.chosen_maps(pair)
    _, _, image = _widest_posterior(maps.vae)
    return _settings_at(maps, (map_.points[image] for map_ in maps), image)


def _how_large_the_clouds_are(pair: ModelPair) -> str:
    return (
        f"Over the test images the mean spread is σ = {vector(_posterior_stds(pair.vae).mean(axis=0))}. The dots "
        f"themselves spread with {vector(pair.vae.codes.code.std(axis=0, dtype=float))}. Codes that lie "
        "closer than their clouds are wide have to share what they decode to. What keeps the clouds from shrinking to "
        "points, as the AE's codes are, is the next step."
    )


WHAT_THE_VAE_CHANGES = Step(
    title="What the VAE changes",
    text=r"""
        A **variational autoencoder** encodes an image not as a point but as a small cloud, a Gaussian. Its mean
        $\mu(x)$ is the dot on the map. Its spread $\sigma(x)$, one for each dimension, is the ellipse in the ring.
        The close-up shows it large. At each visit the decoder gets a fresh point of the cloud.
        """,
    formula=r"q(z \mid x) = \mathcal N\bigl(z;\ \mu(x),\ \operatorname{diag} \sigma^2(x)\bigr)",
    question="How large are the clouds?",
    answer=_how_large_the_clouds_are,
    sources=(Source("training/models.py", "VariationalAutoencoder"),),
    view=partial(explore.render, close_ups=True),
    settings=_settings_for_widest_posterior,
)


def _settings_for_curves(pair: ModelPair) -> dict[Choice[Any], Any]:
    return {
        curves.X_AXIS: "updates",
        curves.LOGARITHMIC: True,
        curves.MOMENT: int(pair.vae.snapshots.update.max(initial=0)),
    }


def _which_is_better(pair: ModelPair) -> str:
    vae, ae = pair.vae.checkpoint.test, pair.ae.checkpoint.test
    return (
        f"On the test images, the VAE: **{number(vae['elbo'])} = {number(vae['reconstruction'])} − "
        f"{number(vae['kl'])}** nats per image. The AE: a reconstruction of {number(ae['reconstruction'])}, and no "
        "KL. The two cannot be set against each other. The AE pays nothing for the place of its codes. But without a "
        "prior it says nothing of how likely an image is. The VAE's ELBO is a lower bound of exactly that, and can be "
        "compared between models."
    )


def _curves_and_translator(pair: ModelPair, stage: Stage) -> None:
    curves.render(pair, stage)
    translator(pair)


THE_ELBO_AND_ITS_TWO_TERMS = Step(
    title="The ELBO and its two terms",
    text=r"""
        Two forces shape the clouds. *Reconstruction* wants them small and apart. The *KL* is the price of differing
        from the **prior** $\mathcal N(0, I)$, one standard Gaussian for all. Reconstruction minus KL is the
        **ELBO**. It never exceeds $\log p(x)$, the log-probability that the model gives an image.
        """,
    formula=r"""
        \begin{aligned} \log p(x)\ \ge{}\ &\mathbb E_{q(z \mid x)}\bigl[\log p(x \mid z)\bigr] \\
        &- \mathrm{KL}\bigl(q(z \mid x)\,\Vert\,\mathcal N(0, I)\bigr) \end{aligned}
        """,
    question="Which of the two is the better model?",
    answer=_which_is_better,
    sources=(
        Source("training/objective.py", "elbo_terms", "if isinstance(network", "gaussian_kl("),
        Source("training/objective.py", "kl_per_dimension"),
        Source("training/fit.py", "_updates", "batch_terms = elbo_terms(", "run.optimizer.step()"),
    ),
    view=_curves_and_translator,
    settings=_settings_for_curves,
)


def _settings_for_posterior_sample(pair: ModelPair) -> dict[Choice[Any], Any]:
    maps = selection.chosen_maps(pair)
    mean, std, image = _widest_posterior(maps.vae)
    z = mean + std * np.random.default_rng().standard_normal(len(mean))
    return _settings_at(maps, (maps.ae.points[image], maps.vae.project(z[None])[0]), image)


def _what_is_random(pair: ModelPair) -> str:
    mean, std, image = _widest_posterior(selection.chosen_maps(pair).vae)
    return (
        f"Only ε. For test image {image}, whose cloud is large, the encoder gives "
        f"μ = {vector(mean)} and σ = {vector(std)}. For a given throw, raising μ by a little raises z by as "
        "much. Raising σ raises z by ε times as much. These are derivatives, which backpropagation can carry on into "
        "the encoder. It would stop at a draw made inside."
    )


REPARAMETRISATION = Step(
    title="Reparametrisation",
    text=r"""
        The fit must know how the ELBO changes as $\mu$ and $\sigma$ change a little, and a random draw cannot say.
        So the chance is drawn outside, as noise $\varepsilon$ that depends on nothing, then scaled and shifted. On
        the VAE's map and in its close-up, the ring is at $\mu$, the ellipse is $\sigma$, the cross is $z$. Throw
        again, and watch it.
        """,
    formula=r"z = \mu(x) + \sigma(x) \odot \varepsilon \qquad \varepsilon \sim \mathcal N(0, I)",
    question="What is random here, what is learned?",
    answer=_what_is_random,
    sources=(Source("training/objective.py", "reparametrise"),),
    view=partial(explore.render, close_ups=True),
    settings=_settings_for_posterior_sample,
    again="Throw again",
)


def share_beyond(radius: float) -> str:
    """Return, in percent, the share of the standard Gaussian of the plane beyond a radius: exp(-radius^2 / 2)."""
    share = math.exp(-(radius**2) / 2)
    return percent(share, 2) if share >= 1e-4 else f"Less than {percent(1e-4, 2)}"


def _gaps_left(pair: ModelPair) -> str:
    evaluation = _evaluation(pair)
    differences = (
        " All clouds together, taken as one Gaussian, differ from N(0, I) by a KL of "
        f"{evaluation.values['vae']['aggregate_kl']:,.2f} nats. The AE's codes differ by "
        f"{evaluation.values['autoencoder']['prior_kl']:,.2f}."
        if evaluation
        else ""
    )
    disc = selection.chosen_maps(pair).vae.largest_empty_circle
    where = ""
    if pair.latent_dim == 2:
        radius = math.hypot(disc.x, disc.y)
        where = f" Its centre is {radius:.1f} from the origin. {share_beyond(radius)} of all draws fall that far out."
    return (
        "Some are left: the KL pulls at each cloud by itself, and nothing makes the clouds tile the plane."
        f"{differences} The largest empty disc on the VAE's map has a radius of {disc.radius:.2g} standard deviations "
        f"of the prior.{where}"
    )


SAMPLING = Step(
    title="Sampling",
    text=r"""
        Now *from what* has an answer: from the prior, towards which the KL pulled every cloud. Draw $z$, decode it,
        and there is a new image; no encoder is needed. On the left the AE's decoder gets the same draws, and in
        the middle draws that suit its own codes.
        """,
    formula=r"z \sim \mathcal N(0, I) \qquad x \sim p(x \mid z)",
    question="Are there no gaps left on the VAE's map?",
    answer=_gaps_left,
    sources=(
        Source("training/objective.py", "gaussian_kl"),
        Source("training/models.py", "Autoencoder.decode"),
    ),
    view=generate.render,
)


def _settings_for_half_way(pair: ModelPair) -> dict[Choice[Any], Any]:
    values: dict[Choice[Any], Any] = {interpolate.FRAME: interpolate.FRAMES // 2}
    for end in ("from", "to"):
        values |= {
            interpolate.KINDS[end]: interpolate.TEST_IMAGE,
            interpolate.IMAGES[end]: interpolate.default_image(pair, end),
        }
    return values


def _ends(pair: ModelPair) -> list[str]:
    """Name both ends, in Markdown."""
    return [escape_markdown(pair.classes.called(label)) for label in interpolate.start_classes(pair)]


def _what_a_path_shows(pair: ModelPair) -> str:
    start, end = _ends(pair)
    if pair.classes.are_digits:
        codes, seems = f"the code of {start} to that of {end}", "written by hand"
    else:
        codes, seems = f"a code of {start} to one of {end}", "like an image of the data set"
    return f"""
        A straight path from {codes}, decoded by both models. Move the slider.
        Does each picture look {seems}? Does it change evenly, or all at once? Do the paths on the maps lead
        over dots, or across a gap?
        """


def _how_even_the_ways_are(pair: ModelPair) -> str:
    classes = pair.classes
    texts = []
    for model in pair:
        start, end = (model.codes.code[interpolate.default_image(pair, end)] for end in ("from", "to"))
        far = max(
            latent.nearest(model.codes.code, z).distance
            for z in latent.linear_interpolation(start, end, interpolate.FRAMES)
        )
        texts.append(f"the {model.short}'s keeps within {far:.2g}")
    evaluation = _evaluation(pair)
    pairs = (
        " Compare the largest change from one frame to the next with the mean change; 1 would be perfectly even. "
        f"Over {PAIRS} pairs of different {classes.nouns}, the largest is {_both(pair, evaluation, 'jump', number)} "
        f"times the mean. In {_both(pair, evaluation, 'middle_held', _whole_percent)} of the middle frames, a "
        f"classifier hardly sees other {classes.nouns} than the two ends'. A straight path can cross the area of a "
        f"third {classes.noun}."
        if evaluation
        else ""
    )
    return f"Of these two paths, {' and '.join(texts)} of a test code.{pairs}"


FROM_ONE_CLASS_TO_ANOTHER = Step(
    title=lambda pair: "From {} to {}".format(*_ends(pair)),
    text=_what_a_path_shows,
    formula=r"z(t) = (1 - t)\, z_{\text{from}} + t\, z_{\text{to}}",
    question="Which path is the smoother one?",
    answer=_how_even_the_ways_are,
    sources=(Source("explorer/latent.py", "linear_interpolation"), Source("training/models.py", "Autoencoder.decode")),
    view=interpolate.render,
    settings=_settings_for_half_way,
)


def _how_many_dimensions(pair: ModelPair) -> str:
    sizes = catalog.study()
    counts = ", ".join(str(size.latent_dim) for size in sizes)
    elbo, reconstruction = (
        ", ".join(number(getattr(size.test[model], term)) for size in sizes)
        for model, term in (("vae", "elbo"), ("autoencoder", "reconstruction"))
    )
    return (
        f"On the test images, at {counts} dimensions, the VAE's ELBO is {elbo}. The AE's reconstruction is "
        f"{reconstruction}. To the VAE each dimension costs KL. One that does not earn its price in reconstruction "
        "is switched off. Beside the KL stands how many are in use. The AE pays nothing and takes whatever it gets: "
        "with as many numbers as pixels it could copy the image."
    )


def _latent_sizes(pair: ModelPair, stage: Stage) -> None:
    with stage.page(), catalog.show_errors():
        latent_map.chart(compare.sweep_figure(), key="latent_sizes")
        st.caption(f"One recipe ({STUDY.dataset}, {STUDY.epochs} epochs), fitted anew for each size. Nats per image.")


WHAT_MORE_DIMENSIONS_BUY = Step(
    title="What more dimensions buy",
    text=r"""
        Two numbers make a map for the eye, and let little of an image pass. With more of them more of it comes
        back, but no map shows such a space whole. Below, the same network was fitted at several latent sizes.
        Experiments with more dimensions are at the top left.
        """,
    formula=r"z = (z_1, \ldots, z_d)",
    question="Is it best to take as many as possible?",
    answer=_how_many_dimensions,
    sources=(Source("training/sweep.py", "Sweep.points"),),
    view=_latent_sizes,
    on_stage=False,
)


STEPS = (
    AN_AUTOENCODER,
    A_SPACE_OF_TWO_NUMBERS,
    THE_GAPS,
    A_RANDOM_CODE,
    WHAT_THE_VAE_CHANGES,
    THE_ELBO_AND_ITS_TWO_TERMS,
    REPARAMETRISATION,
    SAMPLING,
    FROM_ONE_CLASS_TO_ANOTHER,
    WHAT_MORE_DIMENSIONS_BUY,
)


class Ahead(NamedTuple):
    """What the class may do after the tour: words in Markdown, and a picture of it."""

    text: str
    picture: str  # in `docs/`
    caption: str


AFTERWARDS = (
    Ahead(
        """##### Watch a fit of your own
*Train* fits an AE and a VAE while you watch. At first the codes are noise, then they come apart into classes. Turn beta
up meanwhile, and see the VAE's codes fall together. Turn it down, and they come back.""",
        "train.png",
        "A fit to MNIST after four epochs.",
    ),
    Ahead(
        """##### Bring images of your own
*Add* takes a zip with a folder for each class, an `.npz` or a CSV. So does `python -m training add NAME PATH`, and a
folder, too. Guess first: which of your classes will overlap?""",
        "contact-sheet.png",
        "What was found is shown, a row for each class.",
    ),
)


REFERENCES = """
##### To read on
- Diederik P. Kingma and Max Welling, 2013: *Auto-Encoding Variational Bayes*. [arXiv 1312.6114](https://arxiv.org/abs/1312.6114)
- Danilo J. Rezende, Shakir Mohamed and Daan Wierstra, 2014: *Stochastic Backpropagation and Approximate Inference in
  Deep Generative Models*. [arXiv 1401.4082](https://arxiv.org/abs/1401.4082)
- Geoffrey E. Hinton and Ruslan R. Salakhutdinov, 2006: *Reducing the Dimensionality of Data with Neural Networks*.
  Science 313, 504–507
- Carl Doersch, 2016: *Tutorial on Variational Autoencoders*. [arXiv 1606.05908](https://arxiv.org/abs/1606.05908)
- Donald Bertucci and Alex Endert, 2024: *VAE Explainer: Supplement Learning Variational Autoencoders with Interactive
  Visualization*. [arXiv 2409.09011](https://arxiv.org/abs/2409.09011)
"""
