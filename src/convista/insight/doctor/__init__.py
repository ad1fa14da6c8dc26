"""The network doctor: what is wrong with a network, its data or its training, how that is known, and what helps."""
