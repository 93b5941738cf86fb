"""`python -m benchmarks [fitting] [sweeps] [live] [app] [opening] [load] [memory]`: all, or what is named.

On an otherwise idle machine.

`python -m benchmarks fuzz --minutes 30` measures nothing: it tries inputs that nobody means, and prints what fails.
What fails is told, and the rest is measured all the same; then the exit status is 1.
"""

import argparse

from benchmarks import app, fitting, fuzz, live, load, memory, opening, sweeps
from benchmarks.parts import failed, part

PARTS = {
    "fitting": fitting.main,
    "sweeps": sweeps.main,
    "live": live.main,
    "app": app.main,
    "opening": opening.main,
    "load": load.main,
    "memory": memory.main,
}

parser = argparse.ArgumentParser("python -m benchmarks")
parser.add_argument("parts", nargs="*", choices=[*PARTS, "fuzz"], default=list(PARTS))
parser.add_argument("--minutes", type=float, default=3.0, help="how long fuzz takes")
parser.add_argument("--from", type=int, default=0, dest="first", help="the number of fuzz's first case")
options = parser.parse_args()
for name in options.parts:
    print(f"\n{name}\n" + "-" * len(name))
    with part(name):
        fuzz.main(options.minutes, options.first) if name == "fuzz" else PARTS[name]()
if failed:
    raise SystemExit(f"Failed: {', '.join(failed)}.")
