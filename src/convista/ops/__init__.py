"""The mathematics: pure functions of arrays, channels last."""
