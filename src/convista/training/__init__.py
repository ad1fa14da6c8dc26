"""Learning: losses, metrics, optimizers, schedules, callbacks, one pure step and the loop around it."""
