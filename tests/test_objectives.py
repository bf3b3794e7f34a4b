"""Formulas of objectives against independent transcriptions, in float64."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skrepr.objectives import MomentumTeacher, info_nce


def transcription(queries, keys, temperature, others=()):
    """Equation 1 of He et al. (2020), row by row."""
    loss = 0.0
    for i, query in enumerate(queries):
        exponentials = []
        for key in [*keys, *others]:
            cosine = query @ key / np.sqrt((query @ query) * (key @ key))
            exponentials.append(np.exp(cosine / temperature))
        loss -= np.log(exponentials[i] / sum(exponentials))
    return loss / len(queries)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("n_others", [0, 4])
def test_info_nce(temperature, n_others):
    rng = np.random.default_rng(0)
    queries, keys, others = (rng.normal(size=(n, 3)) for n in (6, 6, n_others))
    given = torch.from_numpy(others) if n_others else None
    received = info_nce(
        torch.from_numpy(queries), torch.from_numpy(keys), temperature, others=given
    )
    assert_allclose(received, transcription(queries, keys, temperature, others), rtol=1e-6)


def test_info_nce_is_lower_for_partners_and_has_no_scale():
    torch.manual_seed(0)
    a = torch.randn(20, 4, dtype=torch.float64)
    b = a + 0.1 * torch.randn_like(a)
    assert info_nce(a, b) < 0.5 * info_nce(a, b.roll(1, 0))
    assert_allclose(info_nce(a * 7, b / 3), info_nce(a, b))
    same = torch.ones(20, 4)
    assert_allclose(info_nce(same, same), np.log(20), rtol=1e-6)


def test_the_teacher_is_a_moving_average():
    torch.manual_seed(0)
    student = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    teacher = MomentumTeacher(student, 2, momentum=0.75, queue_size=5)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    first = [parameter.detach().clone() for parameter in student.parameters()]
    with torch.no_grad():
        student[0].weight += 4.0
    student[1].running_mean.fill_(3.0)
    teacher.follow(student)
    assert_allclose(teacher.network[0].weight.detach(), first[0] + 1.0, rtol=1e-6)
    assert (teacher.network[1].running_mean == 3).all()
    teacher.start(student)
    assert teacher.network[0].weight.equal(student[0].weight)


def test_the_queue_holds_the_newest_rows_first():
    teacher = MomentumTeacher(torch.nn.Linear(3, 2), 2, queue_size=5)
    student = torch.nn.Linear(3, 2)
    for value in (1.0, 2.0, 3.0):
        keys = torch.full((2, 2), value, requires_grad=True)
        teacher.remember(keys)
        teacher.follow(student)
    assert teacher.queue[:, 0].tolist() == [3, 3, 2, 2, 1]
    teacher.follow(student)  # a step that remembered nothing
    assert teacher.queue[:, 0].tolist() == [3, 3, 2, 2, 1]
    assert not teacher.queue.requires_grad
