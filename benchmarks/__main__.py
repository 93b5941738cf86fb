"""`python -m benchmarks [fitting] [app] [load]`: all, or what is named. On an otherwise idle machine."""

import sys

from benchmarks import app, fitting, load

PARTS = {"fitting": fitting.main, "app": app.main, "load": load.main}

for name in sys.argv[1:] or PARTS:
    if name not in PARTS:
        raise SystemExit(f"Error: unknown benchmark {name!r}; there are {', '.join(PARTS)}.")
    print(f"\n{name}\n" + "-" * len(name))
    PARTS[name]()
