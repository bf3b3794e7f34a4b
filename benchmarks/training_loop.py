"""How long a fit takes next to a bare loop in torch, and a transform next to bare chunks.

    python benchmarks/training_loop.py [--quick] [--data FILE] [--threads N]

The same autoencoder is trained by each contender through the call that its users make. The
contenders take turns, round after round, and the table holds medians over rounds of the
ratio to the bare loop of the same round; in the row of the bare loop, milliseconds per
epoch. "skrepr" is the loop, from the begin of each epoch to its end. "skrepr, whole fit"
adds what `fit` does once, whatever the number of epochs: checks of the data, readout,
explained variance, check for collapse. Contenders that are not installed are left out:
``pip install -c constraints.txt -e '.[bench]'``.

With one thread, seconds are those that the processor spends on this process, which other
programs on the same machine disturb least; with several, those of the wall clock.

The small network is 64-32-8-32-64 on scikit-learn's digits, the large one
784-256-64-16-64-256-784 on 60,000 rows: of a synthetic table, or of ``X_train`` in the npz
file given by --data. Peak memory is that of a fresh process beyond what it held before the
transform and the embedding itself, where /proc tells. bfloat16 runs only where products are
faster in it.
"""

import argparse
import importlib.util
import logging
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from contextlib import redirect_stderr, redirect_stdout
from functools import cache, partial
from io import StringIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from skorch import NeuralNet
from skorch.callbacks import Callback
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from skrepr import AutoencoderEmbedding, RepresentationCollapseWarning
from skrepr.architectures import MLP

SMALL, LARGE = (64, 32, 8), (784, 256, 64, 16)
BATCH_SIZES = (128, 256, 1024)
CHUNK_ROWS = 4096
LEARNING_RATE = 1e-3


# ------------------------------------------------------------------ the contenders


def make_layers(widths):
    layers = []
    for n_inputs, n_outputs in pairwise(widths):
        layers += [nn.Linear(n_inputs, n_outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def make_network(widths):
    return nn.Sequential(make_layers(widths), make_layers(widths[::-1]))


def bare_loop(X, widths, batch_size, n_epochs):
    network, rows = make_network(widths), torch.from_numpy(X)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE)
    for _ in range(n_epochs):
        order = torch.randperm(len(rows))
        for start in range(0, len(rows), batch_size):
            batch = rows.index_select(0, order[start : start + batch_size])
            optimizer.zero_grad()
            F.mse_loss(network(batch), batch).backward()
            optimizer.step()


class EpochClock(Callback):
    """Adds up the seconds of the epochs."""

    def on_train_begin(self, net, **kwargs):
        self.seconds = 0.0

    def on_epoch_begin(self, net, **kwargs):
        self.start = clock()

    def on_epoch_end(self, net, **kwargs):
        self.seconds += clock() - self.start


def skrepr_fit(X, widths, batch_size, n_epochs, precision="float32"):
    return AutoencoderEmbedding(
        widths[-1],
        architecture=MLP(widths[1:-1], activation="relu", linear_path=None),
        max_epochs=n_epochs,
        batch_size=batch_size,
        early_stopping=False,
        learning_rate=LEARNING_RATE,
        callbacks=[("clock", EpochClock())],
        device="cpu",
        precision=precision,
        random_state=0,
    ).fit(X)


def stock_skorch(X, widths, batch_size, n_epochs):
    NeuralNet(
        make_network(widths),
        criterion=nn.MSELoss,
        optimizer=torch.optim.AdamW,
        lr=LEARNING_RATE,
        batch_size=batch_size,
        max_epochs=n_epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).fit(X, X)


def data_loader(X, widths, batch_size, n_epochs):
    network = make_network(widths)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE)
    loader = DataLoader(TensorDataset(torch.from_numpy(X)), batch_size, shuffle=True)
    for _ in range(n_epochs):
        for (batch,) in loader:
            optimizer.zero_grad()
            F.mse_loss(network(batch), batch).backward()
            optimizer.step()


def pyod_autoencoder(X, widths, batch_size, n_epochs):
    from pyod.models.auto_encoder import AutoEncoder

    AutoEncoder(
        preprocessing=False,
        lr=LEARNING_RATE,
        epoch_num=n_epochs,
        batch_size=batch_size,
        device="cpu",
        verbose=0,
        hidden_neuron_list=list(widths[1:]),
        batch_norm=False,
        dropout_rate=0.0,
    ).fit(X)


def pythae_autoencoder(X, widths, batch_size, n_epochs):
    from pythae.data.datasets import BaseDataset
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers = make_layers(widths)

        def forward(self, x):
            return ModelOutput(embedding=self.layers(x))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = make_layers(widths[::-1])

        def forward(self, z):
            return ModelOutput(reconstruction=self.layers(z))

    rows = torch.from_numpy(X)
    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=n_epochs,
            learning_rate=LEARNING_RATE,
            per_device_train_batch_size=batch_size,
            optimizer_cls="AdamW",
            no_cuda=True,
        )
        model = AE(AEConfig(input_dim=(widths[0],), latent_dim=widths[-1]), Encoder(), Decoder())
        data = BaseDataset(rows, torch.zeros(len(rows)))
        BaseTrainer(model, data, training_config=settings).train()


def mlp_regressor(X, widths, batch_size, n_epochs):
    model = MLPRegressor(
        hidden_layer_sizes=(*widths[1:], *widths[-2:0:-1]),
        alpha=0.0,
        batch_size=batch_size,
        learning_rate_init=LEARNING_RATE,
    )
    for _ in range(n_epochs):
        model.partial_fit(X, X)


def contenders():
    """List the contenders that are installed, the bare loop first."""
    known = {
        "bare loop": bare_loop,
        "skrepr": skrepr_fit,
        "skrepr, bf16": partial(skrepr_fit, precision="bf16"),
        "stock skorch": stock_skorch,
        "DataLoader loop": data_loader,
        "pyod AutoEncoder": pyod_autoencoder,
        "pythae AE": pythae_autoencoder,
        "MLPRegressor(X, X)": mlp_regressor,
    }
    if not bf16_is_faster():
        del known["skrepr, bf16"]
    return {
        name: train
        for name, train in known.items()
        if name.split()[0] not in ("pyod", "pythae") or importlib.util.find_spec(name.split()[0])
    }


# --------------------------------------------------------------------- measurements


def clock():
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def timed(function, *arguments):
    """Return the seconds that a call takes, and what it returns."""
    start = clock()
    # progress bars and prints of others
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        result = function(*arguments)
    return clock() - start, result


def race(X, widths, batch_size, n_epochs, n_rounds):
    """Time every contender once a round, after a few steps to warm up.

    Returns
    -------
    seconds : dict of ndarray of shape (n_rounds,)
        Per epoch.
    """
    for train in contenders().values():
        timed(train, X[: 2 * batch_size], widths, batch_size, 1)
    seconds = defaultdict(list)
    for _ in range(n_rounds):
        for name, train in contenders().items():
            whole, fitted = timed(train, X, widths, batch_size, n_epochs)
            if isinstance(fitted, AutoencoderEmbedding):
                seconds[f"{name}, whole fit"].append(whole / n_epochs)
                whole = dict(fitted.net_.callbacks_)["clock"].seconds
            seconds[name].append(whole / n_epochs)
    return {name: np.array(values) for name, values in seconds.items()}


@cache
def cost_of_bf16():
    """Time the matrix product of the first large layer: the ratio to float32."""
    x, weight = torch.randn(256, LARGE[0]), torch.randn(*LARGE[1::-1])
    kinds = (x, weight), (x.bfloat16(), weight.bfloat16())
    float32, bf16 = (min(timed(F.linear, *kind)[0] for _ in range(20)) for kind in kinds)
    return bf16 / float32


def bf16_is_faster():
    return cost_of_bf16() < 1


def ratio(times, name, other):
    return float(np.median(times[name] / times[other]))


@torch.inference_mode()
def bare_chunks(estimator, X):
    """Compute the same function of X without checks, on chunks, into one array."""
    module, readout = estimator.module_, estimator.readout_
    Z = np.empty((len(X), estimator.n_components), dtype=np.float32)
    for start in range(0, len(X), CHUNK_ROWS):
        chunk = torch.from_numpy(X[start : start + CHUNK_ROWS]).float()
        Z[start : start + CHUNK_ROWS] = readout(module.encode(chunk)).numpy()
    return Z


def skrepr_transform(estimator, X):
    return estimator.transform(X)


TRANSFORMS = {"bare chunks": bare_chunks, "skrepr": skrepr_transform}


def race_of_transforms(estimator, X, n_rounds):
    seconds = {name: [] for name in TRANSFORMS}
    for _ in range(n_rounds + 1):
        for name, transform in TRANSFORMS.items():
            seconds[name].append(timed(transform, estimator, X)[0])
    return {name: np.array(values[1:]) for name, values in seconds.items()}


def memory_of_this_process(field):
    """Read a field of /proc/self/status in megabytes (of 2**20 bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def print_peak_memory(name, estimator_file, data_file):
    """Run one transform in this process and print its peak beyond input and output."""
    estimator = pickle.loads(Path(estimator_file).read_bytes())
    X = np.load(data_file)
    TRANSFORMS[name](estimator, X[:CHUNK_ROWS])  # libraries take their own memory at first use
    before = memory_of_this_process("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    Z = TRANSFORMS[name](estimator, X)
    print(memory_of_this_process("VmHWM") - before - Z.nbytes / 2**20)


def peak_memory(name, estimator, X, n_threads):
    """Measure in a fresh process; NaN where there is no /proc."""
    if not Path("/proc/self/clear_refs").exists():
        return np.nan
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder, "estimator")), str(Path(folder, "X.npy"))]
        Path(files[0]).write_bytes(pickle.dumps(estimator))
        np.save(files[1], X)
        command = [sys.executable, __file__, "--threads", str(n_threads), "--peak-memory", name]
        output = subprocess.run([*command, *files], capture_output=True, text=True, check=True)
    return float(output.stdout)


# --------------------------------------------------------------------------- report


def large_table(file, n_rows):
    if file:
        X = np.load(file)["X_train"]
        X = X.reshape(len(X), -1)[:n_rows]
        return np.ascontiguousarray(X, dtype=np.float32) / np.float32(np.abs(X).max())
    rng = np.random.default_rng(0)
    factors, loadings = rng.normal(size=(n_rows, 32)), rng.normal(size=(32, LARGE[0]))
    return np.tanh(factors @ loadings / 6 + 0.1 * rng.normal(size=(n_rows, LARGE[0]))).astype(
        np.float32
    )


def print_table(title, results):
    print(f"\n{title:<22}" + "".join(f"{f'batch {size}':>12}" for size in BATCH_SIZES))
    for name in results[BATCH_SIZES[0]]:
        if name == "bare loop":
            cells = [f"{1e3 * np.median(results[size][name]):.1f} ms" for size in BATCH_SIZES]
        else:
            cells = [f"{ratio(results[size], name, 'bare loop'):.2f}" for size in BATCH_SIZES]
        print(f"{name:<22}" + "".join(f"{cell:>12}" for cell in cells))


def print_targets(small, large, transforms):
    """Print what the training loop promises, and whether it holds here.

    What is promised of bf16 counts on processors that are faster with it.
    """
    targets = [
        ("small, 128: skrepr / bare", ratio(small[128], "skrepr", "bare loop"), "<=", 0.85),
        *(
            (f"large, {size}: skrepr / bare", ratio(large[size], "skrepr", "bare loop"), "<=", 1.0)
            for size in BATCH_SIZES
        ),
        *(
            (
                f"{name}, {size}: skorch / skrepr",
                ratio(times[size], "stock skorch", "skrepr"),
                ">=",
                least,
            )
            for name, times, least in (("small", small, 3.0), ("large", large, 1.2))
            for size in BATCH_SIZES
        ),
    ]
    print(f"\nA matrix product in bf16 takes {cost_of_bf16():.2f} of its time in float32 here.")
    if bf16_is_faster():
        value = ratio(large[256], "skrepr, bf16", "skrepr")
        targets.append(("large, 256: bf16 / float32", value, "<=", 0.6))
    for dtype, (times, memory) in transforms.items():
        targets += [
            (f"transform {dtype}: / bare", ratio(times, "skrepr", "bare chunks"), "<=", 1.1),
            (f"transform {dtype}: extra MB", memory["skrepr"], "<=", 50.0),
        ]
    print()
    for name, value, sign, bound in targets:
        holds = value <= bound if sign == "<=" else value >= bound
        print(f"{name:<36}{value:>8.2f}  {sign} {bound:<6g}{'holds' if holds else 'MISSED'}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, epochs and rows")
    parser.add_argument("--data", help="npz file with the array X_train, 784 values a row")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and BLAS")
    parser.add_argument("--peak-memory", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logging.disable()
    for category in (ConvergenceWarning, RepresentationCollapseWarning):
        warnings.simplefilter("ignore", category)
    torch.set_num_threads(arguments.threads)
    with threadpool_limits(arguments.threads):
        if arguments.peak_memory:
            print_peak_memory(*arguments.peak_memory)
        else:
            compare(arguments)


def compare(arguments):
    quick = arguments.quick
    n_rounds = 3 if quick else 7
    digits = (load_digits().data / 16).astype(np.float32)
    table = large_table(arguments.data, 12_000 if quick else 60_000)
    print(f"torch {torch.__version__}, {arguments.threads} thread(s), {n_rounds} rounds")
    small = {
        size: race(digits, SMALL, size, 50 if quick else 200, n_rounds) for size in BATCH_SIZES
    }
    print_table(f"small, {len(digits)} rows", small)
    large = {size: race(table, LARGE, size, 2 if quick else 5, n_rounds) for size in BATCH_SIZES}
    print_table(f"large, {len(table)} rows", large)
    estimator = skrepr_fit(table, LARGE, 1024, 1)
    transforms = {}
    print(f"\n{'transform':<22}{'rows / s':>12}{'/ bare':>12}{'extra MB':>12}")
    for dtype in ("float32", "float64"):
        X = np.resize(table, (60_000, LARGE[0])).astype(dtype)
        times = race_of_transforms(estimator, X, 5 if quick else 15)
        memory = {name: peak_memory(name, estimator, X, arguments.threads) for name in TRANSFORMS}
        transforms[dtype] = times, memory
        for name in TRANSFORMS:
            print(
                f"{name + ', ' + dtype:<22}{len(X) / np.median(times[name]):>12,.0f}"
                f"{ratio(times, name, 'bare chunks'):>12.2f}{memory[name]:>12.1f}"
            )
    print_targets(small, large, transforms)


if __name__ == "__main__":
    main()
