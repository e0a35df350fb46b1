"""Scenes in files: `load(path)` and `save(scene, path)`; the suffix and the first bytes choose the format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from distill3d import atomic, plugins
from distill3d.camera import Cameras
from distill3d.carried import carried
from distill3d.conversions.moved import moved, turn
from distill3d.data.dataset import is_dataset
from distill3d.errors import UserError, given_by_user
from distill3d.formats import (
    checkpoint,
    checkpoint_gaussians,
    drawable,
    glb_gaussians,
    instant_ngp,
    lost,
    nerfstudio,
    ply_compressed,
    ply_gaussians,
    safetensors_scene,
    sog,
    splat,
    spz,
    torch_ngp,
    transforms_json,
)
from distill3d.representations._primitives import Primitives
from distill3d.scene import Scene

if TYPE_CHECKING:
    from trimesh import Trimesh

SCENES = ("scene.ply", "scene.safetensors", "scene.glb")
MAX_BYTES = 8 << 30
WRITERS: dict[str, Callable[[dict[str, Tensor]], bytes]] = {
    ".compressed.ply": ply_compressed.write,
    ".ply": ply_gaussians.write,
    ".spz": spz.write,
    ".sog": sog.write,
    ".splat": splat.write,
    ".pt": checkpoint_gaussians.write_gsplat,
    ".ckpt": checkpoint_gaussians.write_splatfacto,
    ".gaussians.glb": glb_gaussians.write,
}
"""Formats that hold Gaussians, by the end of the file's name; the first that fits is taken."""
Y_UP = (".gaussians.glb",)
"""Those of them whose world is +y up."""
MESHES = (".glb", ".obj", ".ply", ".stl", ".off")
"""Formats that hold meshes or points; .ply is told from Gaussians by its header."""
GLTF = ".gltf"
"""Only read: numbers and pictures stand in files of their own."""
OURS = ".safetensors"
FORMATS = {"gaussians": tuple(WRITERS), "surfels": (".ply",), "mesh": MESHES}
"""In which formats scenes of these kinds are saved, beside our own, which holds every kind."""
SUFFIXES = tuple(dict.fromkeys((*WRITERS, *MESHES, OURS)))


def load(path: Path | str) -> Scene:
    """The scene in a file of any of the formats, or in a run's folder."""
    path = _scene_file(Path(path))
    data = _read(path)
    with _naming(path):
        suffix = path.suffix.lower()
        if suffix == OURS:
            return _restored(*safetensors_scene.read(data))
        if suffix in instant_ngp.SUFFIXES:
            return instant_ngp.read(data)
        if torch_ngp.found_in(data):
            return torch_ngp.read(data)
        if nerfstudio.found_in(data):
            return nerfstudio.read(data, path.parent)
        if glb_gaussians.found_in(data):
            state, placed = glb_gaussians.read(data)
            with given_by_user():
                return moved(_primitives(state), turn("y-up", "z-up") @ placed)
        if suffix in (*MESHES, GLTF) and not _holds_gaussians(data):
            return _surface(data, suffix.lstrip("."), path.parent)
        return _primitives(_reader(path, data)(data))


def _restored(kind: str, state: dict[str, Any]) -> Scene:
    """A scene of ours from its state, which a damaged file may have made into anything."""
    made = _kind(kind)
    try:
        scene = made.from_state(state)
        drawable.check(scene)
    except UserError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UserError(
            f"what it holds is no scene of {kind} ({' '.join(str(error).split())[:120] or 'nothing'}); "
            "write it again"
        ) from error
    return scene


def _primitives(state: dict[str, Tensor]) -> Primitives:
    """Gaussians, or surfels where there are two scales, with all that their file says of them."""
    kind = _kind("surfels" if state["log_scales"].shape[1] == 2 else "gaussians")
    scene = kind.from_state(state)
    assert isinstance(scene, Primitives)
    return scene


def _holds_gaussians(data: bytes) -> bool:
    """Whether a file is a PLY whose vertices are Gaussians, of any layout."""
    header = data[: data.find(b"end_header", 0, 1 << 16)]
    return data.startswith(b"ply") and any(name in header for name in (b" f_dc_0", b" packed_", b" scale_0"))


def _surface(data: bytes, kind: str, folder: Path) -> Scene:
    """The mesh in a file, or its points as Gaussians."""
    from distill3d.formats import mesh, points
    from distill3d.formats.beside import Beside

    shape = mesh.read(data, kind, Beside(folder))
    if isinstance(shape, mesh.PointCloud):
        return _kind("gaussians")(**points.as_gaussians(shape))
    return _kind("mesh").from_trimesh(shape)  # pyright: ignore[reportAttributeAccessIssue]


def _reader(path: Path, data: bytes) -> Callable[[bytes], dict[str, Tensor]]:
    """What reads these Gaussians: told from the first bytes, and from the suffix where there are none."""
    if data.startswith(b"ply"):
        return ply_compressed.read if ply_compressed.found_in(data) else ply_gaussians.read
    if data.startswith((spz.MAGIC, spz.GZIP)):
        return spz.read
    if data.startswith(b"PK") and path.suffix.lower() == ".sog":
        return sog.read
    if checkpoint.names(data, "data.pkl"):
        return checkpoint_gaussians.read
    if path.suffix.lower() == ".splat":
        return splat.read
    raise UserError(
        "not a scene; expected Gaussians (.ply, .compressed.ply, .spz, .sog, .splat, gsplat's .pt, "
        "splatfacto's .ckpt), a mesh or points (.glb, .gltf, .obj, .ply, .stl, .off), a field (.ingp, "
        ".msgpack, torch-ngp's .pth, nerfacto's .ckpt), a .safetensors of ours, or a run's folder"
    )


def save(scene: Scene, path: Path | str) -> None:
    """Write `scene` as .safetensors (any kind) or in a format of its kind (`WRITERS`, `MESHES`).

    All or nothing, in one file; a textured .obj has its material and its picture beside it. What a format
    cannot hold is left out with a warning, `errors.Lost`.
    """
    path, scene = Path(path), _on_processor(scene)
    kind, suffix = kind_of(scene), suffix_of(path)
    known = (*FORMATS.get(kind, ()), OURS)
    if suffix not in known:
        what = path.suffix or "a file without suffix"
        raise UserError(f"{path}: {kind} cannot be saved as {suffix or what}; use {' or '.join(known)}")
    if suffix == OURS:
        atomic.write(path, safetensors_scene.write(kind, scene.state_dict()))
    elif kind == "mesh":
        mesh = scene.as_trimesh()  # pyright: ignore[reportCallIssue]
        save_mesh(mesh, path, without=lost.of_scene_as_mesh(scene))
    else:
        assert isinstance(scene, Primitives)
        state = (moved(scene, turn("z-up", "y-up")) if suffix in Y_UP else scene).state_dict()
        atomic.write(path, WRITERS[suffix](state))
        lost.say(path, lost.of_gaussians(state, suffix))


def _on_processor(scene: Scene) -> Scene:
    """The scene itself if it lies there, else a copy."""
    if scene.device.type == "cpu":
        return scene
    return type(scene).from_state(carried(scene.state_dict(), "cpu"))


def suffix_of(path: Path) -> str:
    """Which of SUFFIXES a file's name ends in, in any case; empty if in none."""
    return next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), "")


def load_cameras(path: Path | str, scene: Scene | None = None) -> Cameras:
    """The cameras of a transforms.json, or of a snapshot of instant-ngp, in our world.

    Those of a transforms.json stand in the world that `scene` was made from, where it knows one; those of a
    snapshot in the world in which it opens.
    """
    path = Path(path)
    data = _read(path)
    with _naming(path):
        if path.suffix.lower() in instant_ngp.SUFFIXES:
            return instant_ngp.cameras(data)
        return transforms_json.read(data, scene.scene_transform.cpu() if scene else None, path.parent)


def save_cameras(cameras: Cameras, path: Path | str, scene: Scene | None = None) -> None:
    """Write cameras [N] of our world as a transforms.json, in the world that `scene` was made from."""
    atomic.write(Path(path), transforms_json.write(cameras, scene.scene_transform.cpu() if scene else None))


def save_mesh(mesh: Trimesh, path: Path | str, *, without: Sequence[str] = ()) -> None:
    """Write a triangle mesh as .glb, .obj (a texture beside it), .ply, .stl or .off.

    without: what the mesh lacks already of the scene that it shows, in the words of `formats.lost`.
    """
    from distill3d.formats import mesh as mesh_format

    path = Path(path)
    *beside, (_, data) = mesh_format.write(mesh, path.suffix.lower().lstrip("."), path.stem).items()
    for name, picture_or_material in beside:
        atomic.write(path.with_name(name), picture_or_material)
    atomic.write(path, data)
    lost.say(path, [*without, *lost.of_mesh(mesh, path.suffix.lower())])


def size_of(path: Path | str) -> int:
    """Bytes of the file that `load` would read."""
    return _scene_file(Path(path)).stat().st_size


def kind_of(scene: Scene) -> str:
    """The name of a scene's kind: that of its file in representations/."""
    return type(scene).__module__.rsplit(".", 1)[-1]


def _kind(name: str) -> type[Scene]:
    return plugins.load("representations", name, "kind of scene", "distill3d generate --help")


def _scene_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in SCENES:
        if (path / name).is_file():
            return path / name
    if (path / "run.json").is_file():
        raise UserError(
            f"{path} holds no scene yet ({' or '.join(SCENES)}); if the run was stopped, --resume it first"
        )
    if is_dataset(path):
        raise UserError(f"{path} is a dataset and no scene; distill3d fit {path} makes a scene of it")
    raise UserError(
        f"{path} holds no scene; expected a file, or a run's folder with {' or '.join(SCENES)} in it"
    )


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path} has {path.stat().st_size} bytes; at most {MAX_BYTES} are read")
    return path.read_bytes()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Inside, an error about the content gets the file's name."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
