"""What the viewer is told to show: scene files, and the folders of runs, finished or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill3d import files
from distill3d.data.dataset import open_dataset
from distill3d.errors import UserError
from distill3d.viewer.keeper import Control, Keeper
from distill3d.viewer.meaning import meaning_of
from distill3d.viewer.photos import Photos, frusta_of
from distill3d.viewer.showing import show
from distill3d.viewer.stage import Entry, Shown, Stage, names_of
from distill3d.viewer.watching import Pulse, Watched

CHECKPOINT = "checkpoint.pt"


def set_stage(paths: Sequence[Path], *, compare: bool = False, data: Path | None = None) -> Keeper:
    """A stage with the scenes at `paths`, read already, and who looks after it.

    A conversion alone is shown beside what it has copied. data: a dataset whose cameras are shown; by
    default that of the first run that was fitted to one.
    Raises UserError if any of them cannot be shown.
    """
    source = Watched(paths[0]).source if len(paths) == 1 and (paths[0] / "run.json").is_file() else None
    if source is not None:
        paths, compare = (source, *paths), True
    names = names_of([str(path) for path in paths])
    stage = Stage(" · ".join(names))
    for path, name in zip(paths, names, strict=True):
        _put(stage, path, name)
    if compare:
        stage.compare = tuple(range(len(stage.entries)))
    folder = data or next(filter(None, (_dataset_of(shown.watched) for shown in stage.runs)), None)
    return Keeper(stage, _hang(stage, folder) if folder else None)


def set_live_stage(folder: Path, pulse: Pulse, control: Control | None) -> Keeper:
    """A stage with the run of this process in `folder`, which is only about to begin."""
    stage = Stage(folder.name, control=control is not None)
    watched = Watched(folder, pulse)
    stage.runs.append(Shown(folder.name, watched, watched.look()))
    data = _dataset_of(watched)
    return Keeper(stage, _hang(stage, data) if data else None, control)


def _put(stage: Stage, path: Path, name: str) -> None:
    folder = path.parent if path.name == CHECKPOINT and (path.parent / "run.json").is_file() else path
    if not (folder / "run.json").is_file():
        scene = files.load(path)
        stage.add(Entry(name, show(scene), meaning=meaning_of(scene, path)))
        return
    watched = Watched(folder)
    number, shown = len(stage.runs), Shown(name, watched, watched.look())
    newest = watched.newest()
    if newest is None:
        raise UserError(f"{folder} holds no scene yet; wait for its first checkpoint, or --resume the run")
    scene, step = watched.open(newest)
    shown.at = (str(newest), newest.stat().st_mtime)
    psnr, ssim = watched.measured()
    stage.runs.append(shown)
    shown.layer = stage.add(Entry(name, show(scene), psnr, ssim, number, step, meaning_of(scene)))


def _dataset_of(watched: Watched) -> Path | None:
    """The dataset that a run was fitted to, if it is still where it was."""
    data = watched.options.get("data")
    return Path(data) if isinstance(data, str) and Path(data).is_dir() else None


def _hang(stage: Stage, folder: Path) -> Photos:
    stage.frusta, photos = frusta_of(open_dataset(folder))
    return photos
