"""What the tests share: synthetic models, a slow reference of the codec, processes."""
