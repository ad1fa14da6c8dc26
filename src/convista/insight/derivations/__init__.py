"""Every number of a network derived: sizes, parameters, products, memory and receptive fields, worked out."""
