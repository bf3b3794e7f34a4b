"""Laws of the contrastive embedding as an estimator."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from torch import nn

from skrepr import ContrastiveEmbedding, RepresentationCollapseWarning, load, save
from skrepr.architectures import MLP, ConvNet, Linear
from skrepr.augmentations import FeatureSwap, GaussianNoise, RandomRotation, make_view
from skrepr.metrics import alignment, effective_rank, uniformity
from skrepr.objectives import (
    BYOL,
    MaskedReconstruction,
    SimCLR,
    SupCon,
    VICReg,
    WeightedSum,
    bits_of_agreement,
    pointwise_agreement,
)

DIGITS, CLASSES = load_digits(return_X_y=True)
DIGITS = DIGITS.astype(np.float32)
X = DIGITS[:300]


def make(n_components=8, **parameters):
    small = {"architecture": MLP((16,)), "max_epochs": 2, "random_state": 0}
    return ContrastiveEmbedding(n_components, **small | parameters)


@pytest.fixture(scope="module")
def fitted():
    return make(augmentation=[FeatureSwap(0.3), GaussianNoise(0.2)], max_epochs=5).fit(X)


# ------------------------------------------------------------------------ what it learns


def test_the_embedding_is_pca_of_the_features(fitted):
    with torch.inference_mode():
        features = fitted.module_.encode(torch.from_numpy(X)).numpy()
    pca = PCA(8).fit(features)
    Z = fitted.transform(X)
    assert_allclose(np.abs(Z), np.abs(pca.transform(features)), atol=1e-4)
    assert_allclose(fitted.explained_variance_, pca.explained_variance_, rtol=1e-4)
    assert features.shape[1] == 16 + 64


@pytest.mark.slow
def test_classes_come_closer_than_in_pca():
    """Swaps of a third of the pixels leave a digit what it is."""
    train, test = DIGITS[:1200], DIGITS[1200:]
    embedding = ContrastiveEmbedding(16, input_shape=(1, 8, 8), max_epochs=15, random_state=0)
    scores = [
        make_pipeline(model, KNeighborsClassifier(5))
        .fit(train, CLASSES[:1200])
        .score(test, CLASSES[1200:])
        for model in (embedding, PCA(4))
    ]
    assert scores[0] > scores[1] + 0.03


def test_training_does_not_go_on_in_another_number_of_dimensions(fitted):
    """No weight of the network tells: the readout is a matter of its own."""
    for goes_on in ("fit", "partial_fit"):
        other = clone(fitted).fit(X[:50]).set_params(n_components=5, warm_start=True)
        with pytest.raises(ValueError, match=r"n_components=5 .* which has n_components=8"):
            getattr(other, goes_on)(X[:50])
        assert other.transform(X[:3]).shape == (3, 8)


@pytest.mark.slow
def test_rotated_images_stay_closest_to_their_own_original():
    """Where the objective compares them, behind its head."""
    images = np.pad(DIGITS.reshape(-1, 1, 8, 8), ((0, 0), (0, 0), (2, 2), (2, 2)))
    embedding = make(
        architecture=ConvNet((16, 32, 64), activation="relu"),
        augmentation=RandomRotation(180),
        max_epochs=100,
        learning_rate=3e-3,
    ).fit(images[:1200])
    module = embedding.module_
    with torch.inference_mode():
        inputs = module.units(torch.from_numpy(images[-500:]))
        turned = RandomRotation(180)(inputs, torch.Generator().manual_seed(1))
        first, second = (
            nn.functional.normalize(module.objective.head(module.backbone(x)))
            for x in (inputs, turned)
        )
    nearest = (second @ first.T).argmax(1)
    assert (nearest == torch.arange(500)).float().mean() >= 0.95


def test_labels_draw_classes_together():
    train, test, classes = DIGITS[:1200], DIGITS[1200:], CLASSES[:1200]
    accuracies = []
    for supervised in (True, False):
        embedding = make(4, architecture=MLP((64,)), max_epochs=20, supervised=supervised)
        Z = embedding.fit(train, classes).transform(train)
        neighbors = KNeighborsClassifier(5).fit(Z, classes)
        accuracies.append(neighbors.score(embedding.transform(test), CLASSES[1200:]))
    assert accuracies[0] > accuracies[1] + 0.01  # 0.02 to 0.05 over three seeds


def test_without_supervised_labels_are_ignored(fitted):
    again = make(augmentation=[FeatureSwap(0.3), GaussianNoise(0.2)], max_epochs=5)
    again.fit(X, CLASSES[:300] / 3)
    assert_array_equal(again.transform(X), fitted.transform(X))


@pytest.mark.parametrize("kind", [str, bool, "category"])
def test_labels_of_any_type(kind):
    import pandas as pd

    y = pd.Series(CLASSES[:300] % 2).astype(kind)
    expected = make(supervised=True).fit(X, CLASSES[:300] % 2).transform(X)
    assert_array_equal(make(supervised=True).fit(X, y).transform(X), expected)


# ------------------------------------------------------------------------------ figures


def test_score_is_that_of_the_definition():
    embedding = make(max_epochs=3).fit(DIGITS[:600])
    module, bits = embedding.module_, []
    generator = torch.Generator().manual_seed(int(module.seed))
    with torch.inference_mode():
        for start in (0, 256):
            x = module.units(torch.from_numpy(DIGITS[600:][start : start + 256]))
            views = [make_view(x, embedding.augmentation_, generator) for _ in range(2)]
            pair = [nn.functional.normalize(module.backbone(view)) for view in views]
            bits.append(bits_of_agreement(*pair, embedding.temperature_))
    assert_allclose(embedding.score(DIGITS[600:1200]), np.mean(bits), rtol=1e-4)
    assert 0 < embedding.score(DIGITS[600:]) < 8


def test_score_chooses_the_network_that_has_learned():
    """One change that all rows share is no task: an untrained network tells rows apart."""
    settings = {"architecture": MLP((64,)), "augmentation": FeatureSwap(0.3), "max_epochs": 20}
    learned, untrained = (
        make(**settings, learning_rate=rate).fit(DIGITS[:1200]).score(DIGITS[1200:])
        for rate in (3e-3, 1e-9)
    )
    assert learned > untrained + 0.5


def test_scores_of_rows_are_those_of_the_definition(fitted):
    x = torch.from_numpy(X[:20])
    with torch.inference_mode():
        views = torch.stack([fitted.module_.embed(x, number) for number in range(4)])
        expected = pointwise_agreement(views, fitted.module_.references, fitted.temperature_)
    assert_allclose(fitted.score_samples(X[:20]), expected, rtol=1e-4, atol=1e-5)


def test_each_row_depends_on_itself_alone(fitted):
    order = np.random.default_rng(0).permutation(300)
    for function in (fitted.transform, fitted.score_samples):
        whole = function(X)
        assert_allclose(function(X[order]), whole[order], rtol=1e-3, atol=1e-4)
        assert_allclose(function(X[7:8]), whole[7:8], rtol=1e-3, atol=1e-4)


def test_figures_of_the_fit(fitted):
    with torch.inference_mode():
        ((first, second),) = fitted.module_.pairs([torch.from_numpy(X[:256])])
    first, second = first.numpy(), second.numpy()
    assert_allclose(fitted.alignment_, alignment(first, second), rtol=1e-4)
    assert_allclose(fitted.uniformity_, uniformity(first), rtol=1e-4)
    assert_allclose(fitted.effective_rank_, effective_rank(first), rtol=1e-3)


def test_a_collapsed_encoder_is_told_although_the_rows_are_joined():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 8)
            nn.init.zeros_(self.layer.weight)

        def forward(self, x):
            return self.layer(x)

    with pytest.warns(RepresentationCollapseWarning, match="constant"):
        make(architecture=Constant(), trainable=False).fit(X)


def test_early_stopping_watches_agreement_where_the_loss_is_lowest_at_collapse():
    settings = {"early_stopping": True, "max_epochs": 3}
    watched = make(objective=BYOL(), **settings).fit(X).history_
    assert watched["valid_watched"].between(-8, 1).all()
    assert "valid_watched" not in make(objective=SimCLR(), **settings).fit(X).history_


# ------------------------------------------------------------------------------- parts


def test_parts_are_chosen_by_the_shape_of_the_data():
    embedding = make(architecture=None).fit(X)
    assert isinstance(embedding.architecture_, MLP)
    assert isinstance(embedding.objective_, SimCLR)
    assert [type(part).__name__ for part in embedding.augmentation_] == ["FeatureSwap"]
    images = make(architecture=None, input_shape=(1, 8, 8), max_epochs=1).fit(X[:40])
    assert isinstance(images.architecture_, ConvNet)
    assert type(images.augmentation_[0]).__name__ == "RandomCrop"
    assert isinstance(make(supervised=True).fit(X, CLASSES[:300]).objective_, SupCon)


def test_a_torch_module_is_read_as_it_is():
    encoder = nn.Sequential(nn.Linear(64, 12), nn.ReLU())
    embedding = make(4, architecture=encoder, trainable=False).fit(X)
    with torch.inference_mode():
        expected = PCA(4).fit_transform(encoder(torch.from_numpy(X)).numpy())
    assert_allclose(np.abs(embedding.transform(X)), np.abs(expected), atol=1e-3)


def test_a_recipe_without_a_backbone_gives_its_encoder():
    embedding = make(4, architecture=Linear()).fit(X)
    assert embedding.transform(X).shape == (300, 4)
    assert embedding.module_.backbone.width == 4


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"objective": SupCon()}, "uses labels, and supervised is False"),
        ({"objective": VICReg(), "supervised": True}, "does not use labels"),
        ({"objective": WeightedSum([("a", SupCon(), 1.0)])}, "uses labels, and supervised is F"),
        ({"objective": WeightedSum([("a", MaskedReconstruction(), 1.0)])}, "compare two views"),
        ({"objective": SimCLR}, "instance"),
        ({"objective": SimCLR(temperature=-1)}, "temperature"),
        ({"augmentation": [3]}, "augmentation"),
        ({"batch_size": 1}, "at least two rows"),
    ],
)
def test_what_does_not_go_together_is_told(parameters, told):
    with pytest.raises((TypeError, ValueError), match=told):
        make(**parameters).fit(X, CLASSES[:300])


def test_a_grid_reaches_inside_the_objective():
    embedding = make(objective=SimCLR()).set_params(objective__temperature=0.5)
    assert embedding.objective.temperature == 0.5
    named = make(augmentation=[("swap", FeatureSwap())]).set_params(augmentation__swap__rate=0.4)
    assert named.fit(X).augmentation_[0].rate == 0.4


# ------------------------------------------------------------------------ state and streams


SUM = WeightedSum([("near", SimCLR(), 1.0), ("vary", VICReg(), 0.1)])


def test_terms_of_a_sum_are_told():
    embedding = make(objective=SUM, early_stopping=True).set_params(
        objective__near__temperature=0.4
    )
    history = embedding.fit(X).history_
    assert embedding.objective_.parts[0][1].temperature == 0.4
    for rows in ("train", "valid"):
        total = history[f"{rows}_near"] + history[f"{rows}_vary"]
        assert_allclose(history[f"{rows}_loss"], total, rtol=1e-5)
    with_labels = WeightedSum([("near", SupCon(), 1.0), ("vary", VICReg(), 0.1)])
    assert make(objective=with_labels, supervised=True).fit(X, CLASSES[:300]).score(X) > 0


@pytest.mark.parametrize("objective", [SimCLR(), BYOL(), VICReg(), SUM])
def test_what_was_saved_answers_and_goes_on_alike(objective, tmp_path):
    embedding = make(objective=objective, warm_start=True).fit(X)
    save(embedding, tmp_path / "model", resume=True)
    for other in (load(tmp_path / "model"), pickle.loads(pickle.dumps(embedding))):
        assert_array_equal(other.transform(X), embedding.transform(X))
        assert_array_equal(other.score_samples(X), embedding.score_samples(X))
        assert other.score(X) == embedding.score(X)
        once = clone(embedding).fit(X).fit(X)
        assert_array_equal(other.fit(X).transform(X), once.transform(X))


def test_a_stream_gives_an_embedding():
    chunks = np.array_split(DIGITS, 6)
    first, second = make(), make()
    for chunk in chunks:
        first.partial_fit(chunk)
        second.partial_fit(chunk)
    assert_array_equal(first.transform(X), second.transform(X))
    assert first.transform(X).shape == (300, 8)
    assert first.score(X) > 0


def test_rows_of_a_stream_are_compared_with_those_of_the_network_as_it_is():
    embedding = make()
    for start, stop in ((0, 300), (300, 600), (600, 700)):
        embedding.partial_fit(DIGITS[start:stop])
        before = embedding.module_.references.clone()
    embedding.partial_fit(DIGITS[700:780])
    references = embedding.module_.references
    with torch.inference_mode():
        latest = embedding.module_.embed(torch.from_numpy(DIGITS[700:780]), 0)
    assert_allclose(references[:80], latest, rtol=1e-3, atol=1e-4)
    assert_array_equal(references[80:], before[:-80])


def test_missing_values_are_mean_ones():
    holes = X.copy()
    holes[np.random.default_rng(0).random(holes.shape) < 0.1] = np.nan
    embedding = make(missing="mask").fit(holes)
    assert np.isfinite(embedding.transform(holes)).all()
    assert np.isfinite(embedding.score_samples(holes)).all()


def test_data_that_do_not_vary():
    constant = np.ones((60, 7))
    embedding = make(architecture=None).fit(constant)
    assert not embedding.transform(constant).any()
    assert np.isfinite(embedding.score_samples(constant)).all()
    assert abs(embedding.score(constant)) < 1e-3


def test_more_components_than_features():
    Z = make(120).fit(X).transform(X)
    assert Z.shape == (300, 120)
    assert Z[:, :60].std(0).all()
    assert not Z[:, 80:].any()


def test_series_and_layouts():
    few = X[:40]
    series = make(architecture=None, input_shape=(1, -1), max_epochs=1).fit(few)
    assert series.input_shape_ == (1, 64)
    assert series.transform(few).shape == (40, 8)
    images = few.reshape(-1, 1, 8, 8)
    as_images = make(architecture=ConvNet((8,)))
    assert_array_equal(
        clone(as_images).fit(images).transform(images),
        as_images.set_params(input_shape=(1, 8, 8)).fit(few).transform(few),
    )
