"""What methods have in common: limits in which one is another, with the same randomness."""

from __future__ import annotations

import pytest
import torch

from distill3d.objectives.asd import ASD
from distill3d.objectives.bsd import BSD
from distill3d.objectives.bsd_auto import BSDAuto
from distill3d.objectives.c_sds import CSDS
from distill3d.objectives.cds import CDS
from distill3d.objectives.csd import CSD
from distill3d.objectives.csm import CSM
from distill3d.objectives.esd import ESD
from distill3d.objectives.f_vsd import FVSD
from distill3d.objectives.hifa import HiFA
from distill3d.objectives.ism import ISM
from distill3d.objectives.jsd_joint import JSDJoint
from distill3d.objectives.jsd_js import JSDJS
from distill3d.objectives.nfsd import NFSD
from distill3d.objectives.sdi import SDI
from distill3d.objectives.sds import SDS
from distill3d.objectives.sim import SIM
from distill3d.objectives.sjc import SJC
from distill3d.objectives.vsd import VSD

from .particles import ALPHA, MANY_SCENES, SIGMA, CosineLine, Line, gradient_of, one_scene

X = torch.linspace(-2, 2, 6)
CAMERAS = one_scene(len(X))
P = ALPHA**2 * 1.5**2 + SIGMA**2
DIRECTION = -SIGMA * ALPHA * (0.7 - 0.0) / P  # ε_c - ε_u under Line, everywhere


def of(objective, prior=None, condition=CAMERAS, **kwargs):
    return gradient_of(objective, X, Line() if prior is None else prior, condition, **kwargs)


def test_sjc_is_sds_with_a_constant_weight():
    torch.testing.assert_close(of(SJC()) * SIGMA**2, of(SDS()))


def test_vsd_of_one_scene_with_an_exact_fake_is_sds():
    torch.testing.assert_close(of(VSD(fake="own")), of(SDS()))


def test_vsd_of_one_picture_with_an_exact_fake_is_sds_though_no_camera_is_known():
    one = torch.tensor([1.3])
    ours, theirs = (gradient_of(o, one, Line(), MANY_SCENES) for o in (VSD(fake="own"), SDS()))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_esd_without_entropy_is_vsd_with_the_same_learned_fake():
    torch.testing.assert_close(of(ESD(entropy=0.0, fake="network")), of(VSD(fake="network")))


def test_esd_is_linear_in_its_entropy():
    none, half, full = (of(ESD(entropy=e, fake="network")) for e in (0.0, 0.5, 1.0))
    torch.testing.assert_close(half, (none + full) / 2)


def test_csd_is_sds_under_endless_guidance():
    torch.testing.assert_close(of(SDS(guidance=1e5)) / 1e5, of(CSD()), atol=1e-4, rtol=1e-3)


def test_csd_shares_the_negative_prompt_and_the_null_prompt():
    """A negative prompt that is the prompt itself leaves (1 - n) of the direction."""
    torch.testing.assert_close(of(CSD(negative="it", share=(0.25, 0.25))), 0.75 * of(CSD()))


def test_asd_without_a_shift_is_csd_times_the_guidance_over_1():
    torch.testing.assert_close(of(ASD(shift=0.0, guidance=4.0)), 3 * of(CSD()), atol=1e-5, rtol=1e-4)


def test_asd_subtracts_the_same_noise_at_a_higher_level():
    """With the prior's shape known, ε at both levels is linear in x and the noise: the noise is shared."""
    prior = CosineLine()
    a, b = (of(ASD(shift=0.5, t_first=(0.4, 0.4), t_last=(0.1, 0.1)), prior, seed=s) for s in (1, 2))
    assert not torch.allclose(a, b)
    assert of(ASD(shift=1e-7), prior).abs().max() < 1e-4


def test_cds_vanishes_with_its_gap():
    wide, narrow = (of(CDS(gap=(g, g)), CosineLine()) for g in (0.2, 1e-5))
    assert wide.abs().min() > 1e-3 and narrow.abs().max() < 1e-4


def test_cds_keeps_its_noise_for_the_whole_run_and_goes_on_with_it():
    objective, other = CDS(t_first=(0.5, 0.5), t_last=(0.1, 0.1), gap=(0.2, 0.2)), CDS()
    first, again = of(objective, CosineLine(), seed=1), of(objective, CosineLine(), seed=2)
    torch.testing.assert_close(first, again)
    other.load_state_dict(objective.state_dict())
    assert torch.equal(other.noise, objective.noise)


def test_nfsd_with_much_noise_and_no_words_for_bad_pictures_is_csd():
    torch.testing.assert_close(of(NFSD(guidance=7.5)), 7.5 * of(CSD()))


def test_nfsd_with_little_noise_adds_the_unprompted_noise():
    little = {"t_first": (0.1, 0.1), "t_last": (0.1, 0.1)}
    moment_free = of(NFSD(guidance=0.0, **little)) - of(SDS(guidance=0.0, **little))
    added = moment_free / SIGMA**2  # ε_u - (ε_u - ε)
    assert added.std() > 0.3
    torch.testing.assert_close(
        of(NFSD(guidance=0.0, negative="it", **little)), of(NFSD(guidance=0.0, **little))
    )


def test_hifa_of_a_prior_of_pixels_is_sds_times_1_and_its_weight():
    level = {"t_first": (0.5, 0.5), "t_last": (0.5, 0.5)}
    torch.testing.assert_close(of(HiFA(clean=0.3, **level)), 1.3 * of(SDS(**level)), atol=1e-5, rtol=1e-4)


def test_csm_and_ism_draw_no_noise():
    for objective in (CSM(t_first=(0.5, 0.5)), ISM(t_first=(0.5, 0.5)), SDI()):
        torch.testing.assert_close(
            of(objective, CosineLine(), seed=1), of(objective, CosineLine(), seed=2), atol=1e-6, rtol=1e-5
        )


def test_csm_is_csd_where_the_direction_is_the_same_everywhere():
    torch.testing.assert_close(of(CSM(guidance=3.0)), 3 * of(CSD()), atol=1e-4, rtol=1e-3)


def test_sdi_is_the_picture_minus_the_clean_one_and_rests_at_the_mode():
    prior = CosineLine(mean=0.4)
    at_mode = gradient_of(SDI(), torch.full((3,), 0.4), prior, one_scene(3))
    assert at_mode.abs().max() < 1e-4
    g = of(SDI(), prior).flatten()
    assert (g.sign() == (X - 0.4).sign()).all() and (g.abs() <= 1.1 * (X - 0.4).abs() + 1e-4).all()


def test_c_sds_without_more_to_say_than_the_category_is_nothing():
    assert of(CSDS(category="it", guidance=1.0)).abs().max() == 0
    torch.testing.assert_close(of(CSDS(category="", guidance=1.0)), of(CSD()))


def test_f_vsd_with_the_reverse_divergence_is_vsd():
    torch.testing.assert_close(of(FVSD(divergence="reverse_kl")), of(VSD(fake="own")))


def test_jsd_js_halves_vsd_where_the_prior_and_the_scene_agree_and_less_elsewhere():
    ratio = of(JSDJS(fake="own")) / of(VSD(fake="own"))
    assert (ratio > 0).all() and (ratio <= 0.5 + 1e-6).all() and ratio.std() > 0.01


def test_jsd_joint_with_a_joint_prior_of_single_views_is_sds_times_1_and_its_weight():
    one = torch.tensor([1.3])
    joint = gradient_of(JSDJoint(joint=2.0), one, Line(), one_scene(1))
    alone = gradient_of(SDS(), one, Line(), one_scene(1))
    torch.testing.assert_close(joint, 3 * alone)


def test_sim_of_one_scene_with_an_exact_fake_is_sds_scaled():
    """With a wide robust distance it is α / σ of SDS: ε_q follows x_t with slope 1 / σ."""
    ours = of(SIM(fake="own", c=1e3)) * 1e3
    torch.testing.assert_close(ours, of(SDS()) * ALPHA / SIGMA, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("objective", [BSD(guidance=4.0), BSDAuto()], ids=["bsd", "bsd_auto"])
def test_balanced_scores_never_work_against_either_aim(objective):
    """In one dimension the shortest point between two directions that oppose each other is zero."""
    prior, x = Line(mean=0.7, null_mean=-0.7), torch.linspace(-6, 6, 64)
    g = gradient_of(objective, x, prior, one_scene(64))
    aim = torch.full_like(g, DIRECTION)
    assert (g * aim >= -1e-6).all()
    assert (g == 0).any() or (g.abs() < 1e-5).any()


def test_sdi_with_fresh_noise_alone_is_sds_at_its_weight():
    """η = 1 forgets what the inversion has found."""
    level = {"t_first": (0.5, 0.5), "t_last": (0.5, 0.5)}
    ours, theirs = of(SDI(fresh=1.0, **level)), of(SDS(**level))
    torch.testing.assert_close(ours * SIGMA * ALPHA, theirs, atol=1e-5, rtol=1e-4)


def test_sdi_with_little_fresh_noise_lies_near_the_one_without():
    prior = CosineLine()
    none, little, much = (of(SDI(fresh=eta), prior) for eta in (0.0, 0.01, 0.6))
    assert 0 < (little - none).norm() < 0.1 * (much - none).norm()


def test_the_control_variate_of_jsd_js_adds_the_scenes_own_residual():
    """Of an exact q by a camera that residual is zero; of a mixture it is not."""
    torch.testing.assert_close(of(JSDJS(fake="own", variate=3.0)), of(JSDJS(fake="own")))
    plain, half, whole = (of(JSDJS(fake="own", variate=c), condition=MANY_SCENES) for c in (0.0, 0.5, 1.0))
    torch.testing.assert_close(half - plain, (whole - plain) / 2)
    assert (whole - plain).abs().max() > 0.01
