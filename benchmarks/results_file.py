"""Results of a benchmark in a file: one row a measurement, so that parts of a run add up."""

import argparse
import json
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parent / "results"


def ask(description, parts, default_seeds):
    """Read the command line that benchmarks in parts share.

    Parameters
    ----------
    description : str
        What the benchmark measures.
    parts : iterable of str
    default_seeds : str
        How many seeds are taken where none are asked for, in words.

    Returns
    -------
    arguments : argparse.Namespace
        ``data``, ``quick``, ``part`` and ``seeds``; ``parts`` is what is to be run.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of the data sets")
    parser.add_argument("--quick", action="store_true", help="within 10 minutes")
    parser.add_argument("--part", choices=parts, help="only this one")
    parser.add_argument("--seeds", type=int, help=f"number of seeds; default: {default_seeds}")
    arguments = parser.parse_args()
    arguments.parts = [arguments.part] if arguments.part else list(parts)
    return arguments


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
