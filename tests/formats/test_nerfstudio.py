"""Nerfstudio's fields open as what they mean, in both layouts; config.yml is read and never obeyed."""

from __future__ import annotations

import io
import json
import math
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch.testing import assert_close

from distill3d import files
from distill3d.errors import Lost, UserError
from distill3d.formats import nerfstudio
from distill3d.formats._nerfstudio_settings import Settings
from distill3d.representations._placed import EMPTY
from distill3d.representations.nerfacto import Nerfacto
from tests.formats.damage import DAMAGE, QUICK, THOROUGH, damaged, survives

LEVELS, FEATURES, LOG2, BASE, FINEST, WIDTH, PHOTOS, APPEARANCE = 4, 2, 10, 4, 40, 16, 3, 5
FIRST = 0.01
"""average_init_density."""
CONFIG = f"""!!python/object:nerfstudio.engine.trainer.TrainerConfig
_target: !!python/name:nerfstudio.engine.trainer.Trainer ''
data: &id001 !!python/object/apply:pathlib.PosixPath
- data
optimizers:
  fields:
    optimizer: !!python/object:nerfstudio.engine.optimizers.AdamOptimizerConfig
      lr: 0.01
pipeline: !!python/object:nerfstudio.pipelines.base_pipeline.VanillaPipelineConfig
  datamanager: !!python/object:nerfstudio.data.datamanagers.base_datamanager.VanillaDataManagerConfig
    data: *id001
  model: !!python/object:nerfstudio.models.nerfacto.NerfactoModelConfig
    _target: !!python/name:nerfstudio.models.nerfacto.NerfactoModel ''
    average_init_density: {FIRST}
    base_res: {BASE}
    disable_scene_contraction: false
    features_per_level: {FEATURES}
    hidden_dim: {WIDTH}
    hidden_dim_color: {WIDTH}
    num_nerf_samples_per_ray: 48
    use_average_appearance_embedding: true
"""
TURN = torch.tensor([[0.0, -1, 0, 0.3], [1, 0, 0, -0.2], [0, 0, 1, 0.5]], dtype=torch.float64)
SCALE = 0.25
Model = dict[str, Tensor]


def noise(seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape, size=0.6: size * torch.randn(*shape, generator=generator)


def shared() -> Model:
    made = noise(1)
    return {
        "aabb": torch.tensor([[-2.0, -1, -1], [1, 2, 3]]),
        "max_res": torch.tensor(FINEST),
        "num_levels": torch.tensor(LEVELS),
        "log2_hashmap_size": torch.tensor(LOG2),
        "embedding_appearance.embedding.weight": made(PHOTOS, APPEARANCE),
        "direction_encoding.tcnn_encoding.params": torch.zeros(0),
    }


def growth() -> float:
    return math.exp(math.log(FINEST / BASE) / (LEVELS - 1))


def packed() -> Model:
    """tiny-cuda-nn's: 8 features are filled up to 16, 36 inputs of the colours to 48, 3 colours to 16."""
    made, entries = noise(2), 0
    for level in range(LEVELS):
        side = math.ceil(BASE * growth() ** level - 1) + 1
        entries += min(2**LOG2, -(-(side**3) // 8) * 8)
    base = [made(16, 16), made(16, 16)]
    head = [made(16, 48), made(16, 16), made(16, 16)]
    rows = [weight.flatten() for weight in base]
    return shared() | {
        "mlp_base.model.params": torch.cat([*rows, made(entries * FEATURES)]),
        "mlp_head.tcnn_encoding.params": torch.cat([weight.flatten() for weight in head]),
    }


def split() -> Model:
    """As `packed`, with grid and network as two modules; features are then filled up with ones."""
    model = packed()
    numbers = model.pop("mlp_base.model.params")
    parts = {"0": numbers[512:], "1": numbers[:512]}
    return model | {f"mlp_base.{i}.tcnn_encoding.params": part for i, part in parts.items()}


def named() -> Model:
    """Plain torch's."""
    made = noise(3)
    widths = {"mlp_base.model.1": [8, WIDTH, 16], "mlp_head": [31 + APPEARANCE, WIDTH, WIDTH, 3]}
    model = shared() | {"mlp_base.model.0.hash_table": made(LEVELS << LOG2, FEATURES)}
    for name, sizes in widths.items():
        for i, (inputs, outputs) in enumerate(pairwise(sizes)):
            model |= {f"{name}.layers.{i}.weight": made(outputs, inputs, size=0.4)}
            model |= {f"{name}.layers.{i}.bias": made(outputs)}
    return model


LAYOUTS = {"packed": packed, "split": split, "named": named}


# What they mean, in float64 and in nerfstudio's coordinates


def contracted(p: Tensor) -> Tensor:
    largest = p.abs().amax(-1, keepdim=True)
    return torch.where(largest < 1, p, (2 - 1 / largest) * p / largest)


def interpolated(at: Tensor, rows: Any) -> Tensor:
    """Trilinear, between what `rows` gives at whole points."""
    low = at.floor()
    total: Any = 0.0
    for corner in product((0, 1), repeat=3):
        offset = torch.tensor(corner)
        weight = torch.where(offset > 0, at - low, 1 - at + low).prod(1)
        total = total + weight[:, None] * rows((low + offset).long())
    return total


def hashed(cells: Tensor, entries: int) -> Tensor:
    x, y, z = cells.unbind(1)
    return (x ^ (y * 2654435761) ^ (z * 805459861)) % entries


def encoded(u: Tensor, model: Model) -> Tensor:
    if "mlp_base.model.0.hash_table" in model:
        table = model["mlp_base.model.0.hash_table"].double()
        sides = [math.floor(BASE * growth() ** level) for level in range(LEVELS)]
        return torch.cat(
            [
                interpolated(u * side, lambda c, i=i: table[hashed(c, 1 << LOG2) + (i << LOG2)])
                for i, side in enumerate(sides)
            ],
            1,
        )
    numbers = model.get("mlp_base.0.tcnn_encoding.params", model.get("mlp_base.model.params"))
    assert numbers is not None
    table = numbers[0 if "mlp_base.0.tcnn_encoding.params" in model else 512 :].reshape(-1, FEATURES).double()
    columns, first = [], 0
    for level in range(LEVELS):
        scale = BASE * growth() ** level - 1
        side = math.ceil(scale) + 1
        entries = min(2**LOG2, -(-(side**3) // 8) * 8)

        def rows(c: Tensor, side: int = side, entries: int = entries, first: int = first) -> Tensor:
            dense = c[:, 0] + side * (c[:, 1] + side * c[:, 2])
            return table[first + (dense if side**3 <= entries else hashed(c, entries)) % entries]

        columns.append(interpolated(u * scale + 0.5, rows))
        first += entries
    return torch.cat(columns, 1)


def harmonics(p: Tensor, sign: int) -> Tensor:
    """tiny-cuda-nn's with sign -1, nerfstudio's own with 1, which are no harmonics off the sphere."""
    x, y, z = p.unbind(-1)
    terms = [
        0.28209479177387814 + 0 * x,
        sign * 0.4886025119029199 * y,
        0.4886025119029199 * z,
        sign * 0.4886025119029199 * x,
        1.0925484305920792 * x * y,
        sign * 1.0925484305920792 * y * z,
        0.9461746957575601 * z * z - 0.31539156525251999,
        sign * 1.0925484305920792 * x * z,
        0.5462742152960396 * (x * x - y * y),
        sign * 0.5900435899266435 * y * (3 * x * x - y * y),
        2.890611442640554 * x * y * z,
        sign * 0.4570457994644658 * y * (5 * z * z - 1),
        0.3731763325901154 * z * (5 * z * z - 3),
        sign * 0.4570457994644658 * x * (5 * z * z - 1),
        1.445305721320277 * z * (x * x - y * y),
        sign * 0.5900435899266435 * x * (x * x - 3 * y * y),
    ]
    return torch.stack(terms, -1)


def perceptron(h: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        h = (h.relu() if i else h) @ weight.double().T + bias.double()
    return h


def definition(u: Tensor, d: Tensor, model: Model, appearance: Tensor) -> tuple[Tensor, Tensor]:
    """Density per unit of nerfstudio's world and colour, at places in the grid's cube and unit directions."""
    features = encoded(u, model)
    usual = appearance.double().expand(len(u), -1)
    if "mlp_head.layers.0.weight" in model:
        layers = {
            name: [[model[f"{name}.layers.{i}.{what}"] for i in range(count)] for what in ("weight", "bias")]
            for name, count in (("mlp_base.model.1", 2), ("mlp_head", 3))
        }
        h = perceptron(features, *layers["mlp_base.model.1"])
        seen = torch.cat([harmonics((d + 1) / 2, 1), h[:, 1:], usual], 1)
        return FIRST * h[:, 0].exp(), perceptron(seen, *layers["mlp_head"]).sigmoid()
    base = model.get("mlp_base.1.tcnn_encoding.params", model.get("mlp_base.model.params"))
    assert base is not None
    head = model["mlp_head.tcnn_encoding.params"]
    filling = torch.full((len(u), 8), 1.0 if "mlp_base.1.tcnn_encoding.params" in model else 0.0).double()
    weights, none = [base[:256].reshape(16, 16), base[256:512].reshape(16, 16)], [torch.zeros(16)]
    h = perceptron(torch.cat([features, filling], 1), weights, 2 * none)
    seen = torch.cat([harmonics(d, -1), h[:, 1:], usual, torch.ones(len(u), 12).double()], 1)
    weights = [head[:768].reshape(16, 48), *head[768:].reshape(2, 16, 16)]
    return FIRST * h[:, 0].exp(), perceptron(seen, weights, 3 * none)[:, :3].sigmoid()


# Files


def saved(model: Model, **others: Any) -> bytes:
    data = io.BytesIO()
    pipeline = {f"_model.field.{name}": value for name, value in model.items()}
    pipeline |= {"_model.proposal_networks.0.mlp_base.params": torch.zeros(3)}
    torch.save({"step": 3, "pipeline": pipeline, "optimizers": {}, "scalers": {}, **others}, data)
    return data.getvalue()


def run(folder: Path, model: Model, config: str = CONFIG) -> Path:
    """A run's folder as nerfstudio leaves it; the path of its checkpoint."""
    (folder / "nerfstudio_models").mkdir(parents=True)
    (folder / "config.yml").write_text(config)
    way = {"transform": TURN.tolist(), "scale": SCALE}
    (folder / "dataparser_transforms.json").write_text(json.dumps(way))
    path = folder / "nerfstudio_models" / "step-000029999.ckpt"
    path.write_bytes(saved(model))
    return path


def opened(path: Path) -> Nerfacto:
    with pytest.warns(Lost, match=r"outside of its cube \[-1, 1\]³, where space is contracted, is left out"):
        field = files.load(path)
    assert isinstance(field, Nerfacto)
    return field


def rays(count: int = 600) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    x = torch.rand(count, 3, generator=generator) * 1.8 - 0.9
    return x, torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_density_and_colour_are_those_of_the_definition(tmp_path: Path, layout: str) -> None:
    model = LAYOUTS[layout]()
    field = opened(run(tmp_path, model))
    x, d = rays()
    p = x.double() * 3**0.5  # the cube's corners lie on the unit sphere
    inside = (p.abs() < 1).all(1)
    usual = model["embedding_appearance.embedding.weight"].mean(0)
    sigma, rgb = definition((contracted(p) + 2) / 4, d.double(), model, usual)
    log_density, colour, _ = field.query(x, d)
    assert 100 < inside.sum() < 500 and sigma.log().std() > 0.2 and rgb.std() > 0.1
    expected = (sigma * 3**0.5).log().float()
    assert_close(log_density[inside], expected[inside], rtol=0, atol=2e-3)
    assert_close(colour[inside], rgb[inside].float(), rtol=0, atol=1e-3)
    assert (log_density[~inside] == EMPTY).all()
    assert torch.equal(field.log_density(x)[~inside], log_density[~inside])
    assert_close(field.log_density(x), log_density, rtol=0, atol=1e-5)


def test_a_bounded_field_fills_its_box(tmp_path: Path) -> None:
    model = named()
    config = CONFIG.replace("disable_scene_contraction: false", "disable_scene_contraction: true")
    config = config.replace("use_average_appearance_embedding: true", "")
    field = files.load(run(tmp_path, model, config))  # and nothing is left out
    low, high = model["aabb"].double()
    x, d = rays()
    p = (low + high) / 2 + x.double() * (high - low).norm() / 2
    inside = ((p > low) & (p < high)).all(1)
    sigma, rgb = definition((p - low) / (high - low), d.double(), model, torch.zeros(APPEARANCE))
    assert isinstance(field, Nerfacto)
    log_density, colour, _ = field.query(x, d)
    units = ((high - low).norm() / 2).log()
    assert_close(log_density[inside], (sigma.log() + units).float()[inside], rtol=0, atol=2e-3)
    assert_close(colour[inside], rgb[inside].float(), rtol=0, atol=1e-3)
    assert (log_density[~inside] == EMPTY).all() and 50 < inside.sum() < 550


def test_it_knows_the_way_from_its_photographs(tmp_path: Path) -> None:
    field = opened(run(tmp_path, packed()))
    photographed = torch.tensor([0.7, -0.4, 1.1]).double()
    trained = SCALE * (TURN[:, :3] @ photographed + TURN[:, 3])
    ours = field.scene_transform[:3, :3] @ photographed + field.scene_transform[:3, 3]
    assert_close(field.source(ours.float()[None])[0].double(), trained, rtol=0, atol=1e-6)
    (tmp_path / "dataparser_transforms.json").unlink()
    with pytest.warns(Lost) as caught:
        files.load(tmp_path / "nerfstudio_models" / "step-000029999.ckpt")
    assert "the photographs' world is not known" in str(caught[1].message) and len(caught) == 2


def test_it_is_kept_in_our_own_format_and_cells_outside_of_its_cube_are_not_looked_into(
    tmp_path: Path,
) -> None:
    model = named()
    model["mlp_base.model.1.layers.1.bias"][0] += 5
    field = opened(run(tmp_path, model))
    files.save(field, tmp_path / "a.safetensors")
    again = files.load(tmp_path / "a.safetensors")
    x, d = rays(50)
    assert isinstance(again, Nerfacto)
    assert all(torch.equal(a, b) for a, b in zip(again.query(x, d), field.query(x, d), strict=True))
    assert torch.equal(again.scene_transform, field.scene_transform)
    places = (torch.linspace(-1, 1, 49)[1:] - 1 / 48).abs()
    z, y, largest = torch.meshgrid(places, places, places, indexing="ij")
    largest = torch.stack([z, y, largest]).amax(0)
    assert not field.occupied[0][largest > 3**-0.5 + 2 / 24].any()
    assert field.occupied[0][largest < 0.1].all()


# What is refused


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mlp_base.model.params": torch.zeros(9)}, "9 numbers for a network of widths"),
        ({"mlp_base.model.params": torch.zeros(600)}, "grid has 88 numbers and one of Grid"),
        ({"mlp_head.tcnn_encoding.params": torch.zeros(9)}, "9 numbers for a network"),
        ({"mlp_head.tcnn_encoding.params": torch.full((1280,), torch.nan)}, "not finite"),
        ({"mlp_base.model.params": torch.zeros(1).expand(10**9)}, "no mlp_base.model.params of numbers"),
        ({"num_levels": torch.tensor(99)}, "at most 32 levels"),
        ({"embedding_appearance.embedding.weight": torch.zeros(3)}, "a row for each photograph"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, changes: Model, reason: str) -> None:
    path = run(tmp_path, packed() | changes)
    with pytest.raises(UserError, match=reason):
        files.load(path)


def test_other_named_models_are_refused(tmp_path: Path) -> None:
    for i, (name, shape, reason) in enumerate(
        [
            ("mlp_base.model.0.hash_table", (7, 2), "hash table is"),
            ("mlp_base.model.1.layers.0.weight", (WIDTH, 9), "networks have 9 to 16"),
            ("mlp_head.layers.1.weight", (WIDTH, 9), "as wide as the next"),
            ("mlp_head.layers.0.weight", (WIDTH, 31), "sees 31 numbers; expected 36"),
        ]
    ):
        path = run(tmp_path / str(i), named() | {name: torch.zeros(shape)})
        with pytest.raises(UserError, match=reason):
            files.load(path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("pipeline:", "pipelines:", "has no pipeline with a model"),
        ("  model:", "  - model:", "is no YAML"),
        (f"hidden_dim: {WIDTH}", "hidden_dim: many", "hidden_dim is many; expected a number"),
        (f"hidden_dim: {WIDTH}", "hidden_dim: -3", "expected a whole number over 0"),
        ("contraction: false", "contraction: 3", "expected true or false"),
        (f"density: {FIRST}", "density: 0.0", "average_init_density is 0"),
    ],
)
def test_settings_that_make_no_sense_are_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = run(tmp_path, packed(), CONFIG.replace(old, new))
    with pytest.raises(UserError, match=reason):
        files.load(path)


def test_without_its_settings_a_field_is_refused(tmp_path: Path) -> None:
    path = run(tmp_path, packed())
    (tmp_path / "config.yml").unlink()
    with pytest.raises(UserError, match=r"without its config\.yml; expected that file beside the checkpoint"):
        files.load(path)


def test_tags_in_the_settings_are_not_obeyed() -> None:
    text = CONFIG.replace("hidden_dim: 16", 'hidden_dim: !!python/object/apply:os.abort ""')
    assert Settings.read(text, "config.yml").words["hidden_dim"] == ""
    laughs = "\n".join(f"a{i}: &a{i} [{', '.join(9 * [f'*a{i - 1}'])}]" for i in range(1, 40))
    assert Settings.read(f"a0: &a0 ha\n{laughs}\n{CONFIG.split(chr(10), 1)[1]}", "config.yml").words
    with pytest.raises(UserError, match="is no YAML"):
        Settings.read("[" * 5000, "config.yml")


# Damage

SMALL = {name: saved(make()) for name, make in LAYOUTS.items()}


def read_quietly(folder: Path) -> Any:
    import warnings

    def read(data: bytes) -> Any:
        with warnings.catch_warnings(action="ignore", category=Lost):
            return nerfstudio.read(data, folder)

    return read


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "config.yml").write_text(CONFIG)
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
@QUICK
@given(*DAMAGE)
def test_a_damaged_checkpoint_is_a_sentence(beside, layout, places, cut, swap):
    survives(read_quietly(beside), damaged(SMALL[layout], places, cut, swap), always=200_000_000)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@THOROUGH
@given(*DAMAGE)
def test_two_thousand_damaged_checkpoints_are_sentences(beside, layout, places, cut, swap):
    survives(read_quietly(beside), damaged(SMALL[layout], places, cut, swap), always=200_000_000)


@QUICK
@given(*DAMAGE)
def test_damaged_settings_are_a_sentence(places, cut, swap):
    survives(
        lambda data: Settings.read(data.decode(errors="replace"), "config.yml"),
        damaged(CONFIG.encode(), places, cut, swap),
    )
