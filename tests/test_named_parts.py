"""Laws of several parts in one parameter, within reach of a grid."""

import pytest
from sklearn.base import clone

from skrepr import AutoencoderEmbedding
from skrepr.augmentations import FeatureDropout, GaussianNoise


def make(**parameters):
    return AutoencoderEmbedding(3, random_state=0, **parameters)


NAMED = [("mask", FeatureDropout(0.1)), ("noise", GaussianNoise(0.2))]


def test_named_parts_are_parameters():
    estimator = make(corruption=clone_pairs(NAMED))
    params = estimator.get_params()
    assert params["corruption__noise__scale"] == 0.2
    assert isinstance(params["corruption__mask"], FeatureDropout)
    assert "corruption__noise" not in estimator.get_params(deep=False)
    estimator.set_params(corruption__noise__scale=0.5, n_components=2)
    assert estimator.get_params()["corruption__noise__scale"] == 0.5
    assert estimator.n_components == 2
    estimator.set_params(corruption__mask=GaussianNoise(0.7))
    assert estimator.get_params()["corruption__mask__scale"] == 0.7
    assert [name for name, _ in estimator.corruption] == ["mask", "noise"]


def clone_pairs(pairs):
    return [(name, clone(part)) for name, part in pairs]


def test_named_parts_are_replaced_before_they_are_reached_into():
    estimator = make(corruption=clone_pairs(NAMED))
    estimator.set_params(corruption__new__scale=0.4, corruption=[("new", GaussianNoise(0.1))])
    assert estimator.corruption[0][1].scale == 0.4
    estimator.set_params(corruption__new__scale=0.6, corruption__new=GaussianNoise(0.1))
    assert estimator.corruption[0][1].scale == 0.6


@pytest.mark.parametrize("name", ["corruption__blur__scale", "corruption__blur"])
def test_unknown_named_parts(name):
    with pytest.raises(ValueError, match=r"'blur'.*\['mask', 'noise'\]"):
        make(corruption=clone_pairs(NAMED)).set_params(**{name: 1})


def test_clone_copies_named_parts():
    estimator = make(corruption=clone_pairs(NAMED))
    cloned = clone(estimator)
    cloned.set_params(corruption__noise__scale=9)
    assert estimator.get_params()["corruption__noise__scale"] == 0.2
    assert repr(estimator).count("GaussianNoise") == 1


def test_a_list_and_a_part_of_it_are_set_in_one_call():
    estimator = make().set_params(
        corruption=[("mask", FeatureDropout())], corruption__mask__rate=0.5
    )
    assert estimator.corruption[0][1].rate == 0.5
