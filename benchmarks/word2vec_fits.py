"""The parts of ``word2vec.py`` on one large text: speed, quality, memory, a busy machine."""

import gzip
import multiprocessing
import re
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import torch
from busy_machine import neighbors

from skrepr import Word2VecEmbedding, WordVectors

WIDTH, WINDOW, NEGATIVE, N_EPOCHS = 100, 5, 5, 5
N_WORKERS = 2
GENSIM_RATES = {"skipgram": 0.025, "cbow": 0.05}  # of the authors' program
PAIRS = ("wordsim353", "men3000", "simlex999", "mturk771")
FIGURES = (*PAIRS, "analogies")
METHODS = {
    "skrepr": {"device": "cpu"},
    "skrepr n_jobs=2": {"device": "cpu", "n_jobs": N_WORKERS},
    "skrepr bf16": {"device": "cpu", "precision": "bf16"},
    "skrepr bf16 n_jobs=2": {"device": "cpu", "precision": "bf16", "n_jobs": N_WORKERS},
    "skrepr on the GPU": {"device": "cuda"},
}
HAS_GENSIM = find_spec("gensim") is not None


@cache
def read_lines(data, quick):
    """Read paragraphs of Wikipedia: a list of str."""
    with gzip.open(Path(data, "text", "wiki_en_dev.txt.gz"), "rt", encoding="utf8") as file:
        return file.read().splitlines()[: 4000 if quick else None]


@cache
def corpus_file(data, quick):
    """Write the words that skrepr finds, separated by spaces; return path and number."""
    find = re.compile(Word2VecEmbedding().token_pattern).findall
    path = Path(tempfile.mkdtemp(), "words.txt")
    n_words = 0
    with path.open("w", encoding="utf8") as file:
        for line in read_lines(data, quick):
            words = find(line.lower())
            n_words += len(words)
            file.write(" ".join(words) + "\n")
    return path, n_words


# ---------------------------------------------------------------------- speed and quality


def fits(data, seeds, quick):
    for seed in seeds:
        for algorithm in ("skipgram", "cbow"):
            if HAS_GENSIM:
                what = {"algorithm": algorithm, "seed": seed, "method": "gensim"}
                yield what, partial(fit_gensim, data, quick, algorithm, seed)
            for method, parameters in METHODS.items():
                if is_of_use(**parameters):
                    what = {"algorithm": algorithm, "seed": seed, "method": method}
                    yield what, partial(fit_skrepr, data, quick, algorithm, seed, parameters)


def is_of_use(device, precision="float32", **parameters):
    """Whether there is such a device, and bf16 products are faster on this processor."""
    if device == "cuda":
        return torch.cuda.is_available()
    return precision == "float32" or faster_precision() == precision


@cache
def faster_precision():
    return warm_up(precision="auto").precision_


def fit_gensim(data, quick, algorithm, seed):
    from gensim.models import Word2Vec

    path, n_words = corpus_file(data, quick)
    start = time.perf_counter()
    model = Word2Vec(
        vector_size=WIDTH,
        window=WINDOW,
        negative=NEGATIVE,
        epochs=N_EPOCHS,
        sg=int(algorithm == "skipgram"),
        alpha=GENSIM_RATES[algorithm],
        workers=N_WORKERS,
        seed=seed,
    )
    model.build_vocab(corpus_file=str(path))
    middle = time.perf_counter()
    model.train(
        corpus_file=str(path),
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=N_EPOCHS,
    )
    end = time.perf_counter()
    words = WordVectors(model.wv.index_to_key, model.wv.vectors)
    return {
        "words_per_second": n_words * N_EPOCHS / (end - middle),
        "whole_seconds": end - start,
    } | judge(words, data)


def fit_skrepr(data, quick, algorithm, seed, parameters):
    _, n_words = corpus_file(data, quick)
    lines = read_lines(data, quick)
    embedding = make_embedding(algorithm=algorithm, random_state=seed, **parameters)
    warm_up()
    start = time.perf_counter()
    embedding.fit(lines)
    whole = time.perf_counter() - start
    return {
        "words_per_second": n_words * N_EPOCHS / float(embedding.history_["seconds"].sum()),
        "whole_seconds": whole,
    } | judge(embedding.word_vectors_, data)


def warm_up(**parameters):
    """Fit once, after which all is imported."""
    return make_embedding(max_epochs=1, min_count=1, **parameters).fit([["one", "document"]])


def make_embedding(**parameters):
    """Make an estimator that does what gensim is asked for."""
    return Word2VecEmbedding(
        WIDTH,
        window=WINDOW,
        negative=NEGATIVE,
        early_stopping=False,
        **{"max_epochs": N_EPOCHS} | parameters,
    )


def judge(words, data):
    """Compare with what people say; NaN where no word of it is known."""
    folder = Path(data, "word_eval")
    found = {}
    for name in PAIRS:
        judged = partial(words.evaluate_word_pairs, folder / f"{name}.tsv")
        found[name] = _or_nan(lambda judged=judged: judged()[1].statistic)
    found["analogies"] = _or_nan(
        lambda: words.evaluate_word_analogies(folder / "questions-words.txt", 30_000)[0]
    )
    return found


def _or_nan(judged):
    try:
        return float(judged())
    except ValueError:
        return float("nan")


# ------------------------------------------------------------------------------- memory


def memory(data, seeds, quick):
    for seed in seeds:
        for times in (1, 10):
            what = {"times": times, "seed": seed}
            yield what, partial(measure_memory, data, quick, times, seed)


def measure_memory(data, quick, times, seed):
    text = "\n".join(read_lines(data, quick)) + "\n"
    with tempfile.NamedTemporaryFile("w", encoding="utf8", suffix=".txt") as file:
        for _ in range(times):
            file.write(text)
        file.flush()
        return {"peak_mb": in_fresh_process(peak_of_fit, file.name, seed)}


def peak_of_fit(path, seed):
    """Fit to a file, and return how many MB more than before were in use at a time."""
    warm_up()
    before, peak, done = _in_use(), 0.0, threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, _in_use())

    watcher = threading.Thread(target=watch)
    watcher.start()
    make_embedding(max_epochs=1, random_state=seed).fit(Path(path))
    done.set()
    watcher.join()
    return peak - before


def _in_use():
    """Return MB that the system cannot take back: not those of files that are mapped."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) / 1024


# --------------------------------------------------------------------------------- busy


def busy(data, seeds, quick):
    for seed in seeds:
        for method in ("skrepr", "skrepr n_jobs=2"):
            for number in (0, 2):
                what = {"method": method, "seed": seed, "neighbors": number}
                yield what, partial(measure_beside, data, quick, method, number)


def measure_beside(data, quick, method, number):
    with neighbors(number):
        return {"seconds": in_fresh_process(seconds_of_fit, data, quick, METHODS[method])}


def seconds_of_fit(data, quick, parameters):
    lines = read_lines(data, quick)
    warm_up()
    start = time.perf_counter()
    make_embedding(random_state=0, **parameters).fit(lines)
    return time.perf_counter() - start


def in_fresh_process(call, *arguments):
    """Call in a new process, in which torch has its default number of threads."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(call, *arguments).result()
