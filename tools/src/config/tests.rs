//! COLD: bad configurations and what they are answered.

use super::*;
