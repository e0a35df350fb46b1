"""The command line: `distill3d COMMAND …`; every file in commands/ is a command."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from distill3d import __version__, plugins
from distill3d.errors import Stopped, UserError, losses_printed, unknown


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; errors become a sentence and an exit code, with --debug also a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    try:
        with losses_printed():
            return _run(arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        code, sentence = _explain(error)
        print(sentence, file=sys.stderr)
        return code


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if arguments[0] == "--version":
        print(f"distill3d {__version__}")
        return 0
    name, *rest = arguments
    if name not in plugins.menu("commands"):
        raise unknown("command", name, plugins.menu("commands"), "distill3d --help")
    return import_module(f"distill3d.commands.{name}").main(rest)


def overview() -> str:
    """The help page: every command with the first line of its file."""
    commands = plugins.menu("commands")
    width = max(map(len, commands))
    lines = [f"  {name:{width}}  {line}" for name, line in commands.items()]
    return "\n".join(
        [
            f"distill3d {__version__}: 3D-aware distillation",
            "",
            "usage: distill3d COMMAND [--help] [--debug] …",
            "",
            *lines,
            "",
            'Begin with:  distill3d generate "a red robot"',
        ]
    )


def _explain(error: BaseException) -> tuple[int, str]:
    """Exit code and sentence: 130 for Ctrl-C, 2 for what the user can mend, 1 for a fault of the program."""
    if isinstance(error, KeyboardInterrupt):
        return 130, str(error) if isinstance(error, Stopped) else "stopped"
    if isinstance(error, UserError):
        return 2, f"error: {error}"
    if isinstance(error, OSError) and error.filename is not None:
        return 2, f"error: {error.filename}: {error.strerror}; give a path that can be read or written"
    first_line = (str(error).splitlines() or [""])[0]
    return 1, f"error: {type(error).__name__}: {first_line} (unexpected; --debug shows where)"


if __name__ == "__main__":
    sys.exit(main())
