"""From an embedding back to data, where an estimator knows a way."""

import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA, KernelPCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import VarianceThreshold
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr.displays import ReconstructionDisplay

pytestmark = pytest.mark.usefixtures("figures")


class FakeUMAP(PCA):
    """Has its way back from UMAP's module, as UMAP itself and what is derived from it."""

    def inverse_transform(self, Z):
        raise AssertionError("the endless way back was taken")

    inverse_transform.__module__ = "umap.umap_"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: make_pipeline(StandardScaler(), model),
        lambda model: make_pipeline(StandardScaler(), make_pipeline("passthrough", model)),
        lambda model: make_pipeline(make_pipeline(model, None), StandardScaler()),
        lambda model: GridSearchCV(make_pipeline(model), {}, cv=2),
    ],
)
def test_the_way_back_of_umap_is_not_taken(wrap, X):
    model = wrap(FakeUMAP(3)).fit(X)
    with pytest.raises(TypeError, match="way back of FakeUMAP solves a problem for each row"):
        ReconstructionDisplay.from_estimator(model, X)


def test_a_way_back_that_ends_is_taken_in_its_place(X):
    class Learned(FakeUMAP):
        def inverse_transform(self, Z):
            return PCA.inverse_transform(self, Z)

    model = Learned(12).fit(X)
    assert ReconstructionDisplay.from_estimator(model, X, rows=[0]).errors_.max() < 1e-9


class SelectWithoutWayBack(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X[:, :5]


def test_a_step_that_cannot_rebuild_is_named(X):
    model = make_pipeline(VarianceThreshold(), make_pipeline(SelectWithoutWayBack(), PCA(2)))
    with pytest.raises(TypeError, match="SelectWithoutWayBack has no inverse_transform"):
        ReconstructionDisplay.from_estimator(model.fit(X), X)


class NoWayBackYet(PCA):
    def inverse_transform(self, Z):
        raise NotImplementedError("not for this solver")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (KernelPCA(3), "KernelPCA does not work with its parameters.*fit_inverse_transform"),
        (
            make_pipeline(StandardScaler(), KernelPCA(3)),
            # scikit-learn 1.6 says the latter of any error of this kind
            "Pipeline .*(fit_inverse_transform|is not fitted yet)",
        ),
        (NoWayBackYet(3), "NoWayBackYet .*not for this solver"),
    ],
)
def test_a_way_back_that_these_parameters_lack_is_told(model, message, X):
    with pytest.raises(TypeError, match=message):
        ReconstructionDisplay.from_estimator(model.fit(X), X)


def test_what_is_not_fitted_is_told_as_such(X):
    with pytest.raises(NotFittedError, match="This TruncatedSVD instance is not fitted yet"):
        ReconstructionDisplay.from_estimator(TruncatedSVD(3), X)


def test_what_cannot_rebuild_is_told(X):
    class Encoder:
        def transform(self, X):
            return X[:, :2]

    with pytest.raises(TypeError, match="Encoder has no inverse_transform"):
        ReconstructionDisplay.from_estimator(Encoder(), X)
