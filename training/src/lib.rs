//! How anything in limbeck learns: losses, optimiser, schedule, checkpoints, metrics
