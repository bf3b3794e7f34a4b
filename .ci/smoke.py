"""Try an installed skrepr: the lines of the README, every public name, and the ways to keep one.

Run it by ``python -I -W error``, in a folder and an environment without the repository and
without what only its tests need.
"""

import copy
import pickle
import re
import sys
from importlib import import_module
from importlib.metadata import metadata, version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.datasets import load_iris

import skrepr

assert Path(skrepr.__file__).is_relative_to(sys.prefix), skrepr.__file__
assert skrepr.__version__ == version("skrepr")

lines = re.findall(r"^```python\n(.*?)^```$", metadata("skrepr").get_payload(), re.M | re.S)
assert lines
for code in lines:
    print(code)
    exec(code, {})

n_names = 0
for module in (skrepr, *(import_module(f"skrepr.{name}") for name in skrepr._SUBMODULES)):
    for name in module.__all__:
        assert getattr(module, name).__name__ == name
        n_names += 1
assert "matplotlib" not in sys.modules  # comes with the extra "plot"

X = load_iris().data
embedding = skrepr.AutoencoderEmbedding(2, max_epochs=2, random_state=0)
Z = embedding.fit_transform(X)
with TemporaryDirectory() as folder:
    path = Path(folder) / "iris.safetensors"
    skrepr.save(embedding, path)
    kept = [skrepr.load(path), pickle.loads(pickle.dumps(embedding)), copy.deepcopy(embedding)]
for other in kept:
    np.testing.assert_array_equal(other.transform(X), Z)
    assert other.reconstruct(X).shape == other.inverse_transform(Z).shape == X.shape
assert 0.9 < skrepr.metrics.trustworthiness(X, Z) <= 1
print(f"skrepr {skrepr.__version__}, as installed: {n_names} public names")
