"""One module a tab; `render(twins, state)` is its only public name."""
