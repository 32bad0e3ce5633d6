//! The file of a Unix socket: who has it, and that it goes with its server.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use mio::net::UnixListener;

/// The file of a socket that listens. It is removed when this is dropped, unless another one has come
/// in its place.
#[derive(Debug)]
pub(super) struct UnixPath {
    path: PathBuf,
    /// By which the file is known: device and number.
    file: Option<(u64, u64)>,
}

impl UnixPath {
    /// Listens at a path. A socket that is there already, and at which nobody listens, was left behind and
    /// is removed; any other file stays, and is an error.
    pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, Self)> {
        let socket = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_behind(path) => {
                std::fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            result => result?,
        };
        Ok((socket, Self { path: path.to_owned(), file: number(path) }))
    }
}

impl Drop for UnixPath {
    fn drop(&mut self) {
        if self.file.is_some() && number(&self.path) == self.file {
            // Whoever comes next removes it otherwise.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether it is a socket at which nobody listens.
fn is_left_behind(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).is_err_and(refused)
}

fn number(path: &Path) -> Option<(u64, u64)> {
    let file = std::fs::symlink_metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}
