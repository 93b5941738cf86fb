"""Learn: a guided tour in ten steps, each with the real view set to what it talks about."""

from contextlib import suppress

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import catalog, selection
from explorer.choices import Choice
from explorer.models import ModelPair
from explorer.stage import Stage
from explorer.tour import AFTERWARDS, REFERENCES, ROOT, STEPS, Step, said
from training.checkpoint import MODEL_NAMES
from training.experiments import DEFAULT

__all__ = ["NEEDS", "render"]

NEEDS = MODEL_NAMES  # the tour tells one from the other
PART = STEP = Choice("step", 1)
ARRANGED = "arranged"  # the step that the views were last set to; in the session, not in the URL


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the tool: the step's text, question and code beside the maps, which it sets."""
    chosen = STEPS[min(max(STEP.value, 1), len(STEPS)) - 1]
    number = _step_input(stage.controls if chosen.on_stage else stage.strip)
    step = STEPS[number - 1]
    _apply_step(number, step, pair)
    with (stage.viewer if step.on_stage else stage.strip).container(key="lesson", gap="xsmall"):
        _lesson(number, step, pair)
    step.view(pair, stage._replace(viewer=stage.viewer.container(), controls=stage.strip.container()))
    if number == len(STEPS):
        _afterwards()
        st.markdown(REFERENCES)


def _afterwards() -> None:
    """Say what the class may do after the tour, with pictures, where the project's own are there."""
    for column, ahead in zip(st.columns(len(AFTERWARDS), gap="medium"), AFTERWARDS, strict=True):
        with column:
            st.markdown(ahead.text)
            with suppress(OSError):
                st.image((ROOT / "docs" / ahead.picture).read_bytes(), ahead.caption)
    selection.show_button("Open Train", "Train", icon=":material/arrow_forward:")


def _step_input(place: DeltaGenerator) -> int:
    """Draw the widgets that choose the step, from 1."""
    with place.container(horizontal=True, vertical_alignment="center", key="tour"):
        number = int(
            st.segmented_control(
                "Step",
                range(1, len(STEPS) + 1),
                default=STEP.default,
                required=True,
                label_visibility="collapsed",
                **STEP.bound,
            )
        )
        for label, to in (("Previous", number - 1), ("Next", number + 1)):
            st.button(
                label,
                key=f"tour_{label.lower()}",
                on_click=STEP.set,
                args=(to,),
                disabled=not 1 <= to <= len(STEPS),
            )
    return number


def _lesson(number: int, step: Step, pair: ModelPair) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"#### {said(step.title, pair)} :small[{number} of {len(STEPS)}]")
        if step.settings:
            st.button(step.again, key="tour_again", icon=":material/replay:", on_click=_set_again)
    st.markdown(said(step.text, pair))
    st.latex(said(step.formula, pair))
    if pair.has_collapsed:
        has_others = len(catalog.betas(pair.folder.name)) > 1
        # One line: below it a question is to be seen at 1280 x 800.
        st.caption(f"**Collapsed:** this VAE's codes lie together.{' Take a smaller beta.' if has_others else ''}")
    # A key for each step: what was unfolded is folded again in the next.
    with (
        st.expander(f"**{said(step.question, pair)}**", key=f"question_{number}", type="compact"),
        catalog.show_errors(),
    ):
        st.markdown(step.answer(pair))
    with st.expander("The code that does it", key=f"code_{number}", type="compact"):
        for source in step.sources:
            code, first = source.lines()
            st.caption(f"`{source.file}`, from line {first}")
            st.code(code)
    if pair.vae.checkpoint.experiment.name != DEFAULT:
        of_this = "" if number == len(STEPS) else " The numbers here are those of this experiment."
        st.caption(f"{DEFAULT} shows it best: choose it at the top left.{of_this}")


def _apply_step(number: int, step: Step, pair: ModelPair) -> None:
    """Make a step's choices on entering it; the page runs anew then."""
    current = f"{selection.chosen_maps(pair).vae.id} {number}"
    if st.session_state.get(ARRANGED) == current:
        return
    # What a link to a step names stands: whoever copied it may have gone on from the step's choices.
    opened = ARRANGED not in st.session_state and STEP.name in st.query_params
    linked = st.query_params if opened else ()
    settings = step.settings(pair) if step.settings else {}
    st.session_state[ARRANGED] = current
    if settings := {choice: value for choice, value in settings.items() if choice.name not in linked}:
        selection.set_for_page(settings)
        st.rerun()


def _set_again() -> None:
    """Make the step's choices again; a callback."""
    st.session_state[ARRANGED] = None
