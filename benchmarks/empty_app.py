"""What Streamlit itself costs: a page with one word."""

import streamlit as st

st.write("Hello")
