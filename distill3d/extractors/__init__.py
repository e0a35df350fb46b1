"""What says in feature maps what pictures show. One kind of extractor, one file."""
