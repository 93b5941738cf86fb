"""One module a tool: its choices, what it alone computes, `render(pair, stage)`, and `reset(pair)` if it needs one.

`reset` chooses anew for another experiment what means nothing there.
"""
