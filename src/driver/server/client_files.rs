//! The files of the JavaScript client, for pages that load it from the server which they use.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::net::server::response::HttpResponse;
use crate::sync::logging::log_later;

/// The files, by the names that the reference gives them. No other name gets to the file system.
const FILES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

/// The most bytes of a file: the largest has some 250,000.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The folder in which they are.
#[derive(Debug)]
pub(crate) struct ClientFiles {
    folder: PathBuf,
}

impl ClientFiles {
    /// Those of a folder. They are read when they are asked for.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Which of them the path of a request asks for, behind the path of Socket.IO.
    pub(super) fn named(path: &str) -> Option<&'static str> {
        FILES.into_iter().find(|name| *name == path)
    }

    /// The answer to a request with these headers for one of them. It reads the file.
    pub(super) fn answer(&self, name: &'static str, headers: &HeaderMap) -> HttpResponse {
        let response = read(&self.folder.join(name)).map(|(file, tag)| {
            if is_known(headers, &tag) {
                return Ok(tagged(StatusCode::NOT_MODIFIED, &tag));
            }
            let mut content = Vec::new();
            file.take(LARGEST).read_to_end(&mut content)?;
            let content_type = if Path::new(name).extension().is_some_and(|end| end == "map") {
                "application/json; charset=utf-8"
            } else {
                "application/javascript; charset=utf-8"
            };
            Ok(tagged(StatusCode::OK, &tag)
                .with(CONTENT_TYPE, HeaderValue::from_static(content_type))
                .with_plain_body(content.into()))
        });
        let response: io::Result<_> = response.and_then(|response| response);
        response.unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                log_later!(Warn, "the client's file {name} cannot be read: {error}");
            }
            HttpResponse::new(StatusCode::NOT_FOUND)
        })
    }
}

/// A file, and by what this state of it is known.
fn read(path: &Path) -> io::Result<(File, String)> {
    // What is no file may have nobody who writes it.
    let about = std::fs::metadata(path)?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(io::Error::other("it is no file of the client"));
    }
    let changed = about.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok((File::open(path)?, format!("\"{:x}-{:x}\"", about.len(), changed.as_nanos())))
}

fn tagged(status: StatusCode, tag: &str) -> HttpResponse {
    let response = HttpResponse::new(status)
        .with(CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"))
        .with(VARY, HeaderValue::from_static("Accept-Encoding"));
    match HeaderValue::try_from(tag) {
        Ok(tag) => response.with(ETAG, tag),
        Err(_) => response,
    }
}

/// Whether the client has this state already: compared weakly, since it may be compressed.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_4_mebibytes_is_the_largest_and_nothing_but_files_is_read() {
        let folder = std::env::temp_dir().join(format!("siot-client-files-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("socket.io.js.map")).unwrap();
        let file = File::create(folder.join("socket.io.js")).unwrap();
        let is_read = |name| read(&folder.join(name)).is_ok();
        let are_read = [4 << 20, (4 << 20) + 1].map(|length| {
            file.set_len(length).unwrap();
            is_read("socket.io.js")
        });
        let others = [is_read("socket.io.js.map"), is_read("socket.io.min.js")];
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((are_read, others), ([true, false], [false, false]));
    }
}
