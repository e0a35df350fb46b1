"""Look at scenes in a browser: Gaussians, fields and meshes side by side, and runs while they train."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass

from distill3d.commands import _flags
from distill3d.commands._viewing import address, serve
from distill3d.errors import UserError


@dataclass(frozen=True)
class Options:
    """Look at scenes in a browser: Gaussians, fields and meshes side by side, and runs while they train.

    Prints one address, opens it, and serves until Ctrl-C. A run that goes on is followed. Only this machine
    can reach the page, and only who has the whole address.
    """

    scenes: _flags.SceneWords
    """Folders of runs, or files of Gaussians, meshes or fields."""
    compare: bool = False
    """Set them side by side with one camera; 2 to 4 of them."""
    data: _flags.Folder = None
    """A dataset whose cameras and photographs are shown; that of a run of fit is found by itself."""
    port: int = 0
    """Where to serve; 0: any port that is free."""
    host: str = "127.0.0.1"
    """Under which address of this machine; others than loopback's can be reached from other machines."""
    no_browser: bool = False
    """Only print the address."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = _flags.parse(Options, argv, "view")
    if not options.scenes:
        raise UserError("no scene was given; expected a run's folder or a file: distill3d view SCENE …")
    if options.compare and not 2 <= len(options.scenes) <= 4:
        raise UserError(f"--compare was given {len(options.scenes)} scenes; expected 2 to 4")
    host = address(options.host)
    for path in options.scenes:
        if not path.exists():
            raise UserError(f"{path} is not there; expected a run's folder or a file")

    from distill3d.viewer.server import Server
    from distill3d.viewer.sources import set_stage

    keeper = set_stage(options.scenes, compare=options.compare, data=options.data)
    with Server(keeper, host=host, port=options.port).running() as server:
        print(server.url, flush=True)
        if not options.no_browser and sys.stdout.isatty():
            webbrowser.open(server.url)
        serve()
    return 0
