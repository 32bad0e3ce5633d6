//! One Engine.IO session as its server sees it.
