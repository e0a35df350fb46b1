"""distill3d: 3D-aware distillation. A student scene is rendered, a teacher says how the rendering is wrong."""

__version__ = "0.1.0"
