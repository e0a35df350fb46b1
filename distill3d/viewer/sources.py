"""What the viewer is told to show: scene files, and the folders of runs, finished or not."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from distill3d import files
from distill3d.data.dataset import open_dataset
from distill3d.errors import UserError
from distill3d.viewer.copying import Original
from distill3d.viewer.keeper import Control, Keeper
from distill3d.viewer.meaning import meaning_of
from distill3d.viewer.photos import Photos, frusta_of
from distill3d.viewer.showing import show
from distill3d.viewer.stage import Entry, Shown, Stage, names_of
from distill3d.viewer.staged import watch
from distill3d.viewer.watching import Pulse, Watched

CHECKPOINT = "checkpoint.pt"


def set_stage(paths: Sequence[Path], *, compare: bool = False, data: Path | None = None) -> Keeper:
    """A stage with the scenes at `paths`, read already, and who looks after it.

    A conversion alone is shown beside what it has copied. data: a dataset whose cameras are shown; by
    default that of the first run that was fitted to one.
    Raises UserError if any of them cannot be shown.
    """
    words = [*map(str, paths), *(["--compare"] if compare else []), *(["--data", str(data)] if data else [])]
    again = shlex.join(["distill3d", "view", *words])
    copy = watch(paths[0]) if len(paths) == 1 and (paths[0] / "run.json").is_file() else None
    original = copy.source if copy else None
    names = names_of([str(path) for path in ((original, *paths) if original else paths)])
    stage = Stage(" · ".join(names), again=again)
    if copy and original:
        _put_original(stage, copy, original, names[0])
        _put_run(stage, copy, names[1])
    else:
        for path, name in zip(paths, names, strict=True):
            _put(stage, path, name)
    if compare or original:
        stage.compare = tuple(range(len(stage.entries)))
    folder = data or next(filter(None, (_dataset_of(shown.watched) for shown in stage.runs)), None)
    return Keeper(stage, _hang(stage, folder) if folder else None)


def set_live_stage(folder: Path, pulse: Pulse, control: Control | None) -> Keeper:
    """A stage with the run of this process in `folder`, which is only about to begin.

    A conversion will be shown beside what it copies.
    """
    watched = watch(folder, pulse)
    original = watched.source
    names = names_of([str(path) for path in ((original, folder) if original else (folder,))])
    again = shlex.join(["distill3d", "view", str(folder)])
    stage = Stage(" · ".join(names), control=control is not None, again=again)
    stage.farewell = "The run has ended."
    if original:
        _put_original(stage, watched, original, names[0])
        stage.compare = (0, 1)
    stage.runs.append(Shown(names[-1], watched, watched.look()))
    data = _dataset_of(watched)
    return Keeper(stage, _hang(stage, data) if data else None, control)


def _put(stage: Stage, path: Path, name: str) -> None:
    folder = path.parent if path.name == CHECKPOINT and (path.parent / "run.json").is_file() else path
    if (folder / "run.json").is_file():
        _put_run(stage, watch(folder), name)
        return
    scene = files.load(path)
    stage.add(Entry(name, show(scene), meaning=meaning_of(scene, path)))


def _put_run(stage: Stage, watched: Watched, name: str) -> None:
    number, shown = len(stage.runs), Shown(name, watched, watched.look())
    newest = watched.newest()
    if newest is None:
        raise UserError(
            f"{watched.folder} holds no scene yet; wait for its first checkpoint, or --resume the run"
        )
    scene, step = watched.open(newest)
    shown.at = (str(newest), newest.stat().st_mtime)
    psnr, ssim = watched.measured()
    stage.runs.append(shown)
    shown.layer = stage.add(
        Entry(name, show(scene), psnr, ssim, number, step, meaning_of(scene, watched.scene_file))
    )


def _put_original(stage: Stage, copy: Watched, path: Path, name: str) -> None:
    """What a conversion copies, where the copy will lie too."""
    copy.original = Original.open(path)
    stage.add(Entry(name, show(copy.original.centre), meaning=copy.original.meaning))


def _dataset_of(watched: Watched) -> Path | None:
    """The dataset that a run was fitted to, if it is still where it was."""
    data = watched.options.get("data")
    return Path(data) if isinstance(data, str) and Path(data).is_dir() else None


def _hang(stage: Stage, folder: Path) -> Photos:
    stage.frusta, photos = frusta_of(open_dataset(folder))
    return photos
