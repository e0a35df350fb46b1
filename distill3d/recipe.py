"""The recipe of a run when nothing else is asked for, shared by `distill3d generate` and the benchmarks."""

METHOD = "sds"
SCENE = "gaussians"
PRIOR = "exact"

STEPS = 200
VIEWS = 4  # pictures for each step
SIZE = 96  # side of the pictures in pixels, at the end of the run

NO_JANUS = {
    "method": "esd",
    "method.entropy": 1.0,
    "method.fake": "own",
    "method.memory": 64,
    "method.t_first": (0.95, 0.99),
    "method.t_last": (0.1, 0.3),
    "steps": 2 * STEPS,
}
"""What keeps objects to one face where the prior prefers fronts, as `distill3d bench janus` measures.

The entropy of the scene's pictures grows only under much noise, where the prior's modes are still one, by so
much a step; the longer a run stays there, the more leaks it withstands.
"""
