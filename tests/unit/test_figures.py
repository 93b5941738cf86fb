"""Pictures and figures: what is drawn is what was given."""

import base64
import io
import tomllib
from itertools import combinations

import numpy as np
import pytest
from coloraide import Color
from PIL import Image, ImageSequence

from explorer import figures, images
from explorer.classes import DIGITS, Classes
from explorer.latent import Window
from explorer.losses import Landmark
from explorer.sweeps import LatentSize, groups
from tests.conftest import ROOT
from training.checkpoint import Change, Curve
from training.experiments import EXPERIMENTS
from training.sweep_table import Point, Row, SweepTable, Terms

TEN = Classes(DIGITS)


@pytest.mark.parametrize(("vision", "least"), [("common", 16.5), ("protan", 10.8), ("deutan", 10.8), ("tritan", 13)])
def test_digits_can_be_told_apart(vision: str, least: float) -> None:
    """By CIEDE2000, as dichromats see them, too (Machado, Oliveira and Fernandes 2009)."""
    colours = [Color(colour) for colour in figures.CLASS_COLOURS]
    if vision != "common":
        colours = [colour.filter(vision, method="machado").clip() for colour in colours]
    assert min(one.delta_e(other, method="2000") for one, other in combinations(colours, 2)) > least


@pytest.mark.parametrize("background", [figures.LIGHT, figures.DARK])
def test_digits_stand_out_from_both_themes(background: str) -> None:
    assert min(Color(colour).contrast(background) for colour in figures.CLASS_COLOURS) > 1.9


@pytest.mark.parametrize("background", [figures.LIGHT, figures.DARK])
def test_dots_as_they_are_painted_stand_out_from_both_themes(background: str) -> None:
    axes = figures.Axes(("x", "y"), ("mm", "mm"))
    figure = figures.codes_map(np.zeros((10, 2)), np.arange(10), Window(-1, -1, 2), axes, TEN)
    clouds = [trace for trace in figure.data if trace.name != "label"]
    for cloud, outline in zip(clouds, figures.outlines(background, 10), strict=True):
        painted = Color(outline).set("alpha", cloud.marker.opacity)
        assert Color.layer([painted, background], space="srgb").contrast(background) >= 2.999


def test_backgrounds_are_those_of_the_themes() -> None:
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    assert theme["dark"]["backgroundColor"] == figures.DARK
    assert theme["light"].get("backgroundColor", "#ffffff") == figures.LIGHT  # Streamlit's own is white


def _opened(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


def test_pictures_keep_every_pixel_to_a_grey_level() -> None:
    pixels = np.random.default_rng(0).random((28, 28))
    np.testing.assert_allclose(_opened(images.data_uri(pixels)) / 255, pixels, atol=0.5 / 255 + 1e-9)
    beyond = _opened(images.data_uri(pixels * 9 - 4)) / 255
    np.testing.assert_allclose(beyond, np.clip(pixels * 9 - 4, 0, 1), atol=0.5 / 255 + 1e-9)


def test_tiles_are_in_reading_order() -> None:
    decodes = np.random.default_rng(0).random((6, 4, 5))
    atlas = images.tile(decodes, 3)
    assert atlas.shape == (8, 15)
    for index, decode in enumerate(decodes):
        row, column = divmod(index, 3)
        np.testing.assert_array_equal(atlas[row * 4 : row * 4 + 4, column * 5 : column * 5 + 5], decode)
    np.testing.assert_array_equal(images.side_by_side(decodes), np.hstack(list(decodes)))


def test_map_holds_each_code_once_in_its_digits_colour() -> None:
    rng = np.random.default_rng(0)
    codes, digits = rng.normal(size=(300, 2)), rng.integers(0, 10, 300)
    figure = figures.codes_map(codes, digits, Window(-3, -3, 6), figures.Axes(("across", "up"), ("mm", "mm")), TEN)
    clouds = [trace for trace in figure.data if trace.type == "scattergl" and trace.name != "label"]
    assert [cloud.marker.color for cloud in clouds] == list(figures.CLASS_COLOURS)
    assert [cloud.marker.line.color for cloud in clouds] == list(figures.outlines(figures.LIGHT, 10))
    for digit, cloud in enumerate(clouds):
        np.testing.assert_array_equal(np.stack([cloud.x, cloud.y], axis=1), codes[digits == digit])
    assert list(figure.layout.xaxis.range) == list(figure.layout.yaxis.range) == [-3, 3]
    assert figure.layout.yaxis.scaleanchor == "x"


def test_more_than_ten_classes_differ_in_colour_or_symbol_and_have_their_names_on_the_map() -> None:
    letters = Classes(tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    codes, labels = np.random.default_rng(0).normal(size=(300, 2)), np.arange(300) % 26
    axes = figures.Axes(("across", "up"), ("mm", "mm"))
    figure = figures.codes_map(codes, labels, Window(-3, -3, 6), axes, letters)
    clouds = [trace for trace in figure.data if trace.name != "label"]
    assert len({(cloud.marker.color, cloud.marker.symbol) for cloud in clouds}) == len(clouds) == 26
    assert [cloud.marker.symbol for cloud in clouds[::10]] == ["circle", "square", "diamond"]
    names = [trace for trace in figure.data if trace.name == "label"]
    assert "".join(name.text[0] for name in names) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert all(name.mode == "markers+text" for name in names)
    # 62 classes are the most that there can be.
    assert len({figures.look(label) for label in range(62)}) == 62
    assert {look.symbol for look in map(figures.look, range(70))} == set(figures.SYMBOLS)


def test_long_names_are_left_to_the_browser_and_one_class_is_enough() -> None:
    one = Classes(("a <b>very</b> long name",))
    axes = figures.Axes(("across", "up"), ("mm", "mm"))
    cloud, label = figures.codes_map(np.zeros((3, 2)), np.zeros(3, int), Window(-1, -1, 2), axes, one).data
    assert (label.mode, list(label.text)) == ("markers", ["a <b>very</…"])
    assert len(cloud.x) == 3
    assert figures.class_colours(np.ones((2, 2, 1))).shape == (2, 2, 4)


def test_rings_lie_around_the_prior_if_there_is_one() -> None:
    codes, digits = np.zeros((10, 2)), np.arange(10)
    for prior, radii in (((0.5, -2.0), [1, 2, 3]), (None, [])):
        figure = figures.codes_map(codes, digits, Window(-1, -1, 2), figures.Axes(("x", "y"), ("mm", "mm"), prior), TEN)
        rings = [(shape.type, shape.x0, shape.x1, shape.y0, shape.y1) for shape in figure.layout.shapes]
        assert rings == [("circle", 0.5 - r, 0.5 + r, -2.0 - r, -2.0 + r) for r in radii]


def test_rings_that_lie_close_share_one_label() -> None:
    codes, digits = np.zeros((10, 2)), np.arange(10)
    for side, told in ((8, ["1 sd", "2 sd", "3 sd"]), (13, ["3 sd"])):
        figure = figures.codes_map(
            codes, digits, Window(-side / 2, -side / 2, side), figures.Axes(("x", "y"), ("mm", "mm"), (0, 0)), TEN
        )
        assert [label.text for label in figure.layout.annotations if label.text.endswith(" sd")] == told
        assert len(figure.layout.shapes) == 3


def test_grid_covers_the_window_exactly() -> None:
    figure = figures.grid_map("data:,", Window(-2, 1, 5), figures.Axes(("x", "y"), ("mm", "mm")))
    picture = figure.layout.images[0]
    assert (picture.x, picture.y, picture.sizex, picture.sizey) == (-2, 6, 5, 5)
    assert (picture.xanchor or "left", picture.yanchor or "top", picture.sizing) == ("left", "top", "stretch")


def test_curves_show_both_terms_of_both_splits_and_no_elbo_for_the_autoencoder() -> None:
    def curve(kl: bool) -> Curve:
        steps = np.arange(5.0)
        return Curve(steps, steps / 2, steps * 3, -200 + steps, steps if kl else None)

    splits = ("training", "validation")
    history = {model: {split: curve(model == "vae") for split in splits} for model in ("autoencoder", "vae")}
    figure = figures.curves(history, "seconds", logarithmic=False)
    by_panel = {axis: {t.name for t in figure.data if (t.xaxis or "x") == axis} for axis in ("x", "x2", "x3")}
    vae, both = {"VAE, training", "VAE, validation"}, {f"{m}, {s}" for m in ("VAE", "AE") for s in splits}
    assert by_panel == {"x": vae, "x2": both, "x3": vae}
    elbo = next(trace for trace in figure.data if trace.name == "VAE, training")
    np.testing.assert_allclose(elbo.y, -200)  # reconstruction minus KL, here constant
    np.testing.assert_allclose(elbo.x, [3, 6, 9, 12])  # seconds, without the untrained model


@pytest.mark.parametrize("logarithmic", [False, True])
def test_what_was_moved_during_a_fit_is_marked_when_it_was(logarithmic: bool) -> None:
    update = np.array([10.0, 20.0, 40.0])
    curve = Curve(update, update / 10, 3 * update, np.zeros(3), np.zeros(3))
    marks = figures.changes([Change(15, 20, 1e-3), Change(40, 1, 2e-3)], curve, "seconds")
    assert marks == [(45.0, "beta 20, rate 0.001"), (120.0, "beta 1, rate 0.002")]
    history = {"vae": {"training": curve, "validation": curve}}
    figure = figures.curves(history, "seconds", logarithmic=logarithmic, changes=marks)
    assert [(line.x0, line.x1) for line in figure.layout.shapes] == [(45, 45)] * 3 + [(120, 120)] * 3
    texts = [each for each in figure.layout.annotations if each.text.startswith("beta")]
    assert [10**each.x if logarithmic else each.x for each in texts] == pytest.approx([45] * 3 + [120] * 3)


def test_curves_that_stand_still_are_not_magnified_and_those_that_rise_fill_their_panel() -> None:
    rng, update = np.random.default_rng(0), np.arange(200)

    def panels(reconstruction: np.ndarray, kl: np.ndarray) -> list[tuple[float, float]]:
        curves = {
            model: dict.fromkeys(
                ("training", "validation"),
                Curve(update, update / 10, update * 1.0, reconstruction, kl if kl_too else None),
            )
            for model, kl_too in (("vae", True), ("autoencoder", False))
        }
        figure = figures.curves(curves, "updates", logarithmic=False)
        return [axis.range for axis in (figure.layout.yaxis, figure.layout.yaxis2, figure.layout.yaxis3)]

    noise = 0.1 * rng.standard_normal(200)
    elbo, reconstruction, kl = panels(-206 + noise, np.abs(noise) / 100)
    for low, high in (elbo, reconstruction):
        assert low < -208 < -204 < high
    assert -0.2 < kl[0] <= 0 < 0.5 < kl[1]
    elbo, reconstruction, kl = panels(-np.linspace(300, 120, 200), np.linspace(1, 8, 200))
    assert -320 < reconstruction[0] < -280
    assert -120 < reconstruction[1] < -100
    assert 0 < kl[0] < 2
    assert 8 < kl[1] < 10


def test_what_is_read_has_its_digits_colour_and_is_fainter_the_less_sure() -> None:
    probabilities = np.full((2, 2, 10), 0.1)
    probabilities[0, 0] = np.eye(10)[3]
    probabilities[0, 1] = 0.5 * np.eye(10)[3] + 0.05
    probabilities[1, 0] = 0.9 * np.eye(10)[7] + 0.01
    colours = figures.class_colours(probabilities)
    for place, digit in (((0, 0), 3), ((0, 1), 3), ((1, 0), 7)):
        told = "#" + "".join(f"{round(255 * channel):02x}" for channel in colours[place][:3])
        assert told == figures.CLASS_COLOURS[digit]
    assert colours[0, 0, 3] == 1 > colours[1, 0, 3] > colours[0, 1, 3] > colours[1, 1, 3] == pytest.approx(0)
    # As a picture it keeps colour and opacity.
    levels = np.asarray(Image.open(io.BytesIO(images.png(colours))))
    np.testing.assert_allclose(levels / 255, colours, atol=1 / 255)


def test_study_shows_every_number() -> None:
    terms = {"autoencoder": Terms(-7.0, 0.0), "vae": Terms(-8.0, 2.0)}
    figure = figures.sweep([LatentSize(2, terms, terms, 2), LatentSize(4, terms, terms, 3)])
    shown = [tuple(trace.y) for trace in figure.data]
    assert sorted(shown) == sorted([(-7.0, -7.0)] * 2 + [(-8.0, -8.0)] * 2 + [(2.0, 2.0)] * 2 + [(-10.0, -10.0)] * 2)
    assert [trace.text for trace in figure.data if trace.mode.endswith("text")] == [("2 of 2", "3 of 4")]


def _row(beta: float, latent_dim: int, seed: int, kl: float) -> Row:
    terms = Terms(-100.0 + 2 * kl + seed, kl)
    return Row(Point("vae", latent_dim, (400,), beta, seed), terms, terms, (kl / latent_dim,) * latent_dim)


@pytest.mark.parametrize("colour", ["beta", "latent_dim"])
def test_plane_of_rate_and_distortion_shows_seeds_means_and_lines_of_equal_elbo(colour: str) -> None:
    rows = [
        _row(beta, size, seed, 5 * size / (1 + beta)) for beta in (0.5, 1.0) for size in (2, 3, 4) for seed in (0, 1)
    ]
    found = groups(SweepTable(EXPERIMENTS["mnist-2d"], "", 1, tuple(rows)))
    assert [len(group.rows) for group in found] == [2] * 6
    kept = {rows[0].point: "kept-one"}
    figure = figures.rate_distortion(found, colour, kept)
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    small = [trace for trace in dots if not trace.name]
    large = [trace for trace in dots if trace.name]
    assert sorted((x, y) for trace in small for x, y in zip(trace.x, trace.y, strict=True)) == sorted(
        (row.test.kl, row.test.reconstruction) for row in rows
    )
    assert [len(trace.x) for trace in large] == ([3, 3] if colour == "beta" else [2, 2, 2])
    for trace in large:
        np.testing.assert_allclose(trace.y, -99.5 + 2 * np.array(trace.x))  # midway between the two seeds
    opened = [(name, beta) for trace in dots for name, beta in trace.customdata if name]
    assert opened == [("kept-one", 0.5)] * 2  # the seed, and the mean of which it is one
    lines = [trace for trace in figure.data if trace.mode == "lines+text"]
    assert len(lines) >= 2
    for line in lines:
        elbo = float(line.text[1].removeprefix("ELBO ").replace("−", "-"))
        np.testing.assert_allclose(np.array(line.y) - np.array(line.x), elbo)
        # No label stands above a line that leaves the plane at its top, where it would be cut off.
        leaves_at_top = np.isclose(line.y[-1], figure.layout.yaxis.range[1])
        assert line.textposition.startswith("bottom" if leaves_at_top else "top")
    assert any(line.textposition.startswith("bottom") for line in lines)
    assert all("nats per image" in axis.title.text for axis in (figure.layout.xaxis, figure.layout.yaxis))


def test_gif_runs_forth_and_back_in_sharp_squares() -> None:
    frames = np.random.default_rng(0).random((4, 28, 28))
    with Image.open(io.BytesIO(images.gif(frames))) as film:
        assert film.size == (224, 224)
        assert film.info["loop"] == 0  # for ever
        shown = [(np.asarray(frame.convert("L")), frame.info["duration"]) for frame in ImageSequence.Iterator(film)]
    assert {duration for _, duration in shown} == {80}
    levels = (frames * 255).round().astype(np.uint8)
    for (pixels, _), moment in zip(shown, (0, 1, 2, 3, 2, 1), strict=True):
        np.testing.assert_array_equal(pixels, levels[moment].repeat(8, axis=0).repeat(8, axis=1))


def test_gif_of_one_picture_stands_still() -> None:
    with Image.open(io.BytesIO(images.gif(np.zeros((1, 8, 8))))) as film:
        assert film.size == (64, 64)
        assert getattr(film, "n_frames", 1) == 1


def test_a_close_up_thins_a_crowd_evenly() -> None:
    random = np.random.default_rng(0)
    points, labels = random.uniform(-3, 3, (40_000, 2)), np.repeat(np.arange(10), 4_000)
    axes, window = figures.Axes(("x", "y"), ("mm", "mm")), Window(-1.0, -1.0, 2.0)
    figure = figures.close_up(points, labels, window, axes, Classes(DIGITS))
    shown = [len(trace.x) for trace in figure.data]
    assert figures.CLOSE_UP_CODES / 2 < sum(shown) <= figures.CLOSE_UP_CODES
    assert max(shown) - min(shown) <= 6
    few = figures.close_up(points[::2_000], labels[::2_000], Window(-3.0, -3.0, 6.0), axes, Classes(DIGITS))
    assert sum(len(trace.x) for trace in few.data) == 20
    beside = figures.close_up(points, labels, Window(7.0, 7.0, 1.0), axes, Classes(DIGITS))
    assert [len(trace.x) for trace in beside.data] == [0]  # without a trace Plotly draws no axes


MARKS = [Landmark("half", -543.0, None), Landmark("AE", -118.0, False, "autoencoder"), Landmark("ELBO", -128.0, True)]


@pytest.mark.parametrize("nats", [-543.0, -206.5, -1.0])
def test_a_loss_has_a_row_among_its_landmarks(nats: float) -> None:
    figure = figures.loss_scale(MARKS, nats, has_kl=True)
    (trace,) = figure.data
    rows = dict(zip(figure.layout.yaxis.ticktext, trace.x, strict=True))
    assert rows == {"half": -543.0, "AE": -118.0, "ELBO": -128.0, "<b>your number</b>": nats}
    assert list(trace.x) == sorted(trace.x)  # the best at the top
    low, high = figure.layout.xaxis.range
    assert low < min(trace.x)
    assert max(trace.x) < high
    at = list(rows)
    assert trace.marker.size[at.index("<b>your number</b>")] == max(trace.marker.size)
    # Hollow is what holds other terms.
    assert {name for name, symbol in zip(at, trace.marker.symbol, strict=True) if symbol.endswith("open")} == {"AE"}


@pytest.mark.parametrize(("nats", "symbol"), [(-94080.0, "triangle-left"), (5000.0, "triangle-right")])
def test_a_loss_far_away_stands_at_the_edge_with_its_value(nats: float, symbol: str) -> None:
    figure = figures.loss_scale(MARKS, nats, has_kl=False)
    (trace,) = figure.data
    row = list(figure.layout.yaxis.ticktext).index("<b>your number</b>")
    assert trace.marker.symbol[row] == symbol
    assert trace.text[row] == f"<b>{nats:,.1f}</b>".replace("-", "−")
    low, high = figure.layout.xaxis.range
    assert low < trace.x[row] < high
    assert high - low < 1000


def test_a_loss_without_landmarks_stands_alone() -> None:
    (trace,) = figures.loss_scale([], -3.0, has_kl=False).data
    assert list(trace.x) == [-3.0]
