"""What the README and the examples promise a newcomer."""

import importlib.util
import re
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

import skrepr
from skrepr import AutoencoderEmbedding
from skrepr.architectures import MLP

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SET_UP = "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt "
COMMANDS = [line for line in README.splitlines() if line.startswith(SET_UP)]


def code_blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def quickstart():
    return example("quickstart")


def test_three_commands_do_all_their_set_up():
    assert [block.strip() for block in code_blocks("sh")] == COMMANDS
    show, test, site = COMMANDS
    assert show.endswith(" && .venv/bin/python examples/quickstart.py")
    assert test.endswith(" && .venv/bin/python -m pytest")
    assert site.endswith(" && .venv/bin/python -m sphinx -W --keep-going docs docs/_build/html")
    guide = (ROOT / "docs" / "contributing.md").read_text()
    assert test in guide and site in guide


def test_ci_runs_the_commands_of_the_readme():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    text = script.read_text()
    assert "pip install" not in text
    (extraction,) = re.findall(r"^commands=.*$", text, flags=re.MULTILINE)
    shell = ["bash", "-euc", f'{extraction}; echo "$commands"']
    result = subprocess.run(shell, check=True, capture_output=True, text=True, cwd=ROOT)
    assert result.stdout.splitlines() == COMMANDS[1:]


def test_versions_are_pinned_for_all_that_is_installed():
    text = (ROOT / "pyproject.toml").read_text()
    wanted = re.findall(r'"([A-Za-z-]+)>=[\d.]+"', text.split("bench = ")[0].split("[project]")[1])
    lines = [
        line for line in (ROOT / "constraints.txt").read_text().splitlines() if line[0] != "#"
    ]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert {"torch", "pytest", "matplotlib", "sphinx"} <= set(wanted)
    assert set(wanted) <= {line.split("==")[0].replace("Sphinx", "sphinx") for line in lines}


def test_users_are_shown_the_public_rooms_and_contributors_all():
    guide = (ROOT / "docs" / "contributing.md").read_text()
    for name in (*skrepr.__all__, *skrepr._SUBMODULES):
        assert f"`skrepr.{name}`" in README, name
    for path in (ROOT / "skrepr").iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert f"{path.name}/" in guide, path.name
        elif path.suffix == ".py" and path.name != "__init__.py":
            assert path.name in guide, path.name


@pytest.mark.parametrize("code", code_blocks("python"))
def test_code_of_the_readme_runs(code, capsys):
    exec(code, {})
    assert float(capsys.readouterr().out) > 0.85


def test_quickstart_in_small(quickstart, figures, monkeypatch, tmp_path, capsys):
    def small(width=2, **kwargs):
        return AutoencoderEmbedding(width, **kwargs | {"max_epochs": 1})

    monkeypatch.setattr(quickstart, "AutoencoderEmbedding", small)
    monkeypatch.setattr(quickstart, "MLP", partial(quickstart.MLP, (8,)))
    one_job = lambda *args, n_jobs, **kwargs: GridSearchCV(*args, **kwargs)  # noqa: E731
    monkeypatch.setattr(quickstart, "GridSearchCV", one_job)
    monkeypatch.setattr(
        quickstart,
        "load_digits",
        lambda return_X_y: [a[:300] for a in load_digits(return_X_y=True)],
    )
    quickstart.main(tmp_path / "picture.png")
    printed = capsys.readouterr().out
    assert "embed__n_components = 8" in printed
    height, width, _ = matplotlib.image.imread(tmp_path / "picture.png").shape
    assert (width, height) == (1000, 500)


def test_picture_shows_every_digit(quickstart, figures, tmp_path):
    """Each digit is its own mark in its own color, in both panels."""
    y = np.arange(50) % 10
    Z = np.random.default_rng(0).normal(size=(50, 2))
    names = ["PCA", "autoencoder"]
    index = pd.MultiIndex.from_product([[2], names])
    table = pd.DataFrame({"5 neighbors": [0.25, 0.75]}, index=index)
    quickstart.draw(dict.fromkeys(names, Z), y, table, tmp_path / "picture.png")
    figure = quickstart.plt.gcf()
    for ax, title in zip(figure.axes, ["25%", "75%"], strict=True):
        assert title in ax.get_title()
        assert len(ax.collections) == 10
        assert len({tuple(marks.get_facecolor()[0]) for marks in ax.collections}) == 10
        assert sum(len(marks.get_offsets()) for marks in ax.collections) == 50


def test_example_of_the_displays_in_small(figures, tmp_path):
    displays = example("plot_looking_at_an_embedding").main(tmp_path / "picture.png", max_epochs=1)
    assert len(displays["map"].scatters_) == 10
    assert len(displays["map"].thumbnails_) > 5
    assert "train_loss" in displays["loss"].lines_
    assert displays["reconstruction"].samples.shape == (6, 1, 8, 8)
    assert (tmp_path / "picture.png").exists()


def test_example_of_a_latent_space_in_small(figures, tmp_path):
    module = example("plot_vae_latent_space")
    parameters = {"max_epochs": 1, "n_pseudo_inputs": 4, "architecture": MLP((8,))}
    embedding, samples = module.main(tmp_path / "picture.png", **parameters)
    assert samples.shape == (64, 64)
    left, middle, right = module.plt.gcf().axes
    assert len(left.child_axes) == 8 * 7
    walks = np.asarray(right.images[0].get_array())
    assert walks.shape == np.asarray(middle.images[0].get_array()).shape == (71, 71)
    # each walk ends in the reconstruction of a digit that was not seen
    X, y = load_digits(return_X_y=True)
    _, X_test, _, y_test = train_test_split(X, y, random_state=0)
    (three,) = embedding.reconstruct(X_test[y_test == 3][:1]).reshape(-1, 8, 8)
    np.testing.assert_allclose(walks[:8, -8:], three, atol=1e-4)
    assert (tmp_path / "picture.png").exists()


def test_example_of_galaxies_in_small(figures, tmp_path):
    agreement = example("plot_contrastive_galaxies").main(
        tmp_path / "picture.png", n_samples=100, max_epochs=1
    )
    assert set(agreement) == {"contrastive", "autoencoder"}
    assert all(-0.1 < value < 1 for of_one in agreement.values() for value in of_one.values())
    assert (tmp_path / "picture.png").exists()


def test_example_of_word_vectors_in_small(figures, tmp_path):
    module = example("plot_word_vectors")
    words, values = module.main(tmp_path / "picture.png", max_epochs=1)
    left, right = module.plt.gcf().axes
    shown = {text.get_text() for text in left.texts}
    assert {"list", "tuple", "dict", "file", "exception"} <= shown <= {*words}
    assert {text.get_text() for text in right.texts} >= {"cultivar A", "alcohol low"}
    assert len(right.lines) == len(values) == 3 * 14
    assert (tmp_path / "picture.png").exists()


def test_example_of_light_curves_in_small(figures, tmp_path):
    module = example("plot_light_curves")
    agreement = module.main(tmp_path / "picture.png", n_samples=24, max_epochs=1)
    assert set(agreement) == {"embedding", "moments"}
    axes = module.plt.gcf().axes
    assert len(axes) == module.N_GROUPS * (module.N_DRAWN + 1)
    sizes = [int(panel.texts[0].get_text()) for panel in axes if panel.texts]
    assert len(sizes) == module.N_GROUPS and sum(sizes) == 24
    assert (tmp_path / "picture.png").exists()


def test_example_of_attention_in_small(figures, tmp_path):
    module = example("plot_attention")
    shares = module.main(tmp_path / "picture.png", n_samples=40, max_epochs=1)
    assert shares["straight line"] < 0.2
    _, maps, gaps = np.reshape(module.plt.gcf().axes, (3, 3))
    assert all(panel.images[0].get_array().shape == (32, 32) for panel in maps)
    assert all(len(panel.lines) == 3 for panel in gaps)
    assert (tmp_path / "picture.png").exists()


@pytest.mark.slow
def test_quickstart_shows_a_gain(tmp_path):
    command = [sys.executable, "-W", "error", "examples/quickstart.py", tmp_path / "picture.png"]
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    rows = re.findall(r"(PCA|autoencoder) +([\d.]+) +([\d.]+) +([\d.]+)$", result.stdout, re.M)
    assert len(rows) == 6
    for pca, autoencoder in zip(rows[::2], rows[1::2], strict=True):
        assert (pca[0], autoencoder[0]) == ("PCA", "autoencoder")
        assert all(float(a) > float(b) for a, b in zip(autoencoder[1:3], pca[1:3], strict=True))
    assert (tmp_path / "picture.png").stat().st_size > 10_000


@pytest.mark.slow
def test_denoising_example(figures, tmp_path):
    errors = example("plot_denoising").main(tmp_path / "picture.png")
    assert errors["autoencoder"] < errors["PCA"] / 2 < errors["noisy"]
    assert (tmp_path / "picture.png").exists()


@pytest.mark.slow
def test_example_beside_pca(figures, tmp_path):
    shares = example("plot_autoencoder_vs_pca").main(tmp_path / "picture.png")
    for (data, width, method), share in shares.items():
        pca = shares[data, width, "PCA"]
        if method == "linear autoencoder":
            assert share == pytest.approx(pca, abs=0.01)
        elif method == "autoencoder":
            assert share > pca + 0.1
    assert (tmp_path / "picture.png").exists()


@pytest.mark.slow
def test_example_of_word_vectors(figures, tmp_path):
    words, values = example("plot_word_vectors").main(tmp_path / "picture.png")
    others = ["file", "exception", "client", "method", "encoding"]
    for a, b in (("list", "tuple"), ("list", "dict"), ("tuple", "dict")):
        for other in others:
            assert words.similarity(a, b) > max(words.similarity(x, other) for x in (a, b))
    for analogy, expected in (
        (("string", "str", "integer"), "int"),
        (("function", "functions", "class"), "classes"),
    ):
        # Python's documentation changes from one version to the next
        assert expected in {word for word, _ in words.analogy(*analogy, topn=3)}
    for value, cultivar in (
        ("flavanoids=high", "A"),
        ("alcohol=low", "B"),
        ("flavanoids=low", "C"),
    ):
        near = {c: values.similarity(value, f"cultivar={c}") for c in "ABC"}
        assert max(near, key=near.get) == cultivar, value


@pytest.mark.slow
def test_example_of_light_curves(figures, tmp_path):
    agreement = example("plot_light_curves").main(tmp_path / "picture.png")
    assert agreement["embedding"] > 0.6 > agreement["moments"]


@pytest.mark.slow
def test_example_of_attention(figures, tmp_path):
    shares = example("plot_attention").main(tmp_path / "picture.png")
    assert shares["attention"] > 0.8
    # where a patch looks first, besides at its neighbors, is whole seasons away
    for panel, period in zip(example("plot_attention").plt.gcf().axes[3:6], (24, 32, 40)):
        lag = np.abs(np.subtract.outer(np.arange(32), np.arange(32))) * 4
        weights = np.asarray(panel.images[0].get_array())
        means = {n: weights[lag == n].mean() for n in range(16, 64, 4)}
        assert max(means, key=means.get) % period == 0
