"""Growing and pruning of surfels, and the surface that they show."""

import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

from distill3d.camera import orbit
from distill3d.representations._primitives import LEARNED
from distill3d.representations.surfels import Surfels
from distill3d.rotation import matrix_from_wxyz, wxyz_between

CAMERAS = orbit(torch.tensor([0.3, 1.7]), 0.2, width=24, height=24)


def pulled(scene, optimizer):
    """One step of an optimizer, so that there are moments and a pull."""
    picture = scene.render(CAMERAS)
    optimizer.zero_grad()
    picture.rgb[:, :, :12].sum().backward()
    optimizer.step()


def sphere(count=3000, radius=0.7):
    """Opaque discs on a sphere, facing outwards."""
    steps = torch.arange(count) + 0.5
    height, azimuth = 1 - 2 * steps / count, 2.399963 * steps
    ring = (1 - height.square()).sqrt()
    outwards = torch.stack([ring * azimuth.cos(), ring * azimuth.sin(), height], -1)
    wxyz = wxyz_between(torch.tensor([0.0, 0, 1]).expand(count, 3), outwards)
    size = torch.full((count, 2), 0.03).log()
    return Surfels(radius * outwards, wxyz, size, torch.full((count,), 4.0), torch.zeros(count, 1, 3))


def test_a_sphere_of_discs_shows_its_depth_and_its_normals():
    picture = sphere().render(CAMERAS, want=("rgb", "alpha", "depth", "normal"))
    origins, directions = CAMERAS.rays()
    a, b = directions.square().sum(-1), (origins * directions).sum(-1)
    root = b.square() - a * (origins.square().sum(-1) - 0.7**2)
    hit = root > 0.35  # well inside the outline
    z = (-b - root.clamp_min(0).sqrt()) / a
    assert hit.sum() > 100
    assert (picture.mean_depth()[..., 0] - z)[hit].abs().max() < 0.03
    outwards = normalize(origins + z[..., None] * directions, dim=-1)
    assert (normalize(picture.normal, dim=-1) * outwards).sum(-1)[hit].min() > 0.97


def test_harmonics_give_each_camera_its_own_colour_and_all_cameras_are_drawn_at_once():
    scene = sphere(200)
    harmonics = torch.zeros(200, 4, 3)
    harmonics[:, 1:] = 0.3 * torch.randn(200, 3, 3, generator=torch.Generator().manual_seed(0))
    scene = Surfels(scene.means, scene.wxyz, scene.log_scales, scene.opacity_logits, harmonics)
    both = scene.render(CAMERAS).rgb
    assert_close(both, torch.stack([scene.render(CAMERAS[i]).rgb for i in range(2)]), rtol=0, atol=1e-6)
    both.sum().backward()
    assert scene.sh.grad is not None and scene.sh.grad[:, 1:].abs().max() > 0


def test_growing_splits_prunes_and_keeps_the_moments_in_line():
    scene = Surfels.start(count=100, limit=130)
    with torch.no_grad():
        scene.opacity_logits[:10] = -6
        scene.sh[:, 0, 0] = torch.arange(100)
    optimizer = torch.optim.Adam(scene.param_groups())
    pulled(scene, optimizer)
    before = optimizer.state[scene.sh]["exp_avg"].clone()
    with torch.no_grad():
        scene.grow(100, 200, optimizer, torch.Generator())
    labels = scene.sh[:, 0, 0].round().long()
    assert len(scene.means) == 90 + 20 and labels.min() >= 10
    assert {id(p) for g in optimizer.param_groups for p in g["params"]} == {id(p) for p in scene.parameters()}
    moments = optimizer.state[scene.sh]["exp_avg"]
    assert_close(moments[:70], before[labels[:70]])
    assert (moments[70:] == 0).all() and (labels[70:].bincount()[labels[70:]] == 2).all()
    pulled(scene, optimizer)


def test_a_split_keeps_place_and_plane_and_goes_along_the_longer_axis():
    scene = Surfels.start(count=20, limit=40, radius=0.4)
    optimizer = torch.optim.Adam(scene.param_groups())
    pulled(scene, optimizer)
    with torch.no_grad():
        scene.log_scales[:, 1] += 0.3
        scene.sh[:, 0, 0] = torch.arange(20)
    parents = {name: getattr(scene, name).detach().clone() for name in LEARNED}
    longer = matrix_from_wxyz(parents["wxyz"])[..., 1]
    with torch.no_grad():
        scene.grow(100, 200, optimizer, torch.Generator())
    labels = scene.sh[:, 0, 0].round().long()
    assert len(labels) == 40
    for label in range(20):
        twins = labels == label
        assert_close(scene.means[twins].mean(0), parents["means"][label])
        apart = normalize(scene.means[twins].diff(dim=0)[0], dim=-1)
        assert_close((apart @ longer[label]).abs(), torch.tensor(1.0))


def test_never_more_than_the_limit():
    scene = Surfels.start(count=50, limit=60)
    optimizer = torch.optim.Adam(scene.param_groups())
    for step in range(10, 150, 5):
        pulled(scene, optimizer)
        with torch.no_grad():
            scene.grow(step, 200, optimizer, torch.Generator())
        assert len(scene.means) <= 60
    assert len(scene.means) > 50
