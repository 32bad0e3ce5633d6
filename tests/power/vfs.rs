//! The disk as `SQLite`'s interface to the system has it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Once;

use rusqlite::ffi;

use crate::disk::{Fault, disk};

/// An open file. `SQLite` makes room for it, and knows the first member.
#[repr(C)]
struct Open {
    base: ffi::sqlite3_file,
    name: *mut String,
}

/// Has all of `SQLite` in this process use the disk in memory.
pub(crate) fn install() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
            iVersion: 1,
            szOsFile: c_int::try_from(size_of::<Open>()).expect("small"),
            mxPathname: 256,
            pNext: std::ptr::null_mut(),
            zName: c"power".as_ptr(),
            pAppData: std::ptr::null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_path),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: None,
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        assert_eq!(unsafe { ffi::sqlite3_vfs_register(vfs, 1) }, ffi::SQLITE_OK);
    });
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

fn code(result: Result<(), Fault>) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(Fault::Full) => ffi::SQLITE_FULL,
        Err(Fault::ReadOnly) => ffi::SQLITE_READONLY,
        Err(Fault::Cut | Fault::Broken) => ffi::SQLITE_IOERR_WRITE,
    }
}

unsafe fn name<'a>(file: *mut ffi::sqlite3_file) -> &'a str {
    unsafe { &*(*file.cast::<Open>()).name }
}

fn index(place: i64) -> usize {
    usize::try_from(place).expect("a place in a file")
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    unsafe {
        (*file).pMethods = std::ptr::null();
        if path.is_null() {
            return ffi::SQLITE_CANTOPEN;
        }
        let path = CStr::from_ptr(path).to_str().expect("a path in UTF-8");
        match disk().open(path, flags & ffi::SQLITE_OPEN_CREATE != 0) {
            Err(fault) => return code(Err(fault)),
            Ok(false) => return ffi::SQLITE_CANTOPEN,
            Ok(true) => {}
        }
        (*file.cast::<Open>()).name = Box::into_raw(Box::new(path.to_owned()));
        (*file).pMethods = &raw const METHODS;
        if !out.is_null() {
            *out = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe { drop(Box::from_raw((*file.cast::<Open>()).name)) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    length: c_int,
    place: i64,
) -> c_int {
    let length = usize::try_from(length).expect("a length");
    let into = unsafe { std::slice::from_raw_parts_mut(into.cast::<u8>(), length) };
    let disk = disk();
    if disk.is_off() {
        return ffi::SQLITE_IOERR_READ;
    }
    let bytes = disk.read(unsafe { name(file) }).unwrap_or_default();
    let there = bytes.get(index(place)..).unwrap_or_default();
    let count = there.len().min(length);
    into[..count].copy_from_slice(&there[..count]);
    into[count..].fill(0);
    if count < length { ffi::SQLITE_IOERR_SHORT_READ } else { ffi::SQLITE_OK }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    place: i64,
) -> c_int {
    let length = usize::try_from(length).expect("a length");
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) };
    code(disk().write(unsafe { name(file) }, index(place), bytes))
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    code(disk().truncate(unsafe { name(file) }, index(length)))
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    code(disk().sync(unsafe { name(file) }))
}

unsafe extern "C" fn size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    let length = disk().read(unsafe { name(file) }).unwrap_or_default().len();
    unsafe { *size = i64::try_from(length).expect("a size") };
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(_: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_lock(_: *mut ffi::sqlite3_file, locked: *mut c_int) -> c_int {
    unsafe { *locked = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector(_: *mut ffi::sqlite3_file) -> c_int {
    4096
}

/// As `SQLite` takes it of each disk: writing harms nothing beside what is written.
unsafe extern "C" fn characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, path: *const c_char, synced: c_int) -> c_int {
    let path = unsafe { CStr::from_ptr(path) }.to_str().expect("a path in UTF-8");
    code(disk().delete(path, synced != 0))
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    _: c_int,
    exists: *mut c_int,
) -> c_int {
    let path = unsafe { CStr::from_ptr(path) }.to_str().expect("a path in UTF-8");
    unsafe { *exists = c_int::from(disk().exists(path)) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_path(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    unsafe {
        let bytes = CStr::from_ptr(path).to_bytes_with_nul();
        assert!(bytes.len() <= usize::try_from(length).expect("a length"));
        std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(
    _: *mut ffi::sqlite3_vfs,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    let out = unsafe {
        std::slice::from_raw_parts_mut(out.cast::<u8>(), usize::try_from(length).expect("a length"))
    };
    fastrand::Rng::new().fill(out);
    length
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, time: c_int) -> c_int {
    time
}

unsafe extern "C" fn time(_: *mut ffi::sqlite3_vfs, days: *mut f64) -> c_int {
    unsafe { *days = 2_461_000.5 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}
