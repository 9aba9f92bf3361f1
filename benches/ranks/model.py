#!/usr/bin/env python3
"""How much of N machines a run uses: a model of a step, from what a run of a few processes has recorded of itself.

    benches/ranks/model.py table NAME=RUN.yaml…                       # rows for docs/scaling.md
    benches/ranks/model.py check RUN.yaml 500mbit,500us=LIMITED.yaml… # beside runs with limited links

RUN.yaml is the record of a run over links that cost nothing. `benches/ranks/network.sh` makes both kinds. --faster says how many times as fast as the
processes of that run a machine computes, --times how many times the samples it has, --delay what passes between a word's leaving one machine and its coming to another.

Each machine has a part of the batch of one size (weak scaling). A step takes what it takes on one machine, and

- what every machine computes of all samples, which grows with their number;
- for each meeting a turn, and the time for what all others gathered to come in; a turn is a delay, a rest of who waits, and a message to each other;
- what is left of the sums of gradients when backward is over. A sum begins when its gradients are there and the one before it is over. A machine sends
  parts of its gradients to all others and then the sum of its own part: 2 (N - 1) / N of them, in two turns. Short ones it sends whole, in one.

What a byte and a message cost the processor is one core's work, and no less on a machine with many.
"""

import argparse
import math
import re

SHORT = 4 * 4096  # bytes: shorter sums are formed by every machine
REST = 1e-4  # seconds: half of the longest rest between two looks at a message on its way
MESSAGE = 5e-6  # seconds of a core for a message over TCP
BYTE = 1.5e-9  # seconds of a core for a byte of gradients: moved, added up, moved


class Run:
    """What a record says of a step: seconds and bytes."""

    def __init__(self, path):
        with open(path) as file:
            text = file.read()
        one = lambda key, default=None: float(found[1]) if (found := re.search(rf"^ *{key}: (\S+)", text, re.M)) else default
        self.ranks = int(one("processes", 1))
        self.seconds = one("pace_ms") * 1e-3
        self.common = one("common_ms", 0.0) * 1e-3
        self.gradients = one("gradients_mb", 0.0) * 1e6
        self.gathered = one("megabytes_a_step", 0.0) * 1e6 - self.gradients
        self.meetings = one("meetings", 0.0)
        self.waited, self.hidden = one("waited", 0.0), one("hidden", 0.0)
        sums = re.findall(r"^ *- mb: (\S+)\n *left_ms: (\S+)", text, re.M)
        self.sums = [(float(mb) * 1e6, float(left) * 1e-3) for mb, left in sums]

    def with_samples(self, times):
        """The same with so many times the samples a machine: all grows but the gradients."""
        self.seconds, self.common, self.gathered = self.seconds * times, self.common * times, self.gathered * times
        self.sums = [(size, left * times) for size, left in self.sums]
        return self


def waits(run, ranks, rate, delay, faster=1.0):
    """Seconds of a step that a machine waits for others, at so many bytes a second; the part of the gradients' way that is hidden."""
    if ranks < 2:
        return 0.0, 1.0
    turn = delay + REST + (ranks - 1) * MESSAGE
    met = run.meetings * turn + (ranks - 1) * run.gathered / rate
    # Time 0 is the end of backward.
    over, talked = -math.inf, 0.0
    for size, left in run.sums:
        if size < SHORT:
            takes = turn + (ranks - 1) * size * (1 / rate + BYTE)
        else:
            takes = 2 * turn + 2 * (ranks - 1) / ranks * size / rate + size * BYTE
        over, talked = max(over, -left / faster) + takes, talked + takes
    left = max(0.0, over) if run.sums else 0.0
    return met + left, 1.0 - left / talked if talked else 1.0


def step(run, ranks, rate, delay, faster=1.0):
    """Seconds of a step on so many machines, each with the part of the batch that a process of the run had."""
    # What all compute of all samples was there for those of the run's processes.
    shared = run.common / run.ranks * (ranks - run.ranks)
    return (run.seconds + shared) / faster + waits(run, ranks, rate, delay, faster)[0]


def alone(run, faster=1.0):
    """Seconds of a step on one machine."""
    return step(run, 1, math.inf, 0.0, faster)


def of_link(text):
    """Bytes a second and seconds of `500mbit,500us`; `none` is no limit."""
    bandwidth, delay = text.split(",")
    units = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
    found = re.fullmatch(r"([\d.]+)(kbit|mbit|gbit)", bandwidth)
    rate = math.inf if bandwidth == "none" else float(found[1]) * units[found[2]] / 8
    return rate, float(delay.removesuffix("us")) * 1e-6


def check(free, limited):
    """Beside runs over limited links: time of a step, and the part of it that links which cost nothing would leave."""
    print("| link | ms by the model | measured | efficiency by the model | measured | hidden by the model | measured |\n|---|---|---|---|---|---|---|")
    own = waits(free, free.ranks, math.inf, 0.0)[0]
    for link, run in limited:
        rate, delay = of_link(link)
        waited, hidden = waits(free, free.ranks, rate, delay)
        base, foretold = free.seconds, free.seconds - own + waited
        print(
            f"| {link.replace(',', ', ')} | {1e3 * foretold:.0f} | {1e3 * run.seconds:.0f} | {100 * base / foretold:.0f} % | {100 * base / run.seconds:.0f} % "
            f"| {100 * hidden:.0f} % | {100 * run.hidden:.0f} % |"
        )


def table(runs, faster, delay):
    print("| | link | 4 | 8 | 16 | 32 | 64 |\n|---|---|---|---|---|---|---|")
    for name, run in runs:
        for gigabits in (10, 25, 100):
            rate = gigabits * 1e9 / 8
            row = [alone(run, faster) / step(run, n, rate, delay, faster) for n in (4, 8, 16, 32, 64)]
            print(f"| {name} | {gigabits} Gbit/s | " + " | ".join(f"{100 * x:.0f} %" for x in row) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["table", "check"])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--faster", type=float, default=20.0)
    parser.add_argument("--times", type=float, default=1.0)
    parser.add_argument("--delay", type=float, default=20.0, help="microseconds")
    args = parser.parse_args()
    if args.what == "check":
        check(Run(args.runs[0]), [(link, Run(path)) for link, path in (pair.split("=") for pair in args.runs[1:])])
    else:
        table([(name, Run(path).with_samples(args.times)) for name, path in (pair.split("=") for pair in args.runs)], args.faster, args.delay * 1e-6)


if __name__ == "__main__":
    main()
