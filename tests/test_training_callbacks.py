"""The user's callbacks are checked and copied; the bar is ours."""

import re

import pytest
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    GradientNormClipping,
)
from trainings import Loss, callback_of, embedding, make, table, train_ours


def test_callbacks_of_the_user_are_copied():
    class Counter(Callback):
        n = 0

        def on_epoch_end(self, net, **kwargs):
            self.n += 1

    counter = Counter()
    estimator = embedding(callbacks=[("count", counter)]).fit(table())
    assert counter.n == 0
    assert vars(counter) == {}
    assert callback_of(estimator.net_, Counter).n == 3
    estimator.fit(table())
    assert callback_of(estimator.net_, Counter).n == 3


class NotACallback:
    pass


@pytest.mark.parametrize(
    "callback", [NotACallback(), EarlyStopping, ("name", NotACallback()), "EarlyStopping"]
)
def test_callbacks_of_wrong_kinds(callback):
    with pytest.raises(TypeError, match=r"callbacks: expected instances of skorch\.callbacks"):
        embedding(callbacks=[callback]).fit(table())


class ForScikitLearn:
    """Follows the protocol of scikit-learn."""

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass


@pytest.mark.parametrize("entry", [ForScikitLearn(), ("name", ForScikitLearn())])
def test_callbacks_of_sklearn_are_told_apart(entry):
    with pytest.raises(TypeError, match=r"ForScikitLearn .* of scikit-learn.*set_callbacks"):
        embedding(callbacks=[entry]).fit(table())


def test_progress_bar(capsys):
    embedding(verbose=1, early_stopping=True, max_epochs=4).fit(table())
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert re.search(r"4/4 .*loss=\d.*held out=\d", shown.err)


def test_no_progress_bar(capsys):
    embedding(verbose=0, early_stopping=True).fit(table())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("entry", [GradientNormClipping(), ("name", GradientNormClipping())])
def test_callbacks_of_gradients_need_some(entry):
    class OwnSteps(Loss):
        def take_step(self, x, rate, precision, side_by_side):
            raise AssertionError

    with pytest.raises(TypeError, match="GradientNormClipping acts on gradients"):
        train_ours(make(OwnSteps), [entry], weight_decay=0.0)
