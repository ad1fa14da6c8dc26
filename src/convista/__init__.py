"""Convolutional networks that train fast on the machine you have, and that you can see into."""
