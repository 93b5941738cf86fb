"""One module a tool: its choices, what it alone computes, `render(pair, stage)`, and `reset(pair)` if it needs one.

`reset` chooses anew for another experiment what means nothing there. A tool whose maps show another data set than the
experiment's says by `classes(pair)` what the legend names. A tool that shows nothing without one of the models names in
`NEEDS` those that it needs. One that shows its parts one at a time names in `PART` the choice of them.
"""
