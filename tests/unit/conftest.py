"""What the tests of pure functions share."""

import numpy as np
from hypothesis import strategies as st

# Whatever JSON may hold, as a browser sends it.
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
)


def idx(array: np.ndarray) -> bytes:
    """An array in MNIST's own format: two zeros, type (8: unsigned byte), number of axes, their sizes, the bytes."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()
