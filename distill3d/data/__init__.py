"""Cameras and pictures from the folders that people have: `distill3d.data.dataset.open_dataset(folder)`."""
