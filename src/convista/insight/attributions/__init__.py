"""Which parts of a picture an answer rests on."""
