"""`python -m benchmarks [fitting] [live] [app] [load]`: all, or what is named. On an otherwise idle machine.

What fails is told, and the rest is measured all the same; then the exit status is 1.
"""

import sys

from benchmarks import app, fitting, live, load
from benchmarks.parts import failed, part

PARTS = {"fitting": fitting.main, "live": live.main, "app": app.main, "load": load.main}

for name in sys.argv[1:] or PARTS:
    if name not in PARTS:
        raise SystemExit(f"Error: unknown benchmark {name!r}; there are {', '.join(PARTS)}.")
    print(f"\n{name}\n" + "-" * len(name))
    with part(name):
        PARTS[name]()
if failed:
    raise SystemExit(f"Failed: {', '.join(failed)}.")
