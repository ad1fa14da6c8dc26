"""Seeing into models and runs: figures and the folders that hold them."""
