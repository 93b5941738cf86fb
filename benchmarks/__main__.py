"""`python -m benchmarks [fitting] [app]`: both, or what is named. On an otherwise idle machine."""

import sys

from benchmarks import app, fitting

PARTS = {"fitting": fitting.main, "app": app.main}

for name in sys.argv[1:] or PARTS:
    if name not in PARTS:
        raise SystemExit(f"Error: unknown benchmark {name!r}; there are {', '.join(PARTS)}.")
    print(f"\n{name}\n" + "-" * len(name))
    PARTS[name]()
