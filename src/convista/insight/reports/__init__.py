"""A run as one page: its story, its numbers, its pictures and what is inside the network, in a single HTML file."""
