"""The arithmetic behind one cell of a layer, and a kernel that slides over a map."""
