"""Measure a claim of the README again, on this machine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill3d import __version__, plugins
from distill3d.commands import _flags
from distill3d.errors import UserError, given_by_user

HELP = "distill3d bench --help"
PRINTED = Path("-")


@dataclass(frozen=True)
class Options:
    """What every benchmark can be told."""

    json: _flags.File = None
    """Keep what is measured in this file, run by run. Runs that it holds already are not repeated. Without a
    file, print it at the end instead of the table."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        print(_overview())
        return 0
    name, *rest = argv
    options = _flags.parse(options_class(name), _with_file(rest), f"bench {name}")

    from distill3d.bench._benchmark import Results

    shared = {field.name for field in dataclasses.fields(Options)}
    given = {name: value for name, value in dataclasses.asdict(options).items() if name not in shared}
    with given_by_user():
        benchmark = plugins.load("bench", name, "benchmark", HELP)(**given)
    about = {"benchmark": name, **_conditions(benchmark.jobs)}
    printed = options.json == PRINTED
    if options.json is not None and not printed:
        benchmark.results = Results(
            _earlier(options.json, about),
            lambda records: _write(options.json, about | {"options": given, "results": records}),
        )
    for line in benchmark.lines():
        if not printed:
            print(line, flush=True)
    if printed:
        content = about | {"options": given, "results": benchmark.results.records}
        print(json.dumps(content, indent=2, default=str))
    return 0


def _with_file(argv: Sequence[str]) -> list[str]:
    """`--json` without a file is given PRINTED."""
    words = list(argv)
    for i in reversed(range(len(words))):
        if words[i] == "--json" and (i + 1 == len(words) or words[i + 1].startswith("--")):
            words.insert(i + 1, str(PRINTED))
    return words


def _overview() -> str:
    kinds = plugins.menu("bench")
    width = max(map(len, kinds))
    lines = [f"  {name:{width}}  {line}" for name, line in kinds.items()]
    usage = "usage: distill3d bench NAME [--help] [--json [FILE]] …"
    return "\n".join([usage, "", *lines, "", "Begin with:  distill3d bench kinds --kinds robot"])


def options_class(name: str) -> type[Options]:
    """`Options` with the flags of a benchmark, and its line of help; nothing of it is imported."""
    flags = plugins.fields(plugins.find("bench", name, "benchmark", HELP))
    return dataclasses.make_dataclass(
        "BenchOptions",
        _flags.columns(flags),
        bases=(Options,),
        frozen=True,
        namespace={"__doc__": plugins.menu("bench")[name]},
    )


def _conditions(jobs: int) -> dict[str, Any]:
    """On what is measured. Numbers taken under other conditions are not put beside these."""
    import torch

    from distill3d import machine
    from distill3d.ops.backends import choose

    return {
        "distill3d": __version__,
        "torch": torch.__version__,
        "processor": machine.processor(),
        "threads": torch.get_num_threads() if jobs == 1 else 1,
        "jobs": jobs,
        "backend": choose("splat", torch.zeros(())),
    }


def _earlier(path: Path, about: dict[str, Any]) -> list[dict[str, Any]]:
    """What an interrupted benchmark left in the file; none if there is no file yet."""
    from distill3d.runs import read_json

    if not path.exists():
        return []
    content = read_json(path)
    for key, value in about.items():
        if content.get(key) != value:
            raise UserError(
                f"{path} was measured with {key} {content.get(key)} and this is {value}; give another file"
            )
    if not isinstance(content.get("results"), list):
        raise UserError(f"{path} holds no results; expected a file that distill3d bench has written")
    return content["results"]


def _write(path: Path | None, content: dict[str, Any]) -> None:
    from distill3d import atomic

    if path is not None:
        atomic.write(path, (json.dumps(content, indent=2, default=str) + "\n").encode())
