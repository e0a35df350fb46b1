"""descend() and perturb()."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import descend
from distill3d.prior import Prior


@given(st.integers(0, 10_000))
def test_the_derivative_of_descend_is_the_gradient_and_its_value_half_the_square(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 4, 4, 3, generator=generator, dtype=torch.float64).requires_grad_()
    g = torch.randn(3, 4, 4, 3, generator=generator, dtype=torch.float64)
    loss = descend(x, g)
    torch.testing.assert_close(torch.autograd.grad(loss, x)[0], g)
    torch.testing.assert_close(loss.detach(), 0.5 * g.square().sum())


def test_no_gradient_flows_through_the_gradient_itself():
    x = torch.ones(3, requires_grad=True)
    (g,) = torch.autograd.grad(descend(x, 3 * x), x)
    assert g.tolist() == [3, 3, 3]


def test_perturb_keeps_variance_and_says_what_it_did():
    t = torch.full((2000,), 0.3)
    x = torch.randn(2000, 3, 1, 1, generator=torch.Generator().manual_seed(1), requires_grad=True)
    p = perturb(x, Prior(), t, Moment(1, 1, torch.Generator().manual_seed(0)))
    assert not p.x_t.requires_grad
    assert abs(p.x_t.var().item() - 1) < 0.06
    torch.testing.assert_close(
        p.x_t, p.alpha.reshape(-1, 1, 1, 1) * x.detach() + p.sigma.reshape(-1, 1, 1, 1) * p.noise
    )
    torch.testing.assert_close(p.alpha**2 + p.sigma**2, torch.ones_like(t))
