//! COLD: the report of demo and run.
