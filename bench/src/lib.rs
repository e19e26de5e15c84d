//! COLD: the map of this package.
