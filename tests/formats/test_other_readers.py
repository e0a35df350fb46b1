"""Other Python programs read the PLY that is written here, and write Gaussians that are read here."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import trimesh

from distill3d.formats import ply_compressed, ply_gaussians, splat
from tests.formats.test_gaussian_formats import STEPS, matched, state, within

GSPLAT_STEPS = {
    "ply": (0.0, 1e-3, 0.0, 0.0, 0.0, 0.0),
    "splat": (0.0, 0.06, 1e-6, 0.005, 0.015, None),
    "compressed.ply": STEPS["compressed.ply"],
}
"""It cuts off in .splat where it is rounded here."""


def test_trimesh_finds_every_property_of_a_ply() -> None:
    before = state(30) | {"extra.label": torch.arange(30, dtype=torch.int32)}
    cloud = trimesh.load(io.BytesIO(ply_gaussians.write(before)), file_type="ply", process=False)
    assert np.array_equal(cloud.vertices, before["means"].double())
    columns = cloud.metadata["_ply_raw"]["vertex"]["data"]
    assert np.array_equal(columns["rot_3"], before["wxyz"][:, 3])
    assert np.array_equal(columns["f_rest_44"], before["sh"][:, 15, 2])
    assert np.array_equal(columns["f_rest_15"], before["sh"][:, 1, 1])
    assert np.array_equal(columns["label"], before["extra.label"])


@pytest.mark.parametrize(
    ("kind", "reader", "name"),
    [
        ("ply", ply_gaussians.read, "ply"),
        ("splat", splat.read, "splat"),
        ("ply_compressed", ply_compressed.read, "compressed.ply"),
    ],
)
def test_what_gsplat_exports_is_read(kind, reader, name):
    exporter = pytest.importorskip("gsplat.exporter", reason="gsplat is not installed")
    before = state(60)
    parts = (before["means"], before["log_scales"], before["wxyz"], before["opacity_logits"])
    data = exporter.export_splats(*parts, before["sh"][:, :1], before["sh"][:, 1:], format=kind)
    within(before, matched(before, reader(data)), GSPLAT_STEPS[name])


def test_open3d_reads_the_centres_of_a_ply(tmp_path):
    open3d = pytest.importorskip("open3d", reason="open3d is not installed")
    before = state(30)
    (tmp_path / "a.ply").write_bytes(ply_gaussians.write(before))
    cloud = open3d.t.io.read_point_cloud(str(tmp_path / "a.ply"))
    assert np.array_equal(cloud.point.positions.numpy(), before["means"])
    assert np.array_equal(cloud.point["opacity"].numpy().ravel(), before["opacity_logits"])
