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


def test_open3d_reads_gaussians_of_a_ply_and_writes_them_back(tmp_path):
    """Since release 0.20 it knows Gaussians, and keeps their harmonics as [N, K, 3] like here."""
    open3d = pytest.importorskip("open3d", minversion="0.20", reason="open3d 0.20 is not installed")
    before = state(30)
    (tmp_path / "a.ply").write_bytes(ply_gaussians.write(before))
    cloud = open3d.t.io.read_point_cloud(str(tmp_path / "a.ply"))
    expected = {
        "positions": before["means"],
        "rot": before["wxyz"],
        "opacity": before["opacity_logits"][:, None],
        "f_dc": before["sh"][:, 0],
        "f_rest": before["sh"][:, 1:],
    }
    for name, values in expected.items():
        assert np.array_equal(cloud.point[name].numpy(), values), name
    assert np.allclose(cloud.point["scale"].numpy(), before["log_scales"].exp())
    for suffix in ("ply", "splat"):
        assert open3d.t.io.write_point_cloud(str(tmp_path / f"b.{suffix}"), cloud)
    again = ply_gaussians.read((tmp_path / "b.ply").read_bytes())
    within(before, again, (0.0, 1e-3, 1e-6, 1e-6, 0.0, 0.0))
    after = matched(before, splat.read((tmp_path / "b.splat").read_bytes()))
    within(before, after, GSPLAT_STEPS["splat"])
