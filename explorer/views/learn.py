"""Learn: a guided tour in ten steps, each with the real view set to the point in question."""

import streamlit as st

from explorer import catalog, selection
from explorer.choices import Choice
from explorer.models import ModelPair
from explorer.tour import REFERENCES, STEPS, Step
from training.experiments import DEFAULT

__all__ = ["render"]

STEP = Choice("step", 1)
ARRANGED = "arranged"  # the step that the views were last set to; in the session, not in the URL


def render(pair: ModelPair) -> None:
    """Draw the tab: the step's text, question and code, and the real view below."""
    heading, controls = st.columns([3, 4], vertical_alignment="center")
    with controls.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="tour"):
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
    step = STEPS[number - 1]
    heading.markdown(f"#### {step.title} :gray[:small[{number} of {len(STEPS)}]]")
    _apply_step(number, step, pair)
    with st.container(key="lesson", gap="xsmall"):
        text, aside = st.columns([5, 4], gap="medium")
        text.markdown(step.text)
        aside.latex(step.formula)
        if step.point:
            aside.container(horizontal_alignment="center").button(
                step.again, key="tour_again", icon=":material/replay:", on_click=_set_again
            )
        # A key for each step: what was unfolded is folded again in the next.
        with st.expander(f"**{step.question}**", key=f"question_{number}", type="compact"), catalog.show_errors():
            st.markdown(step.answer(pair))
        with st.expander("The code that does it", key=f"code_{number}", type="compact"):
            for source in step.sources:
                code, first = source.lines()
                st.caption(f"`{source.file}`, from line {first}")
                st.code(code)
    if pair.vae.checkpoint.experiment.name != DEFAULT:
        st.caption(
            f"{DEFAULT} shows it best: choose it at the top left. The numbers here are those of this experiment."
        )
    step.view(pair)
    if number == len(STEPS):
        st.markdown(REFERENCES)


def _apply_step(number: int, step: Step, pair: ModelPair) -> None:
    """Set choices to a step's point on entering it; to be called before their widgets are drawn."""
    current = (selection.chosen_maps(pair).vae.key, number)
    if st.session_state.get(ARRANGED) == current:
        return
    # What a link to a step names stands: whoever copied it may have gone on from the step's point.
    opened = ARRANGED not in st.session_state and STEP.name in st.query_params
    linked = st.query_params if opened else ()
    for choice, value in (step.point(pair) if step.point else {}).items():
        if choice.name not in linked:
            choice.set(value)
    st.session_state[ARRANGED] = current


def _set_again() -> None:
    """Set the step's view to its point again; a callback."""
    st.session_state[ARRANGED] = None
