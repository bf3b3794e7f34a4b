"""How much longer a fit takes next to two programs that keep cores busy.

    python benchmarks/busy_machine.py [--quick]

Every figure comes from a fresh process in which nothing is set: torch has its default number
of threads. The rounds take turns between a quiet machine and one on which two Python loops
run without end, and the table holds medians of wall seconds. With two cores a program that
uses one thread is left half of one, so twice the quiet time is its share; the limit is one
and a half times the share for small fits, and four times the quiet time for 60,000 x 784,
whose steps are large. Meaningful on a machine that nothing else uses.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from statistics import median

N_NEIGHBORS = 2
N_PROCESSES = 1 + N_NEIGHBORS
LARGE = "60,000 x 784"


def measure(quick):
    """Yield what is measured and its seconds, in this process."""
    import numpy as np
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

    from skrepr import AutoencoderEmbedding

    rng = np.random.default_rng(0)
    tables = {
        "442 x 10": (load_diabetes().data, {"n_components": 4}),
        "569 x 30": (load_breast_cancer().data, {"n_components": 8}),
        "1,797 x 64": (load_digits().data, {"n_components": 8, "max_epochs": 20}),
    }
    n_epochs = 1 if quick else 5
    AutoencoderEmbedding(2, max_epochs=1).fit(tables["569 x 30"][0])  # all is imported
    for name, (X, parameters) in tables.items():
        for _ in range(1 if quick else 3):
            yield from timed(name, X, AutoencoderEmbedding(random_state=0, **parameters))
    X = rng.normal(size=(60_000, 32)) @ rng.normal(size=(32, 784))
    X = (X + rng.normal(size=X.shape)).astype(np.float32)
    yield from timed(LARGE, X, AutoencoderEmbedding(16, random_state=0, max_epochs=n_epochs))


def timed(name, X, estimator):
    for method in ("fit", "transform"):
        start = time.perf_counter()
        for _ in range(1 if method == "fit" or len(X) > 10_000 else 100):
            getattr(estimator, method)(X)
        yield f"{method} {name}", time.perf_counter() - start


def in_fresh_process(quick):
    """Measure in a new process; return the median seconds of each measurement."""
    command = [sys.executable, __file__, "--measure", *(["--quick"] if quick else [])]
    settings = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    output = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    seconds = {}
    for name, value in json.loads(output):
        seconds.setdefault(name, []).append(value)
    return {name: median(values) for name, values in seconds.items()}


@contextmanager
def neighbors(number):
    """Keep cores busy in the block."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main(quick):
    share = math.ceil(N_PROCESSES / os.cpu_count())
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the first round")
    rounds = []
    for _ in range(2 if quick else 5):
        both = []
        for number in (0, N_NEIGHBORS):
            with neighbors(number):
                both.append(in_fresh_process(quick))
        rounds.append(both)
    print(f"\n{'':<24}{'quiet, s':>10}{'next to two, s':>15}{'ratio':>8}{'limit':>8}")
    for name in rounds[0][0]:
        quiet, busy = (median(both[i][name] for both in rounds) for i in (0, 1))
        limit = 4.0 if LARGE in name else 1.5 * share
        verdict = "" if busy <= limit * quiet else "   above"
        print(f"{name:<24}{quiet:>10.2f}{busy:>15.2f}{busy / quiet:>8.2f}{limit:>8.1f}{verdict}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two rounds, one epoch")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        warnings.simplefilter("ignore")
        print(json.dumps(list(measure(arguments.quick))))
    else:
        main(arguments.quick)
