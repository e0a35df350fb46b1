"""3D-aware distillation: a student scene is rendered, and a teacher says how the rendering is wrong."""

import os

# Let threads that wait for work sleep instead of spin; OpenMP reads this when torch is first imported. torch
# and the kernels each bring their own threads, and spinning, one crew keeps the other from its cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
