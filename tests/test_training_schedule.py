"""The learning rate rises and falls."""

import numpy as np
import pytest

from skrepr._training import rise_and_fall


@pytest.mark.parametrize("rising", [0.05, 0.1])
def test_it_rises_from_a_tenth_to_one_and_falls_to_zero(rising):
    assert rise_and_fall(0.0, rising) == pytest.approx(0.1)
    assert rise_and_fall(rising, rising) == pytest.approx(1)
    assert rise_and_fall(1.0, rising) == pytest.approx(0, abs=1e-12)
    assert rise_and_fall((1 + rising) / 2, rising) == pytest.approx(0.5)
    factors = [rise_and_fall(fraction, rising) for fraction in np.linspace(0, 1, 101)]
    top = int(np.argmax(factors))
    assert top == round(100 * rising)
    assert (np.diff(factors[: top + 1]) > 0).all()
    assert (np.diff(factors[top:]) < 0).all()


def test_without_a_plan_it_is_constant():
    assert rise_and_fall(None, 0.1) == 1.0
