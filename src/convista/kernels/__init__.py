"""The only door to native code; until it holds any, the place where XLA is told how to compile for this machine."""
