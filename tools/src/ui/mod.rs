//! COLD: the screen.
