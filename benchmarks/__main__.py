"""`python -m benchmarks [fitting] [sweeps] [live] [app] [opening] [load] [memory]`: all, or what is named.

On an otherwise idle machine.

`python -m benchmarks fuzz --minutes 30` measures nothing: it tries inputs that nobody means, and prints what fails.
What fails is told, and the rest is measured all the same; then the exit status is 1.
"""

import argparse

from benchmarks import app, fitting, fuzz, live, load, memory, opening, sizes, sweeps
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
classes = parser.add_argument_group("load of classes of these sizes, in place of the forty")
classes.add_argument("--sessions", type=int, nargs="+", metavar="N", help="as 40, or 40 100: a row each")
classes.add_argument("--replicas", type=int, nargs="+", metavar="N", help="as 1, or 1 2 4")
classes.add_argument("--do", choices=sizes.ACTIONS, help="what each session does once a second")
classes.add_argument("--seconds", type=float, default=20.0, help="for how long")
classes.add_argument("--table", action="store_true", help="40, 100, 200 and 400 sessions on 1, 2 and 4 replicas")
options = parser.parse_args()
is_sized = options.table or options.sessions or options.replicas or options.do
for name in options.parts:
    print(f"\n{name}\n" + "-" * len(name))
    with part(name):
        if name == "fuzz":
            fuzz.main(options.minutes, options.first)
        elif name == "load" and is_sized:
            chosen = [(n, on) for on in options.replicas or [1] for n in options.sessions or [load.SESSIONS]]
            sizes.main(sizes.TABLE if options.table else chosen, options.do or "click", options.seconds)
        else:
            PARTS[name]()
if failed:
    raise SystemExit(f"Failed: {', '.join(failed)}.")
