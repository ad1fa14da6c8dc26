"""Data: files, named datasets and pictures as NumPy arrays; nothing here knows JAX."""
