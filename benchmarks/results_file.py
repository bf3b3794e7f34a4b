"""Results of a benchmark in a file: one row a measurement, so that parts of a run add up."""

import argparse
import json
import warnings
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import torch
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skrepr import RepresentationCollapseWarning

RESULTS = Path(__file__).parent / "results"


def run_parts(
    name,
    description,
    parts,
    *,
    index=(),
    show=None,
    rows_of=None,
    one_thread=True,
    ignored=(RepresentationCollapseWarning, ConvergenceWarning),
):
    """Measure what the command line asks for, and print a table of each part.

    Parameters
    ----------
    name : str
        That of the benchmark, and of its file of results.
    description : str
        What the benchmark measures.
    parts : dict of (callable, int)
        By the name of a part: returns what is to be measured, as `run` takes it, given the folder
        of the data sets, seeds, and whether to be quick; and how many seeds are taken where none
        are asked for.
    index : iterable of str
        Columns that tell what was measured, for `show_means`.
    show : dict of callable, default=None
        What prints the table of a part in place of `show_means`.
    rows_of : dict of str, default=None
        Under which name the rows of a part are kept, if not its own. Parts with one name there
        are two tables of the same rows.
    one_thread : bool, default=True
        Whether to compute on a single one.
    ignored : tuple of Warning
    """
    arguments = _ask(description, {part: n_seeds for part, (_, n_seeds) in parts.items()})
    for category in ignored:
        warnings.simplefilter("ignore", category)
    if one_thread:
        torch.set_num_threads(1)
    path = path_of(name, arguments.quick)
    for part in [arguments.part] if arguments.part else parts:
        tasks, n_seeds = parts[part]
        n_seeds = 1 if arguments.quick else arguments.seeds or n_seeds
        kept_as = (rows_of or {}).get(part, part)
        with threadpool_limits(1) if one_thread else nullcontext():
            run(path, kept_as, tasks(arguments.data, range(n_seeds), arguments.quick))
        table = table_of(path, kept_as)
        if len(table):
            print(f"\n{part}")
            if part in (show or {}):
                show[part](table)
            else:
                show_means(table, index)


def _ask(description, n_seeds):
    """Read the command line; ``n_seeds`` are those of each part where none are asked for."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of the data sets")
    parser.add_argument("--quick", action="store_true", help="within 10 minutes")
    parser.add_argument("--part", choices=n_seeds, help="only this one")
    of_parts = ", ".join(f"{n} for {part}" for part, n in n_seeds.items())
    parser.add_argument("--seeds", type=int, help=f"number of seeds; default: {of_parts}")
    return parser.parse_args()


def path_of(name, quick):
    """Return the file of results of a benchmark, whose quick runs have one of their own."""
    return RESULTS / f"{name}{'_quick' * quick}.jsonl"


def read_rows(path):
    """Read what has been measured."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(path, part, tasks):
    """Measure everything that is not in the file of results yet.

    Parameters
    ----------
    path : Path
    part : str
    tasks : iterable of pair of dict and callable
        What is measured, and a call that returns figures.
    """
    path.parent.mkdir(exist_ok=True)
    done = {json.dumps(row["what"]) for row in read_rows(path)}
    for what, measure in tasks:
        what = {"part": part} | what
        if json.dumps(what) not in done:
            row = {"what": what} | measure()
            with path.open("a") as file:
                file.write(json.dumps(row, default=float) + "\n")
            figures = {k: round(v, 3) for k, v in row.items() if isinstance(v, float)}
            print(*what.values(), figures, flush=True)


def table_of(path, part):
    """Return the rows of one part as a table."""
    rows = [row | row.pop("what") for row in read_rows(path) if row["what"]["part"] == part]
    return pd.DataFrame(rows).drop(columns="part", errors="ignore")


def show_means(table, index):
    """Print the means over seeds, and their standard errors.

    Parameters
    ----------
    table : DataFrame
    index : iterable of str
        Columns that tell what was measured; those that are there are used.
    """
    index = [name for name in index if name in table]
    grouped = table.drop(columns="seed").groupby(index, sort=False, dropna=False)
    print(grouped.mean(numeric_only=True).round(3).to_string())
    if table["seed"].nunique() > 1:
        print("\nstandard errors")
        print(grouped.sem(numeric_only=True).round(3).to_string())
