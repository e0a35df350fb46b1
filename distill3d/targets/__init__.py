"""What scenes can be converted into. One kind of scene, one file."""
