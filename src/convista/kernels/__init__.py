"""The only door to native code, and the place where XLA is told how to compile for this machine."""
