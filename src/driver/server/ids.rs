//! Ids that nobody can guess.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// An id of 20 characters, of 15 bytes of the system's randomness.
pub(super) fn new_id() -> String {
    let mut bytes = [0_u8; 15];
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            // Without it no id would be safe, and the maps of the standard library, which begin with it, would have panicked
            // before.
            Err(error) => unreachable!("the system has no randomness: {error}"),
        }
    }
    URL_SAFE_NO_PAD.encode(bytes)
}
