"""The baseline of the app: the same codes and the same decoder, written the way a first Streamlit app is written.

Everything in one script, the chart's own selection events, the picture through `st.image`. A click reruns and
resends all of it, and only dots can be clicked.
"""

import plotly.express as px
import streamlit as st
import torch

from training.checkpoint import Checkpoint
from training.folders import checkpoints_dir

checkpoint = Checkpoint(checkpoints_dir() / "mnist-2d" / "vae.safetensors")
codes = checkpoint.codes()
model = st.cache_resource(checkpoint.load_network)()

x, y = codes.code[:5000].T
figure = px.scatter(x=x, y=y, color=codes.labels[:5000].astype(str))
event = st.plotly_chart(figure, on_select="rerun", key="map_vae", height=500)
points = event["selection"]["points"]
point = (points[0]["x"], points[0]["y"]) if points else (0.0, 0.0)
st.image(model.decode(torch.tensor([point])).sigmoid()[0].numpy(), width=196)
