"""Imports only point down, and each heavy package is known to few files. Read from the sources alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "distill3d"

FLOORS = [
    ["errors"],
    # plugins imports nothing but errors, and files.py needs it to open a kind of scene by its name; datasets
    # bring points as PLY, which is what Gaussians and meshes come in too
    ["atomic", "carried", "machine", "plugins", "ply", "recipe", "statistics"],
    ["camera", "rendering", "rotation", "sh", "moment", "mixture"],
    ["ops"],
    ["scene"],
    ["wrapped"],
    # the world shows its objects unpainted too, in the same colours of normals
    ["field", "unpainted"],
    ["survey", "regularisers"],
    ["fusion"],
    ["world", "data"],
    # what a prior is shown comes from picture files and datasets
    ["visual_prompt"],
    ["prior", "rig", "extractor"],
    ["noised", "combine"],
    ["guidance"],
    # what a method learns of the scene; a prior lends its weights to it, and a method asks it
    ["fake", "judge"],
    ["divergence"],
    # the contract of a method speaks of priors; the kinds of prior and of scene stand beside it
    ["objective", "distill", "representations", "priors"],
    # what is distilled may be made of scenes: several together, or one with more penalties than its own
    ["fakes", "judges", "particles", "regularised"],
    ["objectives", "teachers", "conversions", "lift", "formats", "target"],
    ["targets", "studio"],
    # a start and a teacher make a conversion
    ["conversion", "recipes"],
    ["chamfer", "lpips"],
    ["comparison"],
    ["fidelity"],
    ["files", "pictures", "runs"],
    # they picture a scene, recognise it, and read the cameras that others have pictured it by
    ["extractors"],
    # a benchmark opens the scenes that come with the sources; the viewer what is to be looked at
    ["bench", "viewer"],
    ["commands"],
    ["__main__"],
]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
ONLY_IN = {
    "diffusers": ("priors",),
    # a vision-language model as a judge is no prior, and a network that says what pictures show is none
    "transformers": ("priors", "judges", "extractors"),
    "peft": ("priors",),
    "huggingface_hub": ("priors",),
    "gsplat": ("ops",),
    "nerfacc": ("ops",),
    "tinycudann": ("ops",),
    "open3d": ("conversions", "formats"),
    # a recipe's stages hand meshes and points on
    "trimesh": ("formats", "representations", "world", "conversions", "files", "chamfer", "recipes"),
    "skimage": ("conversions",),
    "fast_simplification": ("conversions",),
    "xatlas": ("conversions",),
    "safetensors": ("formats",),
    # a mesh goes to trimesh with its texture, which is a picture of PIL there; frames go to browsers as JPEG
    "PIL": ("pictures", "data", "formats", "bench", "representations", "viewer"),
    "starlette": ("viewer",),
    "uvicorn": ("viewer",),
    # nerfstudio keeps a checkpoint's settings in YAML
    "yaml": ("formats",),
    "rich": ("commands",),
    "tyro": ("commands",),
}


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _part(path: Path) -> str:
    """The top-level name in the package that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names of all modules that a file imports, wherever in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively; write the full name"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def _upward(path: Path, part: str) -> list[str]:
    """What a file of `part` imports that is not below it."""
    found = []
    for name, line in _imports(path):
        words = name.split(".")
        if words[0] != "distill3d" or words[1] in (part, "__version__"):
            continue
        if LEVEL[words[1]] >= LEVEL[part]:
            found.append(f"{path.name}:{line} imports {name}, which is not below {part}")
    return found


def _out_of_place(path: Path, part: str) -> list[str]:
    """The heavy packages that a file of `part` should leave to others."""
    heavy = [(name.split(".")[0], line) for name, line in _imports(path)]
    return [
        f"{path.name}:{line} imports {name}; only {', '.join(ONLY_IN[name])} may"
        for name, line in heavy
        if part not in ONLY_IN.get(name, (part,))
    ]


@pytest.mark.parametrize("path", _sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down_and_heavy_packages_stay_in_their_places(path: Path) -> None:
    part = _part(path)
    if part == "__init__":
        names = [name for name, _ in _imports(path)]
        assert names == ["os"], "the package itself imports nothing heavy, so that help is quick"
        return
    assert part in LEVEL, f"{part} has no floor; put it on one in FLOORS"
    assert _upward(path, part) == []
    assert _out_of_place(path, part) == []


def test_every_floor_exists_or_is_planned() -> None:
    """A name in FLOORS that is neither a file nor a planned one is a slip of the pen."""
    planned = {"data", "viewer", "bench"}
    there = {p.stem for p in PACKAGE.iterdir()}
    assert set(LEVEL) - there <= planned


def test_an_import_that_points_up_is_found_wherever_it_hides(tmp_path: Path) -> None:
    hidden = tmp_path / "splat.py"
    hidden.write_text("def f():\n    from distill3d.scene import Scene\n    import trimesh\n")
    assert _upward(hidden, "ops") == ["splat.py:2 imports distill3d.scene.Scene, which is not below ops"]
    assert _upward(hidden, "world") == []
    assert _out_of_place(hidden, "ops")[0].startswith("splat.py:3 imports trimesh; only formats")
    assert _out_of_place(hidden, "world") == []
