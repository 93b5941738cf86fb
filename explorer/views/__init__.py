"""One module a tab; its choices, what it alone computes, and `render(pair)`, which draws it."""
