// For programs that abort when they panic. The standard library can print the list of callers, and carries a reader of debugging
// information for it, which is the largest part of a small program. This function stands in for libgcc's, which walks
// up the stack, and says that there are no callers; a compiler that optimises across crates then finds that nothing needs
// the reader. What a panic says, and where it was, is printed as always.

use std::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK`: nothing further up.
const END_OF_STACK: c_int = 5;

// SAFETY: name, arguments and result are those of libgcc's, whose callers have to expect that nobody is above. The arguments are not
// used.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_for_each_caller: *const c_void, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}
