"""The parts of ``word2vec.py`` that classify: documents, and rows of categories."""

import re
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skrepr import Word2VecEmbedding

WIDTH = 100
POOLINGS = ("mean", "idf", "sif", "max")
SETS = {  # file and most documents
    "SMS": ("sms_spam", None),
    "AG News": ("ag_news_7600", None),
    "IMDB": ("imdb_train", 6000),
}
HAS_GENSIM, HAS_SKRUB = find_spec("gensim") is not None, find_spec("skrub") is not None


def accuracy(embedding, seed, X_train, X_test, y_train, y_test):
    """Return the accuracy of logistic regression on what an embedding makes of documents."""
    model = make_pipeline(
        embedding, StandardScaler(), LogisticRegression(max_iter=3000, random_state=seed)
    )
    return {"accuracy": 100 * model.fit(X_train, y_train).score(X_test, y_test)}


# ---------------------------------------------------------------------------- documents


def documents(data, seeds, quick):
    methods = {f"skrepr {pooling}": partial(of_skrepr, pooling) for pooling in POOLINGS}
    if HAS_GENSIM:
        methods["gensim mean"] = of_gensim
    methods["TF-IDF + SVD"] = of_tfidf
    if HAS_SKRUB:
        methods["skrub StringEncoder"] = of_skrub
    for seed in seeds:
        for name in list(SETS)[: 1 if quick else None]:
            for method, make in methods.items():
                what = {"set": name, "method": method, "seed": seed}
                yield what, partial(judge_documents, make, data, name, seed)


def judge_documents(make, data, name, seed):
    split = read_documents(data, name, seed)
    return accuracy(make(split, seed), seed, *split)


@cache
def read_documents(data, name, seed):
    file, most = SETS[name]
    table = pd.read_csv(Path(data, "text", f"{file}.csv.gz")).sample(frac=1, random_state=seed)
    table = table[:most]
    text = table["text"] if "title" not in table else table["title"] + " " + table["text"]
    return train_test_split(
        text.tolist(), table["label"].to_numpy(), test_size=0.3, random_state=seed
    )


def of_skrepr(pooling, split, seed):
    return Word2VecEmbedding(WIDTH, pooling=pooling, random_state=seed)


def of_gensim(split, seed):
    """Learn vectors by gensim, as many epochs as skrepr ran, and average them."""
    from gensim.models import Word2Vec

    find = re.compile(Word2VecEmbedding().token_pattern).findall
    n_epochs = Word2VecEmbedding(WIDTH, random_state=seed).fit(split[0]).n_epochs_
    train = [find(text.lower()) for text in split[0]]
    words = Word2Vec(train, vector_size=WIDTH, sg=1, epochs=n_epochs, workers=1, seed=seed).wv

    def average(texts):
        known = [[word for word in find(text.lower()) if word in words] for text in texts]
        return np.array([words[some].mean(axis=0) if some else np.zeros(WIDTH) for some in known])

    return FunctionTransformer(average)


def of_tfidf(split, seed):
    return make_pipeline(TfidfVectorizer(), TruncatedSVD(WIDTH, random_state=seed))


def of_skrub(split, seed):
    from skrub import StringEncoder

    encoder = StringEncoder(n_components=WIDTH, random_state=seed)
    return make_pipeline(FunctionTransformer(partial(pd.Series, name="text")), encoder)


# ----------------------------------------------------------------------------- entities


def entities(data, seeds, quick):
    methods = {
        f"skrepr {pooling}": partial(values_of_skrepr, pooling=pooling) for pooling in POOLINGS[:3]
    }
    methods["skrepr cbow"] = partial(values_of_skrepr, algorithm="cbow")
    methods |= {"one-hot": values_one_hot, "one-hot + SVD": values_of_svd}
    for seed in seeds:
        for method, make in methods.items():
            what = {"set": "adult", "method": method, "seed": seed}
            yield what, partial(judge_entities, make, data, seed, 5000 if quick else None)


def judge_entities(make, data, seed, most):
    X_train, X_test, y_train, y_test = read_adult(data, seed, most)
    n_values = sum(X_train[column].nunique() for column in X_train)
    embedding, width = make(n_values, seed)
    return accuracy(embedding, seed, X_train, X_test, y_train, y_test) | {"width": width}


def read_adult(data, seed, most):
    """Read the columns of adult that hold categories, and the class."""
    found = []
    for part in ("train", "test"):
        table = pd.read_csv(Path(data, "tabular", f"adult_{part}.csv.gz"))
        table = table.sample(frac=1, random_state=seed)[:most]
        found.append(table)
    target = found[0].columns[-1]
    columns = [c for c in found[0].select_dtypes(exclude="number") if c != target]
    (X_train, y_train), (X_test, y_test) = (
        (table[columns].fillna("missing"), table[target]) for table in found
    )
    return X_train, X_test, y_train, y_test


def values_of_skrepr(n_values, seed, **parameters):
    width = n_values // 10
    return Word2VecEmbedding(width, min_count=1, random_state=seed, **parameters), width


def values_one_hot(n_values, seed):
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False), n_values


def values_of_svd(n_values, seed):
    width = n_values // 10
    one_hot, _ = values_one_hot(n_values, seed)
    return make_pipeline(one_hot, TruncatedSVD(width, random_state=seed)), width
