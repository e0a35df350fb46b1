"""3D-aware distillation: a student scene is rendered, and a teacher says how the rendering is wrong."""

import os

# OpenMP reads these when torch is first imported. A thread that waits for work spins for some microseconds
# and then sleeps. Most passes over small pictures follow each other within that time, and to wake a sleeper
# takes longer than such a pass; but spinning for long, one process keeps another from its cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__version__ = "0.1.0"
