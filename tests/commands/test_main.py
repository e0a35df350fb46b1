"""Every mistake is one sentence with an exit code; help is quick and imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distill3d import plugins
from distill3d.commands import _training, world
from distill3d.errors import UserError
from tests.commands.conftest import Said

Run = Callable[..., Said]


def _sentence(said: Said, code: int = 2) -> str:
    """The one line on standard error; nothing else was said."""
    assert said.code == code, said
    assert said.out == ""
    assert said.err.count("\n") == 1 and "Traceback" not in said.err
    return said.err


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_every_command_with_its_first_line(distill3d: Run, arguments: tuple[str, ...]) -> None:
    said = distill3d(*arguments)
    assert said.code == 0
    commands = plugins.menu("commands")
    assert {"generate", "render", "export", "eval", "doctor", "world"} <= set(commands)
    for name, line in commands.items():
        assert any(row.split() == [name, *line.split()] for row in said.out.splitlines())


@pytest.mark.parametrize("command", plugins.menu("commands"))
def test_every_command_has_a_help_page(distill3d: Run, command: str) -> None:
    said = distill3d(command, "--help")
    assert said.code == 0
    assert f"distill3d {command}" in said.out and "--help" in said.out


def test_help_of_generate_shows_the_flags_of_what_was_chosen(distill3d: Run) -> None:
    plain = distill3d("generate", "--help").out
    esd = distill3d("generate", "--method", "esd", "--scene=voxels", "--help").out
    assert "--method.entropy FLOAT" in esd and "--method.entropy FLOAT" not in plain
    assert "--scene.resolution" in esd and "--scene.count" in plain
    assert "how often a view word still yields front views" in " ".join(plain.replace("│", " ").split())
    for folder in ("objectives", "representations", "priors"):
        for name in plugins.menu(folder):
            assert f" {name} " in plain


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["genrate"], 'unknown command "genrate"; did you mean generate? distill3d --help lists them.'),
        (["generate", "x", "--stpes", "3"], 'unknown flag "--stpes"; did you mean --steps'),
        (["generate", "x", "--stpes=3"], 'unknown flag "--stpes"'),
        (["generate", "x", "--method", "hifaa"], 'unknown method "hifaa"; did you mean hifa'),
        (["generate", "x", "--scene", "voxel"], 'unknown scene "voxel"; did you mean voxels'),
        (["generate", "x", "--prior", "exakt"], 'unknown prior "exakt"; did you mean exact'),
        (["generate", "x", "--method.entropy", "1"], 'unknown flag "--method.entropy"'),
        (["generate"], "no prompt was given"),
        (["generate", "  "], "no prompt was given"),
        (
            ["generate", "a", "red", "robot"],
            'unexpected argument "red"; put words that belong together in quotes',
        ),
        (["generate", "x", "--steps", "0"], "--steps is 0; expected a whole number of at least 1"),
        (["generate", "x", "--steps", "-5"], "--steps is -5"),
        (["generate", "x", "--size", "0"], "--size is 0"),
        (["generate", "x", "--views", "-1"], "--views is -1"),
        (["generate", "x", "--checkpoint-every", "0"], "--checkpoint-every is 0"),
        (["generate", "x", "--picture-size", "0"], "--picture-size is 0"),
        (["generate", "x", "--steps", "many"], "'many'"),
        (["generate", "x", "--steps"], "--steps"),
        (["generate", "--resume", "nowhere"], "nowhere is not a run"),
        (["generate", "--resume", "nowhere", "--steps", "3"], "give no other flags"),
        (["generate", "--again", "nowhere.json"], "nowhere.json: No such file"),
        (["render", "nowhere.ply", "--out", "x"], "nowhere.ply: No such file"),
        (["render", "nowhere.ply"], "--out"),
        (["render", "nowhere.ply", "--out", "x", "--turntable", "0"], "--turntable is 0"),
        (["render", "nowhere.ply", "--out", "x", "--background", "pink"], "pink"),
        (
            ["export", "nowhere.ply", "--out", "x.fbx"],
            'cannot export to "x.fbx"; expected a name ending in .compressed.ply',
        ),
        (["eval", "nowhere.ply"], "nowhere.ply: No such file"),
        (["world", "robot"], 'unexpected argument "robot"'),
    ],
)
def test_a_mistake_is_answered_in_one_sentence(distill3d: Run, arguments: list[str], sentence: str) -> None:
    assert sentence in _sentence(distill3d(*arguments))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["a red robt"], "robt"),
        (["a red robot", "--prior.leak", "2"], "prior.leak is 2; expected a number from 0 to 1"),
        (["a red robot", "--scene.count", "0"], "gaussians cannot start with count 0"),
        (["a red robot", "--rig.radius", "0.5"], "rig radius 0.5"),
    ],
)
def test_what_the_parts_refuse_is_said_before_a_folder_is_made(
    distill3d: Run, tmp_path: Path, flags: list[str], sentence: str
) -> None:
    assert sentence in _sentence(distill3d("generate", *flags))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(distill3d: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    flags = ["--prior", "blob", "--out", tmp_path / "file" / "run"]
    assert "file/run cannot be a folder, because" in _sentence(distill3d("generate", "x", *flags))


def test_a_fault_of_the_program_is_one_line_and_debug_shows_where(
    distill3d: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(argv: object) -> int:
        raise KeyError("a slip")

    monkeypatch.setattr(world, "main", fail)
    assert _sentence(distill3d("world"), code=1) == (
        "error: KeyError: 'a slip' (unexpected; --debug shows where)\n"
    )
    for arguments in (("--debug", "world"), ("world", "--debug")):
        said = distill3d(*arguments)
        assert said.code == 1 and "Traceback" in said.err and "in fail" in said.err


def test_ctrl_c_ends_with_130_and_no_traceback(distill3d: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(argv: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(world, "main", stop)
    assert _sentence(distill3d("world"), code=130) == "stopped\n"


def test_a_file_dropped_into_a_folder_is_a_choice_with_its_flags(
    distill3d: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    for folder in ("objectives", "representations", "priors", "commands"):
        (package / folder).mkdir(parents=True)
    kept = ("commands/generate.py", "representations/gaussians.py", "priors/exact.py")
    for name in (*kept, "prior.py", "rig.py", "camera.py", "regularised.py"):
        (package / name).write_text((plugins.PACKAGE / name).read_text())
    (package / "objectives" / "xyz.py").write_text(
        "from dataclasses import dataclass\n\n@dataclass\n"
        'class XYZ:\n    """Made up."""\n\n    knob: int = 7\n'
    )
    monkeypatch.setattr(plugins, "PACKAGE", package)
    said = distill3d("generate", "--method", "xyz", "--help")
    assert said.code == 0, said.err
    page = said.out
    assert "Made up." in page and "--method.knob INT" in page and "(default: 7)" in page


def _modules_after(*arguments: str) -> set[str]:
    """What is imported once a command has answered, in a process of its own."""
    code = (
        "import sys; from distill3d.__main__ import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    )
    code += "print('MODULES', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split("MODULES")[1].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["generate", "--help"],
        ["generate", "--method", "nope"],
        ["render", "--help"],
        ["eval", "--help"],
    ],
)
def test_help_imports_neither_torch_nor_numpy(arguments: list[str]) -> None:
    heavy = {"torch", "numpy", "trimesh", "scipy", "skimage", "PIL", "jaxtyping"}
    assert not _modules_after(*arguments) & heavy


@pytest.mark.parametrize(("arguments", "seconds"), [(["--help"], 0.3), (["generate", "--help"], 0.5)])
def test_help_is_quick(arguments: list[str], seconds: float) -> None:
    """The best of a few tries in processor time, which a busy machine does not stretch."""
    script = "import sys, time; from distill3d.__main__ import main\n"
    script += "try: main(sys.argv[1:])\nexcept SystemExit: pass\nprint('SECONDS', time.process_time())"
    command = [sys.executable, "-c", script, *arguments]
    tries = []
    for _ in range(4):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        tries.append(float(done.stdout.split("SECONDS")[1]))
    assert min(tries) < seconds


def test_words_of_the_world_are_listed_by_class(distill3d: Run) -> None:
    said = distill3d("world")
    assert said.code == 0
    kinds = next(line for line in said.out.splitlines() if line.startswith("kind"))
    assert kinds.split()[1].endswith(",") and "robot" in said.out and "red" in said.out


def test_two_interrupts_in_a_step_do_not_wait_for_it() -> None:
    import signal

    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with _training._patience() as asked:
            signal.raise_signal(signal.SIGINT)
            assert asked.is_set()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, earlier)


def test_a_value_error_about_what_was_given_becomes_a_sentence() -> None:
    from distill3d.errors import given_by_user

    with pytest.raises(UserError, match="a sentence"), given_by_user():
        raise ValueError("a sentence")
    with pytest.raises(KeyError), given_by_user():
        raise KeyError("a slip")
