"""Instances: the mesh, the distance, the labels and the pictures speak of the same object."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from distill3d.camera import Cameras, orbit
from distill3d.world import Model, describe, instance, instances
from distill3d.world.colours import rgb

ROBOT = instance(describe("a red robot"), 0)
SCENE = instance(describe("a green mug on a wooden table"), 0)
STRETCHED = instance(describe("a tall tree next to a thin cat"), 1)


def cameras(size: int = 48, count: int = 3) -> Cameras:
    return orbit(torch.linspace(-2, 2, count), torch.linspace(-0.2, 1.2, count), width=size, height=size)


def fingerprint(model: Model) -> str:
    mesh = model.mesh()
    parts = (mesh.vertices, mesh.faces, mesh.visual.face_colors)
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


def traced(model: Model, views: Cameras) -> tuple[torch.Tensor, torch.Tensor]:
    """Depth by sphere tracing and the least distance on the way, for each ray."""
    origins, directions = views.rays()
    length = directions.norm(dim=-1)
    depth, least = torch.zeros_like(length), torch.full_like(length, torch.inf)
    for _ in range(70):
        distance = model.signed_distance(origins + depth[..., None] * directions)
        depth = (depth + distance / length).clamp_max(6)
        least = torch.minimum(least, distance)
    return depth, least


def test_the_same_index_is_the_same_object_to_the_byte() -> None:
    assert fingerprint(instance(describe("a small blue car"), 3)) == fingerprint(
        instance(describe("small blue car"), 3)
    )
    assert len({fingerprint(model) for model in instances(describe("a car"), 4)}) == 4


def test_a_view_word_changes_nothing() -> None:
    assert fingerprint(instance(describe("back view of a cat"), 1)) == fingerprint(
        instance(describe("a cat"), 1)
    )


def test_a_part_colour_changes_that_part_and_nothing_else() -> None:
    plain, painted = instance(describe("a robot"), 5), instance(describe("a robot with green eyes"), 5)
    pairs = zip(painted.parts, plain.parts, strict=True)
    assert {part.label for part, old in pairs if part.colour_rgb != old.colour_rgb} == {"eyes"}
    assert all(part.colour_rgb == rgb("green") for part in painted.parts if part.label == "eyes")
    assert np.array_equal(plain.mesh().vertices, painted.mesh().vertices)


def test_a_colour_changes_colours_and_no_geometry() -> None:
    red, blue = ROBOT.mesh(), instance(describe("a blue robot"), 0).mesh()
    assert np.array_equal(red.vertices, blue.vertices)
    assert not np.array_equal(red.visual.face_colors, blue.visual.face_colors)


def test_sizes_order_the_objects() -> None:
    reach = [
        np.linalg.norm(instance(describe(f"a {size} duck"), 0).mesh().vertices, axis=1).max()
        for size in ("tiny", "small", "", "large")
    ]
    assert reach == sorted(reach) and reach[-1] <= 0.9501


def test_a_tall_house_is_taller_than_a_short_one() -> None:
    def slenderness(size: str) -> float:
        x, y, z = instance(describe(f"a {size} house"), 0).mesh().extents
        return float(z / (x * y) ** 0.5)

    assert slenderness("tall") > 1.2 * slenderness("") > 1.2 * 1.2 * slenderness("short")


def test_the_mesh_names_the_part_of_each_face() -> None:
    mesh, sizes = ROBOT.mesh(), [len(part.faces) for part in ROBOT.part_meshes()]
    names = [mesh.metadata["labels"][i] for i in mesh.metadata["face_part"]]
    assert names == [part.label for part, size in zip(ROBOT.parts, sizes, strict=True) for _ in range(size)]


def points_around(count: int = 3000) -> torch.Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("model", [ROBOT, SCENE])
def test_the_distance_is_that_of_the_nearest_part(model: Model) -> None:
    points = points_around()
    each = torch.stack([part.shape.signed_distance(points) for part in model.parts])
    assert torch.allclose(model.signed_distance(points), each.amin(0), atol=1e-6)
    assert [model.labels[i] for i in model.part_at(points)] == [model.parts[i].label for i in each.argmin(0)]


@pytest.mark.parametrize("model", [ROBOT, SCENE, STRETCHED])
def test_the_distance_changes_no_faster_than_the_way(model: Model) -> None:
    points = points_around()
    near = points + 0.05 * torch.randn(points.shape, generator=torch.Generator().manual_seed(1))
    change = (model.signed_distance(points) - model.signed_distance(near)).abs()
    assert (change <= (points - near).norm(dim=-1) + 1e-5).all()


def test_the_distance_of_stretched_things_has_the_right_sign_and_is_a_bound() -> None:
    points = points_around()
    each = torch.stack([part.shape.signed_distance(points) for part in STRETCHED.parts]).amin(0)
    distance = STRETCHED.signed_distance(points)
    vertices = torch.from_numpy(STRETCHED.mesh().vertices).float()
    assert torch.equal(distance < 0, each < 0)
    assert (distance >= each - 1e-6).all()
    assert (distance <= torch.cdist(points, vertices).amin(-1) + 1e-5).all()


def test_queries_keep_any_batch_shape() -> None:
    points = torch.zeros(2, 5, 3)
    assert ROBOT.signed_distance(points).shape == ROBOT.part_at(points).shape == (2, 5)
    assert ROBOT.colour_at(points).shape == (2, 5, 3)


@pytest.mark.parametrize("model", [ROBOT, SCENE])
def test_pictures_agree_with_the_distance(model: Model) -> None:
    views = cameras()
    depth, least = traced(model, views)
    picture = model.render(views, supersample=1)
    hit, missed = least < 0.001, least > 0.01
    assert (picture.alpha[..., 0][missed] == 0).all()
    seen = (picture.alpha[..., 0] == 1) & hit
    assert seen.sum() > 0.97 * hit.sum()
    error = (picture.depth[..., 0] - depth).abs()[seen]
    assert error.median() < 0.002 and (error < 0.02).float().mean() > 0.98


def test_alpha_is_antialiased_and_everything_is_premultiplied() -> None:
    picture = ROBOT.render(cameras(), supersample=3)
    assert picture.alpha.min() == 0 and picture.alpha.max() == 1
    assert set((picture.alpha.unique() * 9).round(decimals=4).tolist()) == set(range(10))
    assert (picture.rgb <= picture.alpha + 1e-6).all() and (picture.rgb >= 0).all()
    assert (picture.normal.norm(dim=-1, keepdim=True) <= picture.alpha + 1e-5).all()
    covered = picture.alpha[..., 0] > 0
    assert (picture.mean_depth()[..., 0][covered] - 3).abs().max() < 1


def test_normals_look_at_the_camera() -> None:
    views = cameras()
    picture = instance(describe("a ball"), 0).render(views, supersample=1)
    _, directions = views.rays()
    seen = picture.alpha[..., 0] == 1
    towards = -(picture.normal * torch.nn.functional.normalize(directions, dim=-1)).sum(-1)[seen]
    assert (towards > -0.1).float().mean() > 0.99 and towards.mean() > 0.5


def test_light_does_not_depend_on_the_viewer() -> None:
    """The same surface point has the same colour in two cameras."""
    ball = instance(describe("a large white ball with white stars and white band"), 0)
    one = ball.render(orbit(torch.tensor([0.0]), 0.0, width=65, height=65), supersample=1)
    other = ball.render(orbit(torch.tensor([0.0]), 0.0, radius=4.0, width=65, height=65), supersample=1)
    assert torch.allclose(one.rgb[0, 32, 32], other.rgb[0, 32, 32], atol=0.01)


def test_cameras_may_have_any_batch_shape() -> None:
    flat = cameras(16, 4)
    grid = Cameras(flat.world_to_camera.reshape(2, 2, 4, 4), flat.intrinsics.reshape(2, 2, 4), 16, 16)
    single = ROBOT.render(flat[1])
    assert ROBOT.render(grid).rgb.shape == (2, 2, 16, 16, 3) and single.rgb.shape == (16, 16, 3)
    assert torch.equal(ROBOT.render(grid).rgb[0, 1], single.rgb)


def test_only_what_is_wanted_is_rendered() -> None:
    picture = ROBOT.render(cameras(8), want=("rgb", "alpha"))
    assert picture.depth is None and picture.normal is None
    with pytest.raises(ValueError, match="not features"):
        ROBOT.render(cameras(8), want=("features",))


def test_a_thing_on_a_thing_touches_it_from_above() -> None:
    for prompt in ("a mug on a table", "a duck on a house", "a robot on a chair"):
        model = instance(describe(prompt), 0)
        upper, lower = prompt.split()[1], prompt.split()[4]
        above = [part for part in model.parts if part.label.startswith(f"{upper} ")]
        below = [part for part in model.parts if part.label.startswith(f"{lower} ")]
        feet = torch.from_numpy(np.concatenate([part.shape.surface().vertices for part in above]))
        gap = torch.stack([part.shape.signed_distance(feet) for part in below]).amin(0)
        assert -0.01 < gap.min() < 0.01, prompt
        assert feet[:, 2].mean() > np.mean([part.shape.surface().vertices[:, 2].mean() for part in below])


@pytest.mark.parametrize(
    ("relation", "axis", "sign"), [("next to", 1, 1), ("in front of", 0, 1), ("behind", 0, -1)]
)
def test_things_beside_each_other_stand_on_one_ground_and_apart(relation: str, axis: int, sign: int) -> None:
    model = instance(describe(f"a cat {relation} a small house"), 0)
    cat, house = (
        np.concatenate([p.shape.surface().vertices for p in model.parts if p.label.startswith(kind)])
        for kind in ("cat", "house")
    )
    assert np.isclose(cat[:, 2].min(), house[:, 2].min(), atol=1e-6)
    assert (sign * cat[:, axis]).min() > (sign * house[:, axis]).max() + 0.01
    assert (
        model.labels[0].startswith("cat ")
        and np.linalg.norm(np.concatenate([cat, house]), axis=1).max() <= 0.9501
    )
