"""Features on 3-D primitives: what feature maps of pictures say, brought to what is seen in them."""
